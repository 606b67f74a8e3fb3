"""Exercises E04 and E05 of lecture part 1: the neural bigram computed in a better way, with the same result."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.profiler import profile

from models.neural_bigram import NeuralBigram
from tui_mm.experiments.engine import WHOLE, Lab, Procedure
from tui_mm.experiments.nets import OneHotBigram
from tui_mm.experiments.result import Chart, Row, bar_chart, row_of
from tui_mm.training.trainer import Trainer

_MIB = 1 << 20
_STEPS = 30
_REPEATS = 8
_LARGE_LOGIT = 100.0
ONE_HOT, INDEXED = "one_hot(x) @ W", "W[x]"
BY_HAND, CROSS_ENTROPY = "by hand", "F.cross_entropy"
_SAME = 1e-4  # losses in float32 that were summed in another order differ by less


def _bigram(lab: Lab, label: str) -> Trainer:
    """Part 1's net on all words, or on as many as have room as one-hot vectors."""
    size = len(lab.splits(lab.config()).vocabulary)
    most = lab.words_for(size)
    if most and not any(note.startswith("the first") for note in lab.notes):
        lab.note(f"the first {most:,} words: one-hot vectors of all would not fit into memory")
    trainer = lab.trainer(lab.config("neural-bigram", **WHOLE, max_words=most, steps=_STEPS))
    if label == ONE_HOT:
        model = trainer.model
        assert isinstance(model, NeuralBigram)
        one_hot = OneHotBigram(model.config, torch.Generator())
        one_hot.load_state_dict(model.state_dict())  # the same W
        trainer = lab.trainer_of(one_hot, trainer.config)
    return trainer


# -- E04


def _indexing_rows(lab: Lab) -> Iterator[Row]:
    for label in (ONE_HOT, INDEXED):
        trainer = _bigram(lab, label)
        rows = _everything(trainer)
        start = _objective(trainer, rows)
        lab.train(trainer, label)
        size = trainer.model.vocab_size * torch.float32.itemsize if label == ONE_HOT else torch.int64.itemsize
        yield {
            "way": label,
            "start": start,
            "end": _objective(trainer, rows),
            "milliseconds": _milliseconds(lab, partial(trainer.model.objective, *rows)),
            "mebibytes": len(rows[0]) * size / _MIB,
        }


def _objective(trainer: Trainer, rows: tuple[Tensor, Tensor]) -> float | None:
    """What training minimises, over all words: the lecture's loss with its regularisation."""
    with torch.no_grad():
        loss = float(trainer.model.objective(*rows))
    return loss if math.isfinite(loss) else None


def _everything(trainer: Trainer) -> tuple[Tensor, Tensor]:
    rows = trainer.rows["train"]
    return rows.take(torch.arange(len(rows)))


def _indexing_answer(rows: Sequence[Row]) -> str:
    product, index = row_of(rows, "way", ONE_HOT), row_of(rows, "way", INDEXED)
    assert product is not None and index is not None
    times = product["milliseconds"] / index["milliseconds"]
    same = _near(product["start"], index["start"]) and _near(product["end"], index["end"])
    return (
        f"{'The same' if same else 'Not the same'}: the losses at the start and at the end are {index['start']:.6f} "
        f"and {index['end']:.6f} by index, {product['start']:.6f} and {product['end']:.6f} by the product, which only "
        f"picks rows of W out. By index a step takes {index['milliseconds']:.3g} ms instead of "
        f"{product['milliseconds']:.3g}, 1/{times:.1f} of the time, and its input {index['mebibytes']:.1f} MiB instead "
        f"of {product['mebibytes']:.1f}."
    )


def _near(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) < _SAME


# -- E05


def negative_log_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """The loss of lecture part 1, step by step: counts from logits, probabilities from counts, their logarithm."""
    counts = logits.exp()
    probabilities = counts / counts.sum(1, keepdim=True)
    return -probabilities[torch.arange(len(targets)), targets].log().mean()


