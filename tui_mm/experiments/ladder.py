"""Every model on the same words, each by its preset. The trainings are kept as runs, to be compared and overlaid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Generator

from data.levels import LevelName
from data.lookup import WordIndex
from data.splits import Splits
from models.base import CountingModel, LanguageModel
from models.sampling import sample
from tui_mm.experiments.engine import Lab, Procedure, StoppedError, difference
from tui_mm.experiments.result import Chart, Row, bar_chart, best, finite
from tui_mm.presets import PRESETS
from tui_mm.runs.run import create_run
from tui_mm.training.events import Evaluation, Event, StepBlock
from tui_mm.words import data_facts, model_facts
from tui_mm.worker.session import SAMPLE_SEED_OFFSET, training_session

LEFT_OUT = ("five-words", "lecture-small", "speedrun")
"""Presets that are not for comparing: one trains on five words, one is the lecture's first try, one stops early."""

_ORDER = (
    "bigram", "neural-bigram", "trigram", "interpolated", "backoff", "lecture", "default", "makemore-mlp", "deep-mlp",
    "wavenet", "bow", "rnn", "gru", "lstm", "transformer",
)  # fmt: skip
NAMES = 500
_SHOWN_NAMES = 5


def rungs(level: LevelName = "character") -> list[str]:
    """The presets for words of a level in the order in which they are trained; one that is new comes last."""
    wanted = [name for name, values in PRESETS.items() if name not in LEFT_OUT and values.get("level", level) == level]
    return sorted(wanted, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


def _rows(lab: Lab) -> Iterator[Row]:
    for preset in rungs(lab.order.corpus.level.name):
        yield _rung(lab, preset)


def _rung(lab: Lab, preset: str) -> Row:
    config = lab.config(preset)
    splits = lab.splits(config)
    trainer = lab.trainer(config)
    index = WordIndex(splits)
    facts = {
        "data": data_facts(config, splits, index.distinct),
        "model": model_facts(config, splits.vocabulary),
    }
    run = create_run(lab.home, config, lab.order.corpus, f"ladder-{preset}-{lab.ident}", facts)
    last: Evaluation | None = None

    def observe(event: Event) -> None:
        nonlocal last
        if isinstance(event, Evaluation):
            last = event
        elif isinstance(event, StepBlock):
            dev = "" if last is None or last.dev is None else f", dev {last.dev:.4f}"
            lab.tell(f"{preset}: step {event.last_step:,} of {trainer.total_steps:,}{dev}")

    with training_session(run, trainer, splits) as session:
        finished = session.train(should_stop=lab.should_stop, observe=observe)
    if finished is None:
        raise StoppedError
    if isinstance(trainer.model, CountingModel):
        cells, kept = trainer.model.parameter_count(), trainer.model.stored_count()
        lab.note(f"{preset}: its parameters are the {cells:,} cells of its table, of which {kept:,} are not zero")
    row: Row = {
        "preset": preset,
        "model": config.model,
        "parameters": trainer.model.parameter_count(),
        "steps": trainer.step,
        "seconds": trainer.seconds,
        "train": None if last is None else finite(last.train),
        "dev": None if last is None else finite(last.dev),
        "run": run.id,
    }
    if finished.reason == "diverged":
        lab.note(f"{preset}: diverged, {finished.message}")
    if row["train"] is None:
        return row  # nothing can be drawn from weights that are no numbers
    return row | drawn(lab, preset, trainer.model, splits, index)


def drawn(lab: Lab, preset: str, model: LanguageModel, splits: Splits, index: WordIndex) -> Row:
    """The share of drawn names that stand in none of the words, and the first of them, which the run keeps, too."""
    lab.tell(f"{preset}: drawing names")
    generator = Generator().manual_seed((lab.order.seed + SAMPLE_SEED_OFFSET) % (1 << 63))
    count = max(2 * _SHOWN_NAMES, lab.scaled(NAMES))
    names = [splits.vocabulary.decode(name.tokens) for name in sample(model, count, generator=generator)]
    new = sum(bool(name) and index.find(name) is None for name in names)
    return {"new": new / len(names), "samples": names[:_SHOWN_NAMES]}


def _answer(rows: Sequence[Row]) -> str:
    chosen, quickest = best(rows, "dev"), min(rows, key=lambda row: float(row["seconds"]))
    if chosen is None:
        return "No model came to a finite loss."
    parts = [
        f"Least on dev: {chosen['preset']}, {chosen['dev']:.4f} with {chosen['parameters']:,} parameters in "
        f"{chosen['seconds']:.1f} s."
    ]
    counting = [row for row in rows if row["preset"] in ("bigram", "trigram", "interpolated", "backoff")]
    counted = best(counting, "dev")
    if counted is not None and counted is not chosen:
        parts.append(
            f"Of those that count, {counted['preset']} is best, {counted['dev']:.4f}, "
            f"{difference(counted['dev'], chosen['dev'])}, in {counted['seconds']:.1f} s."
        )
    losses = [float(row["dev"]) for row in rows if finite(row["dev"]) is not None]
    parts.append(
        f"The worst has {max(losses):.4f}; the quickest was {quickest['preset']}, {quickest['seconds']:.1f} s."
    )
    overfitted = [row for row in rows if finite(row["train"]) is not None and finite(row["dev"]) is not None]
    new = [row["new"] for row in rows if row.get("new") is not None]
    widest = max(overfitted, key=lambda row: float(row["dev"] - row["train"]))
    parts.append(
        f"The widest gap between train and dev is {widest['preset']}'s, {widest['dev'] - widest['train']:.4f}. "
        f"New names: {100 * min(new):.0f}% to {100 * max(new):.0f}%."
    )
    return " ".join(parts)


def _chart(rows: Sequence[Row]) -> Chart:
    return bar_chart(rows, "preset", "dev", ("", "dev loss"))


LADDER = Procedure(_rows, _chart, _answer)
