"""Exercise E03 of lecture part 2: ideas of Bengio et al. 2003, each against one baseline, paired by seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from models.base import LanguageModel
from models.mixture import Mixture, Weighting
from tui_mm.config import RunConfig, make_config
from tui_mm.experiments.engine import Lab, Procedure
from tui_mm.experiments.result import Chart, Row, best, finite, interval_chart
from tui_mm.training.setup import prepare
from tui_mm.training.trainer import Trainer

SEEDS = 5
STEPS = 20_000
BASELINE = "baseline"
TRIGRAM = "interpolated trigram alone"
_ENDS_AT = 0.1  # of the first rate, where the paper's schedule is rescaled to these steps
_TOO_LITTLE = 0.001  # of a mean difference in nats, however sure it is
_T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t, two-sided 95%, by degrees of freedom."""


@dataclass(frozen=True)
class Idea:
    """``changes`` against the baseline's configuration; or how the baseline's network is mixed with the trigram."""

    label: str
    changes: dict[str, Any]
    weighting: Weighting | None = None


IDEAS = (
    Idea("direct connections", {"direct": "yes"}),
    Idea("mixture, one half each", {}, "fixed"),
    Idea("mixture, learned weight", {}, "learned"),
    Idea("mixture, by frequency", {}, "by-frequency"),
    Idea("decaying learning rate", {"schedule": "bengio"}),
    Idea("weight decay 1e-4", {"weight_decay": 1e-4}),
)


@dataclass(frozen=True)
class Paired:
    """Mean difference of pairs, its standard error, and half of its 95% confidence interval."""

    mean: float
    error: float
    half: float

    @classmethod
    def of(cls, differences: Sequence[float]) -> Paired:
        """Of at least two, at most ten differences."""
        error = stdev(differences) / math.sqrt(len(differences))
        return cls(fmean(differences), error, _T95[len(differences) - 1] * error)

    @property
    def verdict(self) -> str:
        """helped: lower, and the interval is all below 0."""
        if abs(self.mean) < _TOO_LITTLE:
            return "too little to matter" if abs(self.mean) > self.half else "no difference that can be told"
        if self.mean + self.half < 0:
            return "helped"
        return "hurt" if self.mean - self.half > 0 else "no difference that can be told"


def _config(lab: Lab, seed: int, **changes: Any) -> RunConfig:
    ours = make_config("default")
    base: dict[str, Any] = {"init": ours.init, "schedule": "constant", "steps": STEPS, "seed": seed}
    config = lab.config("lecture", evaluations=1, **(base | changes))
    return config.but(decay_rate=(1 / _ENDS_AT - 1) / config.steps) if config.schedule == "bengio" else config


def _rows(lab: Lab) -> Iterator[Row]:
    seeds = [(lab.order.seed + k) % (1 << 63) for k in range(SEEDS)]
    c = _config(lab, lab.order.seed)
    lab.note(
        f"each of {SEEDS} seeds trains the baseline and the idea from the same start on the same minibatches: context "
        f"{c.block_size}, embedding {c.embedding}, {c.hidden} hidden units, {c.steps:,} steps of {c.batch_size}, lr "
        f"{c.lr:g} throughout; differences are paired by seed, and 'helped' or 'hurt' is said where the 95% interval "
        "of the mean leaves out 0"
    )
    lab.note(
        f"the paper's schedule is rescaled to these steps: it ends at {_ENDS_AT:g} of the first rate; the weights "
        "of the mixtures are fitted to the dev split"
    )
    trigram = lab.trained(lab.config("interpolated"), TRIGRAM)
    yield {"idea": TRIGRAM, "dev": lab.loss(trigram, "dev")}

    baselines = [_trained(lab, seed, BASELINE) for seed in seeds]
    base = [_dev(lab, trainer) for trainer in baselines]
    yield {"idea": BASELINE, "seeds": len(seeds), "dev": fmean(base)}
    found: list[tuple[Row, Trainer]] = []
    for idea in IDEAS:
        if idea.weighting is not None:  # the network is trained alone, so it is the baseline's
            trainers = [mixed(lab, trainer, idea.weighting) for trainer in baselines]
        else:
            trainers = [_trained(lab, seed, idea.label, **idea.changes) for seed in seeds]
        devs = [_dev(lab, trainer) for trainer in trainers]
        paired = Paired.of([dev - before for dev, before in zip(devs, base, strict=True)])
        row: Row = {
            "idea": idea.label,
            "seeds": len(seeds),
            "dev": fmean(devs),
            "difference": finite(paired.mean),
            "error": finite(paired.error),
            "interval": finite(paired.half),
            "verdict": paired.verdict,
            "differences": [finite(dev - before) for dev, before in zip(devs, base, strict=True)],
        }
        found.append((row, trainers[0]))
        yield row
    yield {"idea": BASELINE, "seeds": len(seeds), "dev": fmean(base), "test": lab.test(baselines[0])}
    row, trainer = min(found, key=lambda each: float(each[0]["dev"]))
    yield row | {"test": lab.test(trainer)}


