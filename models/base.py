"""The contract every model keeps, so that one trainer, one evaluation and one sampler serve them all.

A model takes integer contexts and returns logits; its loss is cross entropy in nats. Three kinds differ only in what
a row of their data is and in how they learn:

- window models see ``block_size`` ids and make one prediction a row (the MLP of Bengio et al. 2003);
- sequence models predict at every position of a row (RNN, Transformer: makemore.py);
- counting models learn by counting, in one pass, without gradients (n-grams).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.counts import CountTable

BOUNDARY = 0  # the id before and after every word
IGNORED = -1  # the target of a position that is no prediction

Layout = Literal["window", "sequence"]

Examples = Iterable[tuple[Tensor, Tensor, Tensor]]
"""Predictions to be made, with equal ones taken together, some at a time: int64 contexts (pairs, block_size), what
follows each (pairs,), and how often it does (pairs,)."""


class LanguageModel(nn.Module, ABC):
    """Next-character prediction.

    vocab_size: number of ids V, the boundary (0) among them
    block_size: how many ids of context a prediction sees, at most
    layout: "window", contexts (rows, block_size) with logits (rows, V) and targets (rows,); or
        "sequence", contexts (rows, T) with logits (rows, T, V) and targets (rows, T), T up to block_size
    """

    layout: ClassVar[Layout] = "window"

    def __init__(self, vocab_size: int, block_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.block_size = block_size

    @abstractmethod
    def forward(self, contexts: Tensor) -> Tensor:
        """Logits of the next id: int64 (rows, T) to (rows, V) or (rows, T, V), by ``layout``."""

    def loss(self, contexts: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        """Cross entropy in nats over all predictions; targets that are IGNORED do not count."""
        logits = self(contexts).flatten(0, -2)
        targets = targets.flatten()
        if self.layout == "window":  # no padding in windows: sparing the ignore_index mask is faster
            return F.cross_entropy(logits, targets, reduction=reduction)
        return F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction=reduction)

    def target_log_probabilities(self, contexts: Tensor, row: Tensor, targets: Tensor) -> Tensor:
        """ln P(target | context) of a window model, where contexts (rows, T) are followed by several targets each:
        ``row`` and ``targets`` (pairs,) to (pairs,). A model that need not look at all V ids does not."""
        return F.log_softmax(self(contexts), 1)[row, targets]

    def objective(self, contexts: Tensor, targets: Tensor) -> Tensor:
        """What training minimises: the mean loss, unless a model adds to it."""
        return self.loss(contexts, targets)

    def prepare(self, train: Examples, dev: Examples | None) -> None:
        """Take from the words what the model starts with, before its first step. Most take nothing."""

    def adapt(self, dev: Examples) -> None:
        """Choose by the dev split what no gradient reaches, at every evaluation. Most choose nothing."""

    def next_logits(self, histories: Tensor) -> Tensor:
        """Logits of what follows each history: int64 (rows, L), any L from 0 on, to (rows, V).

        A history is what a word has so far; what came before it is the boundary.
        """
        length = histories.shape[1]
        if self.layout == "window":
            kept = histories[:, max(0, length - self.block_size) :]
            return torch.as_tensor(self(F.pad(kept, (self.block_size - kept.shape[1], 0), value=BOUNDARY)))
        started = F.pad(histories, (1, 0), value=BOUNDARY)[:, -self.block_size :]
        return torch.as_tensor(self(started)[:, -1])

    def embedding_table(self) -> Tensor | None:
        """The vector of every id, (V, d); None for a model that embeds nothing."""
        return None

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        """Hidden layers on the way to the logits, by name, for looking at; contexts as ``forward`` takes them."""
        return {}

    def parameter_count(self) -> int:
        """Numbers that are learnt."""
        return sum(p.numel() for p in self.parameters())


class CountingModel(LanguageModel):
    """A window model whose training is one pass of counting contexts of up to ``block_size`` ids."""

    needs_dev: ClassVar[bool] = False
    """Whether its weights are chosen by the dev split, so that it cannot do without one."""

    def __init__(self, vocab_size: int, block_size: int) -> None:
        super().__init__(vocab_size, block_size)
        self.table = CountTable(vocab_size, block_size)

    def observe(self, contexts: Tensor, targets: Tensor, counts: Tensor | None = None) -> None:
        """Add predictions to the counts: contexts (pairs, block_size), targets (pairs,), how often (pairs,), each
        once where that is not given."""
        self.table.add(contexts, targets, counts)

    @abstractmethod
    def probabilities(self, contexts: Tensor) -> Tensor:
        """P(next id | context): int64 (rows, block_size) to float64 (rows, V), rows sum to 1."""

    @abstractmethod
    def target_probabilities(self, contexts: Tensor, targets: Tensor) -> Tensor:
        """Of what follows each context alone, float64 (rows,): looked up, whatever V is."""

    def forward(self, contexts: Tensor) -> Tensor:
        return self.probabilities(contexts).log()

    def target_log_probabilities(self, contexts: Tensor, row: Tensor, targets: Tensor) -> Tensor:
        return self.target_probabilities(contexts[row], targets).log()

    def parameter_count(self) -> int:
        """Cells of the whole table of its longest contexts."""
        return int(self.vocab_size ** (self.block_size + 1))

    def stored_count(self) -> int:
        """Those of the cells that are not zero, which alone are kept."""
        return len(self.table.counts)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model as it predicts: without dropout, with the batch statistics it has kept."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
