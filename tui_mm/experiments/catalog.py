"""Every experiment by its name: what it asks, and the columns of its table. No torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from tui_mm.config import LECTURE_SEED, ConfigError
from tui_mm.experiments.figures import FIGURES, LECTURE_SHA256, SEEDED, Figures
from tui_mm.experiments.result import Column


@dataclass(frozen=True)
class Experiment:
    """``asks``: the exercise in our own words; ``columns``: of the table, of which the first names the row."""

    name: str
    title: str
    asks: str
    columns: tuple[Column, ...]

    def figures(self, sha256: str, seed: int, scale: float) -> Figures:
        """The lecture's figures, where they compare: its words, all of the steps, and its seed if that matters."""
        compares = sha256 == LECTURE_SHA256 and scale == 1
        return FIGURES[self.name] if compares and (seed == LECTURE_SEED or self.name not in SEEDED) else {}


_TRAIN, _DEV, _TEST = Column("train", "train", "loss"), Column("dev", "dev", "loss"), Column("test", "test", "loss")
_SECONDS = Column("seconds", "seconds", "seconds", timed=True)

_ALL = (
    Experiment(
        "part1-e01",
        "part 1, E01: a trigram",
        "Predict each character from the two before it, by counting or by a net. Is that better than the bigram? "
        "And what of a linear layer on two one-hot letters?",
        (
            Column("model", "model"),
            Column("predictions", "predictions", "count"),
            Column("all", "all words", "loss"),
            _TRAIN,
            _DEV,
        ),
    ),
    Experiment(
        "part1-e02",
        "part 1, E02: words that were not trained on",
        "Split the words 80/10/10, count on the train split alone, and look at the losses on dev and test. How much "
        "worse are they?",
        (
            Column("model", "model"),
            _TRAIN,
            _DEV,
            Column("gap", "dev - train", "change"),
            _TEST,
        ),
    ),
    Experiment(
        "part1-e03",
        "part 1, E03: tune the smoothing",
        "Choose what is added to every count of the trigram by the dev loss. What do train and dev do on the way? "
        "Evaluate on test once, at the end.",
        (Column("smoothing", "added", "number"), _TRAIN, _DEV, _TEST),
    ),
    Experiment(
        "part1-e04",
        "part 1, E04: index instead of one-hot",
        "Take rows of W by their index instead of multiplying one-hot vectors with it. Is the result the same, and "
        "how much faster is it?",
        (
            Column("way", "way"),
            Column("start", "loss at start", "loss"),
            Column("end", "loss at end", "loss"),
            Column("milliseconds", "ms, both passes", "milliseconds", timed=True),
            Column("mebibytes", "MiB of input", "mebibytes"),
        ),
    ),
    Experiment(
        "part1-e05",
        "part 1, E05: cross_entropy",
        "Use F.cross_entropy instead of exponentials, a sum and a logarithm written out. Is the result the same, and "
        "why would one prefer it?",
        (
            Column("way", "way"),
            Column("loss", "loss", "loss"),
            Column("milliseconds", "ms, both passes", "milliseconds", timed=True),
            Column("mebibytes", "MiB at most", "mebibytes"),
            Column("logit", "with a logit of 100"),
        ),
    ),
    Experiment(
        "part1-e06",
        "part 1, E06: an idea of our own, longer contexts",
        "Does the dev loss go on falling with more letters of context? And does it, if a context that was seldom "
        "seen asks a shorter one?",
        (
            Column("letters", "letters", "count"),
            Column("contexts", "contexts seen", "count"),
            Column("unseen", "dev not seen", "share"),
            Column("smoothing", "added", "number"),
            Column("dev", "dev, best added", "loss"),
            Column("backoff", "dev, backing off", "loss"),
            _TEST,
        ),
    ),
    Experiment(
        "overfit",
        "part 2: overfit the first five words",
        "Train the lecture's first net on the 32 examples of five words. How low does the loss get, and why not to 0?",
        (Column("step", "step", "count"), Column("loss", "loss", "loss"), Column("above", "above the floor", "change")),
    ),
    Experiment(
        "part2-e01",
        "part 2, E01: beat the lecture's loss",
        "Tune the MLP to a dev loss below the lecture's best, 2.2. Here in steps that each change one thing; the best "
        "by dev is tested, once.",
        (
            Column("change", "change"),
            Column("parameters", "parameters", "count"),
            Column("steps", "steps", "count"),
            _SECONDS,
            _TRAIN,
            _DEV,
            Column("gain", "against above", "change"),
            _TEST,
        ),
    ),
    Experiment(
        "part2-e02",
        "part 2, E02: how the weights start",
        "What loss have predictions that are all equally likely? How near to it can the net start, and does it train "
        "better from there?",
        (
            Column("init", "initialisation"),
            Column("start", "start", "loss"),
            Column("start_dev", "start, dev", "loss"),
            Column("first", "first batch", "loss"),
            Column("saturated", "saturated", "share"),
            Column("train", "end, train", "loss"),
            Column("dev", "end, dev", "loss"),
        ),
    ),
    Experiment(
        "part2-e03",
        "part 2, E03: ideas of Bengio et al. 2003",
        "Try what else the paper describes, each idea against the same baseline from the same seeds. Which of them "
        "help?",
        (
            Column("idea", "idea"),
            Column("seeds", "seeds", "count"),
            Column("dev", "mean dev", "loss"),
            Column("difference", "difference", "change"),
            Column("error", "std error", "number"),
            Column("interval", "95% within", "number"),
            Column("verdict", "verdict"),
            _TEST,
        ),
    ),
    Experiment(
        "ladder",
        "the ladder: every model on the same words",
        "What does each kind of model reach on these words, with how many parameters and in what time? Each training "
        "is kept as a run.",
        (
            Column("preset", "preset"),
            Column("model", "model"),
            Column("parameters", "parameters", "count"),
            Column("steps", "steps", "count"),
            _SECONDS,
            _TRAIN,
            _DEV,
            Column("new", "new names", "share"),
            Column("run", "run"),
            Column("samples", "samples", "names"),
        ),
    ),
)
EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in _ALL}


def experiment_named(name: str) -> Experiment:
    """Raises ConfigError, with what may be meant, for one that there is not."""
    if name not in EXPERIMENTS:
        close = difflib.get_close_matches(name, EXPERIMENTS, 1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        raise ConfigError(f"experiment: {name!r} is not one; give one of {', '.join(EXPERIMENTS)}{meant}")
    return EXPERIMENTS[name]