def _loss_rows(lab: Lab) -> Iterator[Row]:
    trainer = _bigram(lab, INDEXED)
    model = trainer.model
    assert isinstance(model, NeuralBigram)
    model.config = replace(model.config, regularization=0.0)
    contexts, targets = _everything(trainer)
    for label, loss_of in ((BY_HAND, negative_log_likelihood), (CROSS_ENTROPY, F.cross_entropy)):
        lab.tell(label)
        step = partial(_loss, loss_of, model, contexts, targets)
        model.zero_grad()  # so that the gradients' memory is counted with both
        yield {
            "way": label,
            "loss": float(step().detach()),
            "milliseconds": _milliseconds(lab, step),
            "mebibytes": _peak_bytes(step) / _MIB,
            "logit": f"{float(loss_of(_with_large_logit(), torch.tensor([0]))):g}",
        }


def _loss(loss_of: Callable[[Tensor, Tensor], Tensor], model: NeuralBigram, x: Tensor, y: Tensor) -> Tensor:
    return loss_of(model(x), y)


def _with_large_logit() -> Tensor:
    """One prediction, sure of what follows: e**100 is beyond float32."""
    logits = torch.zeros(1, 27)
    logits[0, 0] = _LARGE_LOGIT
    return logits


def _peak_bytes(forward: Callable[[], Tensor]) -> int:
    """The most bytes of tensors that a forward and a backward pass have in memory at once, beside what was there."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else torch's profiler writes of itself to standard error
    with profile(profile_memory=True) as seen:
        forward().backward()  # type: ignore[no-untyped-call]
    events = [event for event in seen.kineto_results.events() if event.name() == "[memory]"]
    at_work = peak = 0
    for event in sorted(events, key=lambda event: int(event.start_ns())):
        at_work += int(event.nbytes())  # below 0 where it is given back
        peak = max(peak, at_work)
    return peak


def _milliseconds(lab: Lab, forward: Callable[[], Tensor]) -> float:
    """The least of some times of forward and backward: what else the machine does only adds."""
    taken = []
    for _ in range(max(3, lab.scaled(_REPEATS))):
        lab.check()
        started = time.perf_counter()
        forward().backward()  # type: ignore[no-untyped-call]
        taken.append(time.perf_counter() - started)
    return 1000 * min(taken)


def _loss_answer(rows: Sequence[Row]) -> str:
    hand, library = row_of(rows, "way", BY_HAND), row_of(rows, "way", CROSS_ENTROPY)
    assert hand is not None and library is not None
    faster, smaller = library["milliseconds"] < hand["milliseconds"], library["mebibytes"] < hand["mebibytes"]
    reasons = []
    if hand["logit"] != library["logit"]:
        reasons.append(
            f"with a logit of {_LARGE_LOGIT:g} it gives {library['logit']} where the exponential overflows and gives "
            f"{hand['logit']}, since it takes the greatest logit away first"
        )
    if faster:
        reasons.append(f"forward and backward take {library['milliseconds']:.3g} ms, not {hand['milliseconds']:.3g}")
    if smaller:
        reasons.append(
            f"{library['mebibytes']:.3g} MiB of tensors are in memory at the most, not {hand['mebibytes']:.3g}"
        )
    same = _near(hand["loss"], library["loss"])
    return (
        f"{'The same but for rounding' if same else 'Not the same'}: {library['loss']:.7f} and {hand['loss']:.7f} by "
        f"hand. Why it is preferred: {'; '.join(reasons) or 'nothing was found here'}."
    )


def _times_chart(rows: Sequence[Row]) -> Chart:
    return bar_chart(rows, "way", "milliseconds", ("", "milliseconds"))


INDEXING = Procedure(_indexing_rows, _times_chart, _indexing_answer)
LOSS = Procedure(_loss_rows, _times_chart, _loss_answer)
