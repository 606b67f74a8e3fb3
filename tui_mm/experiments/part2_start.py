"""Exercise E02 of lecture part 2: the loss before any training, by how the weights start, and after some."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor

from models.base import LanguageModel, evaluating
from tui_mm.config import FIELDS, RunConfig
from tui_mm.experiments.engine import Lab, Procedure, difference
from tui_mm.experiments.result import Chart, Row, bar_chart, best, finite, row_of
from tui_mm.training.diagnostics import SATURATED
from tui_mm.training.rows import Rows
from tui_mm.training.trainer import Trainer

STEPS = 6_000
UNIFORM = "uniform"


def _rows(lab: Lab) -> Iterator[Row]:
    uniform = math.log(len(lab.splits(lab.config("lecture")).vocabulary))
    yield {"init": UNIFORM, "start": uniform, "start_dev": uniform}
    lab.note(f"saturated: the share of hidden values beyond ±{SATURATED} before any training, over all of train")
    c = lab.config("lecture", steps=STEPS)
    lab.note(
        f"the end is after {c.steps:,} steps of {c.batch_size}, lr {c.lr:g}, from the middle on "
        f"{c.lr * c.decay_factor:g}"
    )
    for init in FIELDS["init"].choices:
        trainer = lab.trainer(lab.config("lecture", init=init, steps=STEPS, evaluations=2))
        lab.tell(f"{init}: the start")
        row: Row = {
            "init": init,
            "start": lab.loss(trainer, "train"),
            "start_dev": lab.loss(trainer, "dev"),
            "first": first_batch_loss(trainer),
            "saturated": saturated_share(trainer.model, trainer.rows["train"]),
        }
        yield row
        yield row | lab.losses(lab.train(trainer, init))


def first_batch_loss(trainer: Trainer) -> float:
    """Of the minibatch that the first step will draw; the trainer's random numbers stay as they are."""
    config: RunConfig = trainer.config
    rows = trainer.rows["train"]
    ahead = Generator()
    ahead.set_state(trainer.generator.get_state())
    index = torch.randint(0, len(rows), (config.batch_size,), generator=ahead)
    with torch.no_grad():
        return float(trainer.model.loss(*rows.take(index)))


def saturated_share(model: LanguageModel, rows: Rows) -> float:
    """Of all hidden values over a split, those beyond SATURATED, where tanh passes hardly any gradient."""
    beyond = total = 0
    with evaluating(model), torch.no_grad():
        for contexts, _ in rows.chunks():
            for values in model.activations(contexts).values():
                beyond += _count(values.abs() > SATURATED)
                total += values.numel()
    return beyond / total


def _count(mask: Tensor) -> int:
    return int(mask.sum())


def _answer(rows: Sequence[Row]) -> str:
    uniform = row_of(rows, "init", UNIFORM)
    assert uniform is not None
    inits = [row for row in rows if row is not uniform and finite(row["start"]) is not None]
    lecture = row_of(inits, "init", "lecture")
    parts = [f"Equally likely predictions have {uniform['start']:.6f} = ln {round(math.exp(uniform['start']))}."]
    if lecture is not None:
        parts.append(
            f"The lecture's start, {lecture['start']:.4f}, is {difference(lecture['start'], uniform['start'])}: it is "
            f"confident without a reason."
        )
    within = [row["init"] for row in inits if abs(row["start"] - uniform["start"]) < 0.05]
    if within:
        parts.append(f"Within 0.05 of it start {', '.join(within)}.")
    below = [f"{row['init']} ({row['start']:.4f})" for row in inits if row["start"] < uniform["start"] - 0.05]
    if below:
        parts.append(f"Below it, by knowing how often each character occurs: {', '.join(below)}.")
    trained = [row for row in inits if finite(row.get("dev")) is not None]
    first = best(trained, "dev")
    if first is not None and lecture is not None and finite(lecture.get("dev")) is not None:
        if first is lecture:
            parts.append(f"After the training none is better than the lecture's {lecture['dev']:.4f} on dev.")
        else:
            parts.append(
                f"After the training {first['init']} is best on dev, {first['dev']:.4f}, "
                f"{difference(first['dev'], lecture['dev'])} than the lecture's {lecture['dev']:.4f}."
            )
        last = max(trained, key=lambda row: float(row["dev"]))
        nearest = min(trained, key=lambda row: float(row["start"]))
        if nearest is not first:
            parts.append(
                f"The lowest start, {nearest['init']}'s, does not end lowest: {nearest['dev']:.4f}; the worst end is "
                f"{last['init']}'s, {last['dev']:.4f}."
            )
    return " ".join(parts)


def _chart(rows: Sequence[Row]) -> Chart:
    if any(finite(row.get("dev")) is not None for row in rows):
        return bar_chart(rows, "init", "dev", ("", "dev loss at the end"))
    return bar_chart(rows, "init", "start", ("", "loss at the start"))


START = Procedure(_rows, _chart, _answer)
