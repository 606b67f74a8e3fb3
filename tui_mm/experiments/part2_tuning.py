"""Exercise E01 of lecture part 2: from the lecture's last model to a better dev loss, one change at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tui_mm.config import make_config
from tui_mm.experiments.engine import Lab, Procedure, difference
from tui_mm.experiments.result import Chart, Row, bar_chart, best, finite
from tui_mm.training.trainer import Trainer

GOAL = 2.2
"""The lecture's best dev loss, which the exercise asks to beat."""

BASELINE = "the lecture's last model"
_TRAINING = ("batch_size", "optimizer", "lr", "weight_decay", "schedule", "warmup")

_DEEP = ("layers", "norm", "hidden", "lr", "weight_decay")


def changes() -> list[tuple[str, dict[str, Any]]]:
    """What each step changes against the one before, by its name. What is not tuned here comes from the presets."""
    ours, deep = make_config("default"), make_config("deep-mlp")
    return [
        (BASELINE, {}),
        ("initialisation", {"init": ours.init}),
        ("512 examples, AdamW, one-cycle", {n: getattr(ours, n) for n in _TRAINING} | {"steps": 8_000}),
        ("wider", {"embedding": deep.embedding, "hidden": 300}),
        ("eight letters", {"block_size": deep.block_size}),
        ("three layers, batch norm", {n: getattr(deep, n) for n in _DEEP}),
    ]


def _rows(lab: Lab) -> Iterator[Row]:
    values: dict[str, Any] = {}
    before: float | None = None
    lab.note("each change stays for those below it; the last takes the lr and weight decay that suit it (deep-mlp)")
    found: list[tuple[Row, Trainer]] = []
    for label, change in changes():
        values |= change
        trainer = lab.trained(lab.config("lecture", evaluations=5, **values), label)
        losses = lab.losses(trainer)
        dev = losses["dev"]
        row: Row = {
            "change": label,
            "parameters": trainer.model.parameter_count(),
            "steps": trainer.step,
            "seconds": trainer.seconds,
            **losses,
            "gain": None if dev is None or before is None else dev - before,
        }
        before = dev
        if dev is not None:
            found.append((row, trainer))
        yield row
    if found:
        row, trainer = min(found, key=lambda each: float(each[0]["dev"]))
        yield row | {"test": lab.test(trainer)}


def _answer(rows: Sequence[Row]) -> str:
    chosen, first = best(rows, "dev"), rows[0]
    if chosen is None:
        return "No training came to a finite loss."
    beaten = chosen["dev"] < GOAL
    parts = [
        f"{'Yes' if beaten else 'No'}: the best dev loss is {chosen['dev']:.4f}, with '{chosen['change']}' and all "
        f"before it, {difference(chosen['dev'], GOAL)} than the {GOAL} to beat; on test, looked at once, it has "
        f"{chosen['test']:.4f}."
    ]
    if chosen is not first and first["dev"] is not None:
        parts.append(f"That is {difference(chosen['dev'], first['dev'])} than where it began.")
    gains = [row for row in rows if finite(row.get("gain")) is not None]
    most = best(gains, "gain")
    if most is not None and most["gain"] < 0:
        parts.append(f"'{most['change']}' bought most, {most['gain']:+.4f}.")
    worse = [f"'{row['change']}' ({row['gain']:+.4f})" for row in gains if row["gain"] > 0]
    if worse:
        parts.append(f"Not better on dev: {', '.join(worse)}.")
    return " ".join(parts)


def _chart(rows: Sequence[Row]) -> Chart:
    return bar_chart(rows, "change", "dev", ("", "dev loss"))


TUNING = Procedure(_rows, _chart, _answer)
