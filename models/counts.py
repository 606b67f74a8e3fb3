"""Counts of what follows a context, for contexts of every length up to some n: what n-gram models learn.

A table over 27 characters and 5 letters of context has 387 million cells, nearly all of them zero. So only what occurs
is kept: every distinct (context, next id) once, with its count. To look a context up, it is walked from its last id
backwards through a tree that has a node for every context that occurred:

    node 0: any context -> node of "a" -> node of "ma" -> node of "mma"      (depth = letters of context)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class _Level:
    """The contexts of one length that occurred, its nodes numbered in the order of ``codes``."""

    codes: Tensor  # int64 (nodes,), rising: parent node * V + the id before it
    total: Tensor  # int64 (nodes + 1,), how often the context occurred; last a 0
    first: Tensor  # int64 (nodes + 2,), where the followers of each node begin, and twice where the last one's end
    pairs: Tensor  # int64 (followers,), rising: node * V + target
    target: Tensor  # int64 (followers,), rising within a node
    count: Tensor  # int64 (followers,)


class CountTable(nn.Module):
    """How often each id follows each context of up to ``order`` ids. Exact for any order and any vocabulary.

    contexts: int32 (kinds, order); targets: int64 (kinds,); counts: int64 (kinds,): every distinct pair once
    """

    contexts: Tensor
    targets: Tensor
    counts: Tensor

    def __init__(self, vocab_size: int, order: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.order = order
        self.register_buffer("contexts", torch.empty(0, order, dtype=torch.int32))
        self.register_buffer("targets", torch.empty(0, dtype=torch.int64))
        self.register_buffer("counts", torch.empty(0, dtype=torch.int64))
        self._levels: list[_Level] | None = None

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any, **kwargs: Any) -> None:
        for name, own in self.named_buffers():  # a table has as many rows as it has counted
            kept = state_dict.get(prefix + name)
            if kept is not None and kept.shape[1:] == own.shape[1:]:
                setattr(self, name, own.new_empty(kept.shape))
        self._levels = None
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self._levels = None  # of another device, perhaps
        return super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]

    def add(self, contexts: Tensor, targets: Tensor, counts: Tensor | None = None) -> None:
        """Count pairs: contexts (pairs, at least order), of which the last ids count; targets and counts (pairs,)."""
        counts = torch.ones_like(targets, dtype=torch.int64) if counts is None else counts.long()
        seen = contexts[:, contexts.shape[1] - self.order :].int()
        all_contexts = torch.cat((self.contexts, seen))
        all_targets = torch.cat((self.targets, targets.long()))
        all_counts = torch.cat((self.counts, counts))
        node = torch.zeros_like(all_targets)
        for column in range(self.order - 1, -1, -1):
            _, node = _numbered(node * self.vocab_size + all_contexts[:, column])
        kinds, kind = _numbered(node * self.vocab_size + all_targets)
        where = torch.empty_like(kinds).scatter_(0, kind, torch.arange(len(kind), device=kind.device))
        self.contexts, self.targets = all_contexts[where], all_targets[where]
        self.counts = torch.zeros_like(kinds).index_add_(0, kind, all_counts)
        self._levels = None

    @property
    def total(self) -> int:
        """Predictions counted."""
        return int(self.counts.sum())

    @property
    def levels(self) -> list[_Level]:
        """One for each context length from 0 to ``order``."""
        if self._levels is None:
            self._levels = list(self._build())
        return self._levels

    def _build(self) -> list[_Level]:
        levels = []
        size = self.vocab_size
        node = torch.zeros_like(self.targets)
        codes = node.new_zeros(1)
        for length in range(self.order + 1):
            pairs, at = _numbered(node * size + self.targets)
            count = torch.zeros_like(pairs).index_add_(0, at, self.counts)
            parent = pairs // size
            first = torch.searchsorted(parent, torch.arange(len(codes) + 2, device=parent.device))
            total = codes.new_zeros(len(codes) + 1).index_add_(0, parent, count)
            levels.append(_Level(codes, total, first, pairs, pairs % size, count))
            if length < self.order:
                codes, node = _numbered(node * size + self.contexts[:, -1 - length])
        return levels

    def nodes(self, contexts: Tensor) -> list[Tensor]:
        """The node of each context's last k ids, for k from 0 to ``order``: int64 (rows,) each, -1 where those never
        occurred. contexts: (rows, at least order)."""
        node = torch.zeros(len(contexts), dtype=torch.int64, device=contexts.device)
        found = [node]
        for length, level in enumerate(self.levels[1:], start=1):
            node = _find(level.codes, node * self.vocab_size + contexts[:, -length].long(), node >= 0)
            found.append(node)
        return found

    def totals(self, length: int, nodes: Tensor) -> Tensor:
        """How often each context occurred, int64 (rows,): 0 for node -1."""
        return self.levels[length].total[nodes]  # -1 is the last, 0

    def follower_counts(self, length: int, nodes: Tensor) -> Tensor:
        """How often each id followed each context, float64 (rows, V)."""
        level = self.levels[length]
        at = torch.where(nodes >= 0, nodes, len(level.codes))  # which has no followers
        sizes = level.first[at + 1] - level.first[at]
        row = torch.arange(len(nodes), device=nodes.device).repeat_interleave(sizes)
        within = torch.arange(len(row), device=row.device) - (sizes.cumsum(0) - sizes)[row]
        place = level.first[at][row] + within
        dense = torch.zeros(len(nodes), self.vocab_size, dtype=torch.float64, device=nodes.device)
        dense[row, level.target[place]] = level.count[place].double()
        return dense

    def pair_counts(self, length: int, nodes: Tensor, targets: Tensor) -> Tensor:
        """How often each target followed its context, int64 (rows,)."""
        level = self.levels[length]
        at = _find(level.pairs, nodes * self.vocab_size + targets, nodes >= 0)
        return torch.where(at >= 0, level.count[at.clamp(min=0)], 0) if len(level.count) else torch.zeros_like(at)


def _numbered(codes: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct codes, rising, and where among them each one stands."""
    distinct, at = torch.unique(codes, return_inverse=True)
    return distinct, at


def _find(codes: Tensor, wanted: Tensor, may_be: Tensor) -> Tensor:
    """Where each wanted code stands in the rising ``codes``; -1 where it does not, or where it may not be."""
    if not len(codes):
        return torch.full_like(wanted, -1)
    at = torch.searchsorted(codes, wanted).clamp_(max=len(codes) - 1)
    return torch.where(may_be & (codes[at] == wanted), at, -1)
