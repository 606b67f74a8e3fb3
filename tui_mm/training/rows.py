"""Rows of a split as tensors: what a model of one layout is trained and evaluated on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from data.splits import Split, Splits
from data.windows import context_windows, distinct_windows, padded_sequences
from models.base import IGNORED, LanguageModel, evaluating

_CHUNK_TOKENS = 1 << 14  # of context, evaluated at once: small enough to stay in the cache
_CHUNK_LOGITS = 1 << 22  # computed at once, where there are thousands of words: 16 MiB


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a split, made when first asked for: dev and test are evaluated without ever being laid out."""

    split: Split
    model: LanguageModel  # whose layout, block size and vocabulary the rows fit; not what is in it
    device: torch.device

    @cached_property
    def _laid_out(self) -> tuple[Tensor, Tensor]:
        """contexts (rows, block_size) in the narrow dtype of the tokens; targets (rows,) or (rows, block_size)."""
        make = context_windows if self.model.layout == "window" else padded_sequences
        contexts, targets = make(self.split.tokens, self.model.block_size)
        return torch.from_numpy(contexts).to(self.device), torch.from_numpy(targets).to(self.device)

    def lay_out(self) -> None:
        """Make the rows now rather than in the first step."""
        self._laid_out  # noqa: B018

    def __len__(self) -> int:
        return self.split.examples if self.model.layout == "window" else len(self._laid_out[0])

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of an index of any shape, as int64."""
        contexts, targets = self._laid_out
        return contexts[index].long(), targets[index].long()

    @property
    def longest(self) -> int:
        """Ids that a row has at most; of a sequence, those that are no padding."""
        if self.model.layout == "window":
            return self.model.block_size
        return int((self._laid_out[1] != IGNORED).sum(1).max())

    @property
    def evaluated_at_once(self) -> int:
        """Predictions of a chunk, at most."""
        return self._chunk_rows if self.model.layout == "window" else self._chunk_tokens

    def distinct(self) -> DistinctExamples:
        """Every prediction of a window model, equal ones taken together."""
        return DistinctExamples(self)

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows, as int64, some at a time: windows in order; sequences from short to long, without padding that all
        of a chunk have."""
        contexts, targets = self._laid_out
        if self.model.layout == "window":
            size = self._chunk_rows
            for begin in range(0, len(contexts), size):
                yield contexts[begin : begin + size].long(), targets[begin : begin + size].long()
            return
        most = self._chunk_tokens
        lengths = (targets != IGNORED).sum(1)
        order = lengths.argsort(stable=True)
        begin = 0
        while begin < len(order):
            size = max(1, most // int(lengths[order[begin]]))
            yield without_padding(*self.take(order[begin : begin + size]))
            begin += size

    @property
    def _chunk_rows(self) -> int:
        return max(1, min(_CHUNK_TOKENS // max(1, self.model.block_size), _CHUNK_LOGITS // self.model.vocab_size))

    @property
    def _chunk_tokens(self) -> int:
        return min(_CHUNK_TOKENS, _CHUNK_LOGITS // self.model.vocab_size)

    @cached_property
    def _distinct(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Distinct contexts with, for each following id, (row among them, id, how often): a part of the split each."""

        def placed(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        found = distinct_windows(self.split.tokens, self.model.vocab_size, self.model.block_size)
        return [(placed(w.contexts), placed(w.row), placed(w.target), placed(w.count)) for w in found]

    @cached_property
    def _distinct_chunks(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """The same in chunks to be evaluated at once."""
        chunks = []
        size = self._chunk_rows
        for contexts, row, target, count in self._distinct:
            edges = torch.arange(0, len(contexts) + size, size, device=self.device)
            cuts = torch.searchsorted(row, edges).tolist()
            for k, (begin, end) in enumerate(itertools.pairwise(cuts)):
                at = slice(begin, end)
                chunks.append((contexts[k * size : (k + 1) * size], row[at] - k * size, target[at], count[at]))
        return chunks

    def chunk_losses(self, model: LanguageModel) -> Iterator[tuple[float, int]]:
        """Chunk by chunk: the sum of the losses of its predictions, and how many there are."""
        if model.layout == "window":
            for contexts, row, target, count in self._distinct_chunks:
                losses = -model.target_log_probabilities(contexts.long(), row, target)
                # Sums in float64 on the CPU: MPS has none, and a count of 0 times an infinite loss cannot occur.
                yield float((losses.cpu().double() * count.cpu()).sum()), int(count.sum())
        else:
            for contexts, targets in self.chunks():
                yield float(model.loss(contexts, targets, reduction="sum")), int((targets != IGNORED).sum())


def without_padding(contexts: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Sequences (rows, T) up to the last position that one of them predicts at: what stands behind it costs time and
    changes nothing, since no prediction looks ahead."""
    used = (targets != IGNORED).any(0)
    length = int(used.nonzero()[-1]) + 1 if used.any() else 1
    return contexts[:, :length], targets[:, :length]


class DistinctExamples:
    """``models.base.Examples``: can be gone through again, and lays nothing out before."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for contexts, row, target, count in self._rows._distinct:
            yield contexts.long()[row], target, count


def all_rows(splits: Splits, model: LanguageModel, device: torch.device) -> dict[str, Rows]:
    """Rows of every split that has words, by its name."""
    return {name: Rows(split, model, device) for name, split in splits if split.examples}


def partial_losses(model: LanguageModel, rows: Rows) -> Iterator[tuple[int, float]]:
    """Chunk by chunk: predictions done so far, and the mean loss over them, in nats; the last pair is the whole.

    Every prediction weighs the same, whatever the chunk it falls in.
    """
    total, done = 0.0, 0
    chunks = rows.chunk_losses(model)
    while True:
        with evaluating(model), torch.no_grad():  # not across the yield: whoever listens may want to train
            chunk = next(chunks, None)
        if chunk is None:
            return
        total += chunk[0]
        done += chunk[1]
        yield done, total / done


def mean_loss(model: LanguageModel, rows: Rows) -> float:
    """Mean cross entropy over all predictions of a split, in nats."""
    return list(partial_losses(model, rows))[-1][1]
