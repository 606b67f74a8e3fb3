"""Counts that back off to shorter contexts, level by level.

p_0(c)     = (N(c) + a_0 / V)           / (N + a_0)
p_k(c | h) = (N(h, c) + a_k * p_{k-1}(c | h without its first id)) / (N(h) + a_k)

A context that was seen rarely is pulled towards what a shorter one says: a_k is how many observations that is worth
(a Dirichlet prior around the shorter context's distribution, MacKay and Peto 1995). Every a_k is chosen by the loss on
the dev split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from models.base import CountingModel, Examples

_GRID = torch.logspace(-3, 4, 141, dtype=torch.float64)  # values of a_k that are tried
_COARSE = 5
_ROUNDS = 30  # over all levels, at most; it takes some ten until none moves
_MOST_PAIRS = 1 << 18  # of the dev split that the strengths are chosen by


@dataclass(frozen=True)
class BackoffConfig:
    vocab_size: int
    block_size: int = 4  # the longest context


class Backoff(CountingModel):
    """Interpolated backoff over all context lengths from 0 to block_size.

    strengths: float64 (block_size + 1,), a_k by context length
    """

    needs_dev: ClassVar[bool] = True
    strengths: Tensor

    def __init__(self, config: BackoffConfig) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config
        self.register_buffer("strengths", torch.ones(config.block_size + 1, dtype=torch.float64))

    def adapt(self, dev: Examples) -> None:
        """Choose the strengths: one level after another, the others held, until none moves."""
        parts, weights = [], []
        for contexts, targets, counts in dev:
            parts.append(self._evidence(contexts, targets))
            weights.append(counts)
        pair, total = (torch.cat(part, 1) for part in zip(*parts, strict=True))  # (levels, pairs) each
        weight = torch.cat(weights).double()
        every = -(-len(weight) // _MOST_PAIRS)
        pair, total, weight = pair[:, ::every], total[:, ::every], weight[::every]
        chosen = torch.ones_like(self.strengths)
        for _ in range(_ROUNDS):
            before = chosen.clone()
            for level in range(len(chosen)):
                chosen[level] = self._best(chosen, level, pair, total, weight)
            if torch.equal(chosen, before):
                break
        self.strengths.copy_(chosen)

    def _evidence(self, contexts: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """By context length: how often the target followed it, and how often it occurred."""
        nodes = self.table.nodes(contexts)
        pair = [self.table.pair_counts(k, node, targets) for k, node in enumerate(nodes)]
        total = [self.table.totals(k, node) for k, node in enumerate(nodes)]
        return torch.stack(pair).double(), torch.stack(total).double()

    def _best(self, strengths: Tensor, level: int, pair: Tensor, total: Tensor, weight: Tensor) -> float:
        """The strength of one level with the least loss; on every fifth of the grid first, then around the best."""
        rest = list(enumerate(strengths.tolist()))
        below = torch.full_like(weight, 1 / self.vocab_size)
        for k, a in rest[:level]:
            below = (pair[k] + a * below) / (total[k] + a)

        def loss(at: int) -> float:
            p = (pair[level] + grid[at] * below) / (total[level] + grid[at])
            for k, a in rest[level + 1 :]:
                p = (pair[k] + a * p) / (total[k] + a)
            return float(-(weight * p.log()).sum())

        grid: list[float] = _GRID.tolist()
        coarse = min(range(0, len(grid), _COARSE), key=loss)
        return grid[min(range(max(0, coarse - _COARSE + 1), min(len(grid), coarse + _COARSE)), key=loss)]

    def probabilities(self, contexts: Tensor) -> Tensor:
        p = torch.full((len(contexts), self.vocab_size), 1 / self.vocab_size, dtype=torch.float64)
        p = p.to(contexts.device)
        for k, nodes in enumerate(self.table.nodes(contexts)):
            counts, strength = self.table.follower_counts(k, nodes), self.strengths[k]
            p = (counts + strength * p) / (counts.sum(1, keepdim=True) + strength)
        return p

    def target_probabilities(self, contexts: Tensor, targets: Tensor) -> Tensor:
        pair, total = self._evidence(contexts, targets)
        return _backed_off(pair, total, self.strengths.tolist(), self.vocab_size)


def _backed_off(pair: Tensor, total: Tensor, strengths: list[float], vocab_size: int) -> Tensor:
    """The probability of each target, float64 (pairs,), from the evidence (levels, pairs)."""
    p = torch.full_like(pair[0], 1 / vocab_size)
    for k, strength in enumerate(strengths):
        p = (pair[k] + strength * p) / (total[k] + strength)
    return p