def _trained(lab: Lab, seed: int, label: str, **changes: Any) -> Trainer:
    return lab.trained(_config(lab, seed, **changes), f"{label}, seed {seed}")


def _dev(lab: Lab, trainer: Trainer) -> float:
    loss = lab.loss(trainer, "dev")
    return math.nan if loss is None else loss


def mixed(lab: Lab, trainer: Trainer, weighting: Weighting) -> Trainer:
    """A trainer whose model is a trained network mixed with the interpolated trigram: as a run with that ``mixture``
    ends, since its training does not look at the trigram (a test holds both equal)."""
    network: LanguageModel = trainer.model
    mixture = Mixture(network, weighting)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    mixing = lab.trainer_of(mixture, trainer.config)
    prepare(mixture, mixing.rows)
    network.load_state_dict(weights)  # what a fresh network would have taken from the words
    mixture.adapt(mixing.rows["dev"].distinct())
    return mixing


def _answer(rows: Sequence[Row]) -> str:
    ideas = [row for row in rows if row.get("verdict")]
    parts = []
    for verdict in ("helped", "hurt", "too little to matter", "no difference that can be told"):
        named = [f"{row['idea']} ({row['difference']:+.4f} ± {row['interval']:.4f})"
                 for row in ideas if row["verdict"] == verdict and row["difference"] is not None]  # fmt: skip
        if named:
            parts.append(f"{verdict[0].upper()}{verdict[1:]}: {', '.join(named)}.")
    if parts:
        parts.append("What stands behind ± is the half of the 95% interval.")
    tested = [row for row in rows if row.get("test") is not None]
    if len(tested) == 2:
        base = next(row for row in tested if row["idea"] == BASELINE)
        other = next(row for row in tested if row is not base)
        parts.append(
            f"On test, with the first seed, {other['idea']} has {other['test']:.4f} and the baseline "
            f"{base['test']:.4f}: {other['test'] - base['test']:+.4f}."
        )
    trigram = next((row for row in rows if row["idea"] == TRIGRAM), None)
    mixtures = [row for row in ideas if row["idea"].startswith("mixture")]
    better = best(mixtures, "dev")
    if trigram is not None and better is not None and trigram["dev"] is not None:
        parts.append(
            f"The trigram alone has {trigram['dev']:.4f} on dev, and mixed in it "
            + (
                "still helps; the paper found that it always did."
                if better["verdict"] == "helped"
                else "does not help."
            )
        )
    return " ".join(parts)


def _chart(rows: Sequence[Row]) -> Chart:
    return interval_chart(rows, "idea", "difference", "interval", ("", "dev loss against the baseline, 95%"))


BENGIO = Procedure(_rows, _chart, _answer)
