"""The first cells of lecture part 2: the net on the 32 examples of five words, and the floor under its loss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data.splits import Splits
from data.windows import distinct_windows
from tui_mm.experiments.engine import Lab, Procedure
from tui_mm.experiments.result import Chart, Row, Series, finite, line_chart
from tui_mm.training.events import StepBlock

STEPS = 10_000
_SHOWN = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
_MOST_TOLD = 3  # contexts that are followed by different characters


@dataclass(frozen=True)
class Floor:
    """The least mean loss that any model of so many characters of context can have on some words.

    examples: predictions; ambiguous: contexts that are followed by different characters, with those
    """

    loss: float
    examples: int
    ambiguous: tuple[tuple[str, str], ...]


def floor_of(splits: Splits, block_size: int) -> Floor:
    """Over the train split: the entropy of what follows each context, weighted by how often it occurs.

    A model predicts the same after the same context. Where different characters follow it, the best it can do is to
    give each the share with which it does.
    """
    vocabulary = splits.vocabulary
    total, examples = 0.0, 0
    ambiguous: list[tuple[str, str]] = []
    for windows in distinct_windows(splits.train.tokens, len(vocabulary), block_size):
        of_context = np.bincount(windows.row, windows.count, minlength=len(windows.contexts))
        total -= float((windows.count * np.log(windows.count / of_context[windows.row])).sum())
        examples += int(windows.count.sum())
        for row in np.flatnonzero(np.bincount(windows.row) > 1).tolist():
            context = "".join(vocabulary.symbol(t) for t in windows.contexts[row].tolist())
            followers = windows.target[windows.row == row].tolist()
            ambiguous.append((context, " ".join(vocabulary.symbol(t) for t in followers)))
    return Floor(total / examples, examples, tuple(ambiguous))


def _rows(lab: Lab) -> Iterator[Row]:
    config = lab.config("five-words", steps=STEPS, evaluations=1)
    trainer = lab.trainer(config)
    floor = floor_of(lab.splits(config), config.block_size)
    lab.note(f"the floor under the loss of these {floor.examples} examples is {floor.loss:.6f}")
    for context, followers in floor.ambiguous[:_MOST_TOLD]:
        lab.note(f"'{context}' is followed by {followers}")
    if len(floor.ambiguous) > _MOST_TOLD:
        lab.note(f"and {len(floor.ambiguous) - _MOST_TOLD} more contexts are followed by different characters")
    shown = sorted({min(trainer.total_steps, lab.scaled(step)) if step else 0 for step in _SHOWN})
    for step in shown:
        trainer.pause_at = step
        for event in trainer.events() if step else ():
            lab.check()
            if isinstance(event, StepBlock):
                lab.tell(f"step {event.last_step:,} of {trainer.total_steps:,}")
                if trainer.step == step:
                    break
        loss = lab.loss(trainer, "train")
        yield {"step": step, "loss": loss, "above": None if loss is None else loss - floor.loss, "floor": floor.loss,
               "contexts": [list(each) for each in floor.ambiguous[:_MOST_TOLD]]}  # fmt: skip


def _answer(rows: Sequence[Row]) -> str:
    last = rows[-1]
    reached = finite(last["loss"])
    if reached is None:
        return f"The training diverged: after {last['step']:,} steps the loss is no finite number."
    parts = [
        f"After {last['step']:,} steps the loss is {reached:.6f}, {reached - last['floor']:.6f} above its floor "
        f"{last['floor']:.6f}."
    ]
    if last["contexts"]:
        context, followers = last["contexts"][0]
        count = len(followers.split(" "))
        parts.append(
            f"It cannot reach 0: '{context}' is followed by {count} different characters ({followers}), and the same "
            f"context gives the same prediction. The best is each with the share with which it follows; the entropy of "
            f"what follows, over all examples, is the floor."
        )
    else:
        parts.append("No context is followed by different characters, so nothing but the steps keeps it from 0.")
    return " ".join(parts)


def _chart(rows: Sequence[Row]) -> Chart:
    """Over the logarithm of the step, from 1 on; the loss as it is, with the floor."""
    drawn = [row for row in rows if row["step"]]
    chart = line_chart(drawn, "step", [("loss", "loss")], ("step", "loss"), log_x=True)
    steps = tuple(float(row["step"]) for row in drawn)
    floor = Series("floor", steps, tuple(row["floor"] for row in drawn))
    above = all(math.isfinite(row["floor"]) for row in drawn)
    return Chart("lines", chart.x_title, chart.y_title, (*chart.series, *((floor,) if above else ())), log_x=True)


OVERFIT = Procedure(_rows, _chart, _answer)
