"""Exercises E01, E02, E03 and E06 of lecture part 1: counts of two and more letters of context."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch

from models.base import BOUNDARY, LanguageModel
from models.ngram import NGram
from tui_mm.config import RunConfig
from tui_mm.experiments.engine import WHOLE, Lab, Procedure, difference
from tui_mm.experiments.nets import AddedLetters, LetterPairs
from tui_mm.experiments.result import Chart, Row, bar_chart, best, line_chart, row_of
from tui_mm.training.trainer import Trainer

SMOOTHINGS = (0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
CONTEXTS = (1, 2, 3, 4, 5)
_REFINEMENTS = 2
_MOST_PARAMETERS = 1 << 24  # of a net: many characters make many pairs
_NET: dict[str, Any] = {
    "block_size": 2,
    "optimizer": "adamw",
    "batch_size": 4096,
    "lr": 0.05,
    "weight_decay": 0.0,
    "schedule": "one-cycle",
}
_ADDED = "net: two letters, added"
_PAIRS = "net: a row for every pair"
_TRAP = "the trap: no first letters"


def _named(letters: int) -> str:
    return {1: "bigram", 2: "trigram"}.get(letters, f"{letters + 1}-gram")


def _counts(lab: Lab, letters: int, smoothing: float, **changes: Any) -> RunConfig:
    return lab.config("trigram", block_size=letters, smoothing=smoothing, **changes)


# -- E01


def _trigram_rows(lab: Lab) -> Iterator[Row]:
    for letters in (1, 2):
        for smoothing, added in ((0.0, ""), (1.0, ", 1 added")):
            label = f"{_named(letters)} counts{added}"
            whole = lab.trained(_counts(lab, letters, smoothing, **WHOLE), label)
            row: Row = {"model": label, "predictions": len(whole.rows["train"]), "all": lab.loss(whole, "train")}
            if smoothing:  # without, dev has pairs that are impossible
                row |= lab.losses(lab.trained(_counts(lab, letters, smoothing), label))
            yield row
    yield _trap_row(lab)
    size = _vocabulary(lab)
    for label, make, parameters, steps in (
        (_ADDED, AddedLetters, 2 * size**2, 1000),
        (_PAIRS, LetterPairs, size**3, 600),
    ):
        if parameters <= _MOST_PARAMETERS:
            yield _net_row(lab, label, make(size), steps)
        else:
            lab.note(f"{label}: left out, it would have {parameters:,} parameters")


def _vocabulary(lab: Lab) -> int:
    return len(lab.splits(lab.config()).vocabulary)


def _net_row(lab: Lab, label: str, model: LanguageModel, steps: int) -> Row:
    config = lab.config(**_NET, steps=steps)
    return {"model": label, **lab.losses(lab.train(lab.trainer_of(model, config), label))}


def _trap_row(lab: Lab) -> Row:
    """Three neighbours of ``.word.`` at a time: the first letter of a word, after two boundaries, is not predicted."""
    trainer = lab.trainer(_counts(lab, 2, 0.0, **WHOLE))
    model = trainer.model
    assert isinstance(model, NGram)
    kept = [
        (contexts[inside], targets[inside], counts[inside])
        for contexts, targets, counts in trainer.rows["train"].distinct()
        for inside in (contexts[:, -1] != BOUNDARY,)
    ]
    for contexts, targets, counts in kept:
        model.observe(contexts, targets, counts)
    total = sum(int(counts.sum()) for _, _, counts in kept)
    loss = -sum(
        float((model.probabilities(contexts).gather(1, targets[:, None])[:, 0].log() * counts).sum())
        for contexts, targets, counts in kept
    )
    return {"model": _TRAP, "predictions": total, "all": loss / total if total else None}


def _trigram_answer(rows: Sequence[Row]) -> str:
    bigram, trigram = (row_of(rows, "model", f"{name} counts, 1 added") for name in ("bigram", "trigram"))
    assert bigram is not None and trigram is not None
    better = trigram["all"] < bigram["all"]
    parts = [
        f"{'Yes' if better else 'No'}: over all words, with 1 added to every count, the trigram's loss is "
        f"{trigram['all']:.4f}, {difference(trigram['all'], bigram['all'])} than the bigram's {bigram['all']:.4f}."
    ]
    if trigram["dev"] is not None and bigram["dev"] is not None:
        parts.append(
            f"On dev words it is {trigram['dev']:.4f}, {difference(trigram['dev'], bigram['dev'])} than "
            f"{bigram['dev']:.4f}."
        )
    trap, plain = row_of(rows, "model", _TRAP), row_of(rows, "model", "trigram counts")
    if trap is not None and plain is not None and trap["all"] is not None:
        left_out = plain["predictions"] - trap["predictions"]
        parts.append(
            f"The {trap['all']:.4f} without two boundaries before a word does not compare: it leaves out the "
            f"{left_out:,} first letters."
        )
    added, pairs = row_of(rows, "model", _ADDED), row_of(rows, "model", _PAIRS)
    if added is not None and added["dev"] is not None and trigram["dev"] is not None:
        parts.append(
            f"A linear layer on two one-hot letters adds what each says and gets to {added['dev']:.4f} on dev, "
            f"{difference(added['dev'], trigram['dev'])} than the counts: it is no trigram."
            if added["dev"] > trigram["dev"]
            else f"A linear layer on two one-hot letters gets to {added['dev']:.4f} on dev."
        )
    if pairs is not None and pairs["dev"] is not None:
        parts.append(f"With a row of weights for every pair of letters the net gets to {pairs['dev']:.4f}.")
    return " ".join(parts)


def _trigram_chart(rows: Sequence[Row]) -> Chart:
    return bar_chart(rows, "model", "dev", ("", "dev loss"))


# -- E02


def _split_rows(lab: Lab) -> Iterator[Row]:
    found: list[tuple[Row, Trainer]] = []
    for letters, smoothing in ((1, 1.0), (1, 0.3), (2, 1.0)):
        label = f"{_named(letters)}, {smoothing:g} added"
        trainer = lab.trained(_counts(lab, letters, smoothing), label)
        row: Row = {"model": label, **lab.losses(trainer)}
        row["gap"] = row["dev"] - row["train"]
        found.append((row, trainer))
        yield row
    bigram = min(found[:2], key=lambda each: float(each[0]["dev"]))
    for row, trainer in (bigram, found[2]):
        yield row | {"test": lab.test(trainer)}


def _split_answer(rows: Sequence[Row]) -> str:
    tested = [row for row in rows if row.get("test") is not None]
    parts = [
        f"The {row['model'].split(',')[0]} has {row['train']:.4f} on what it counted, {row['dev']:.4f} on dev "
        f"({row['gap']:+.4f}) and {row['test']:.4f} on test."
        for row in tested
    ]
    bigram, trigram = tested
    wider = trigram["gap"] > bigram["gap"]
    parts.append(
        f"The trigram is {difference(trigram['test'], bigram['test'])} on words it never saw; "
        f"its gap between train and dev is {'wider' if wider else 'no wider'}"
        + (", as it has more cells to fill from the same words." if wider else ".")
    )
    return " ".join(parts)


# -- E03


def _smoothing_rows(lab: Lab) -> Iterator[Row]:
    rows: list[tuple[Row, Trainer]] = []
    for smoothing in SMOOTHINGS:
        trainer = lab.trained(_counts(lab, 2, smoothing), f"{smoothing:g} added")
        rows.append(({"smoothing": smoothing, **lab.losses(trainer)}, trainer))
        yield rows[-1][0]
    row, trainer = min(rows, key=lambda each: float(each[0]["dev"]))
    yield row | {"test": lab.test(trainer)}


def _smoothing_answer(rows: Sequence[Row]) -> str:
    chosen = best(rows, "dev")
    assert chosen is not None
    train, dev = [row["train"] for row in rows], [row["dev"] for row in rows]
    at = rows.index(chosen)
    rises = all(a < b for a, b in pairwise(train))
    u_shaped = (
        0 < at < len(rows) - 1
        and all(a > b for a, b in pairwise(dev[: at + 1]))
        and all(a < b for a, b in pairwise(dev[at:]))
    )
    return (
        f"Least on dev with {chosen['smoothing']:g} added: train {chosen['train']:.4f}, dev {chosen['dev']:.4f}; "
        f"test, looked at once, {chosen['test']:.4f}. The train loss "
        f"{'only rises' if rises else 'does not only rise'} with what is added, from {train[0]:.4f} to "
        f"{train[-1]:.4f}, so it cannot choose; the dev loss "
        + (
            f"falls from {dev[0]:.4f} and rises again to {dev[-1]:.4f}."
            if u_shaped
            else f"goes from {dev[0]:.4f} over its least to {dev[-1]:.4f}."
        )
    )


def _smoothing_chart(rows: Sequence[Row]) -> Chart:
    return line_chart(
        rows, "smoothing", [("train", "train"), ("dev", "dev")], ("added to every count", "loss"), log_x=True
    )


# -- E06


def _context_rows(lab: Lab) -> Iterator[Row]:
    tested: list[tuple[float, Row, Trainer]] = []
    for letters in CONTEXTS:
        counted = lab.trained(_counts(lab, letters, 1.0), f"{letters} letters")
        model = counted.model
        assert isinstance(model, NGram)
        chosen, loss = _best_smoothing(lab, counted, model)
        row: Row = {
            "letters": letters,
            "contexts": len(model.table.levels[letters].codes),
            "unseen": _unseen(counted),
            "smoothing": chosen,
            "dev": loss,
        }
        yield row
        backing = lab.trained(lab.config("backoff", block_size=letters), f"{letters} letters, backing off")
        row = row | {"backoff": lab.loss(backing, "dev")}
        for trainer, column in ((counted, "dev"), (backing, "backoff")):
            tested.append((float(row[column]), row, trainer))
        yield row
    _, row, trainer = min(tested, key=lambda each: each[0])
    yield row | {"test": lab.test(trainer)}


def _best_smoothing(lab: Lab, counted: Trainer, model: NGram) -> tuple[float, float]:
    """The smoothing with the least dev loss, and that: the best of SMOOTHINGS, then of finer ones beside it."""

    def dev(smoothing: float) -> float:
        model.config = replace(model.config, smoothing=smoothing)
        return lab.loss(counted, "dev") or math.inf

    losses = {smoothing: dev(smoothing) for smoothing in SMOOTHINGS}
    for _ in range(_REFINEMENTS):
        tried = sorted(losses)
        at = tried.index(min(losses, key=losses.__getitem__))
        for low, high in pairwise(tried[max(0, at - 1) : at + 2]):
            between = float(f"{math.sqrt(low * high):.2g}")
            losses.setdefault(between, dev(between))
    chosen = min(losses, key=losses.__getitem__)
    dev(chosen)  # the model keeps it
    return chosen, losses[chosen]


def _unseen(trainer: Trainer) -> float:
    """The share of dev predictions whose whole context never occurred in train."""
    model = trainer.model
    assert isinstance(model, NGram)
    missing = total = 0
    for contexts, _, counts in trainer.rows["dev"].distinct():
        nodes = model.table.nodes(contexts)[-1]
        missing += int(torch.where(nodes < 0, counts, 0).sum())
        total += int(counts.sum())
    return missing / total


def _context_answer(rows: Sequence[Row]) -> str:
    plain, backing = best(rows, "dev"), best(rows, "backoff")
    assert plain is not None and backing is not None
    longest = rows[-1]
    parts = [
        f"With one number added to every count, {plain['letters']} letters are best, {plain['dev']:.4f} on dev, and "
        f"{longest['letters']} give {longest['dev']:.4f}: {100 * longest['unseen']:.1f}% of dev is predicted after a "
        f"context that was never seen, where such counts know nothing."
        if longest is not plain
        else f"With one number added to every count, the dev loss falls up to {plain['letters']} letters: "
        f"{plain['dev']:.4f}."
    ]
    parts.append(
        f"Counts that back off to shorter contexts get to {backing['backoff']:.4f} with {backing['letters']} letters, "
        f"{difference(backing['backoff'], plain['dev'])} than the best of those."
    )
    tested = next(row for row in rows if row.get("test") is not None)
    parts.append(f"The best of all by dev has {tested['test']:.4f} on test.")
    return " ".join(parts)


def _context_chart(rows: Sequence[Row]) -> Chart:
    series = [("dev", "one number added"), ("backoff", "backing off")]
    return line_chart(rows, "letters", series, ("letters of context", "dev loss"))


TRIGRAM = Procedure(_trigram_rows, _trigram_chart, _trigram_answer)
SPLIT = Procedure(_split_rows, lambda rows: bar_chart(rows, "model", "dev", ("", "dev loss")), _split_answer)
SMOOTHING = Procedure(_smoothing_rows, _smoothing_chart, _smoothing_answer)
CONTEXT = Procedure(_context_rows, _context_chart, _context_answer)
