"""The interpolated trigram that Bengio et al. 2003 compare with and mix in (section 4.1).

p(c | h) = w_0(q) / V + w_1(q) p_1(c) + w_2(q) p_2(c | last id) + w_3(q) p_3(c | last two ids)

p_1 to p_3 are plain shares of the counts. The weights depend on q, the bin of how often the context h occurred among T
predictions, q = ceil(-ln((1 + N(h)) / T)), and are fitted to the dev split by a few iterations of EM.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from models.base import CountingModel, Examples

EM_ITERATIONS = 5  # the paper's
_MAX_BINS = 64  # -ln(1 / T) of any list that fits a machine


@dataclass(frozen=True)
class InterpolatedConfig:
    """A trigram by default: two ids of context."""

    vocab_size: int
    block_size: int = 2


class Interpolated(CountingModel):
    """Maximum likelihood estimates of every context length, mixed by weights that depend on the context's frequency.

    An estimate for a context that never occurred is that of the shorter one, so that rows always sum to 1.

    weights: float64 (bins, block_size + 2), of the uniform distribution and then by context length
    """

    needs_dev: ClassVar[bool] = True
    weights: Tensor

    def __init__(self, config: InterpolatedConfig) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config
        parts = config.block_size + 2
        self.register_buffer("weights", torch.full((_MAX_BINS, parts), 1 / parts, dtype=torch.float64))

    def bins(self, contexts: Tensor) -> Tensor:
        """The frequency bin of each context, int64 (rows,): 0 for the most frequent."""
        return self._bins(self.table.nodes(contexts)[-1])

    def _bins(self, nodes: Tensor) -> Tensor:
        frequency = self.table.totals(self.block_size, nodes).double()
        exact = math.log(max(1, self.table.total)) - (1 + frequency).log()
        return exact.ceil().long().clamp(0, _MAX_BINS - 1)

    def adapt(self, dev: Examples) -> None:
        """EM for the weights of every bin: each gets the share of the bin's predictions that it accounts for."""
        parts, bins, counts = [], [], []
        for contexts, targets, count in dev:
            nodes = self.table.nodes(contexts)
            parts.append(self._target_estimates(nodes, targets))
            bins.append(self._bins(nodes[-1]))
            counts.append(count.double())
        estimates, q, weight = torch.cat(parts), torch.cat(bins), torch.cat(counts)  # (pairs, parts), (pairs,)
        self.weights.fill_(1 / self.weights.shape[1])
        for _ in range(EM_ITERATIONS):
            joint = self.weights[q] * estimates
            shares = joint / joint.sum(1, keepdim=True) * weight[:, None]
            sums = torch.zeros_like(self.weights).index_add_(0, q, shares)
            seen = sums.sum(1) > 0
            self.weights[seen] = sums[seen] / sums[seen].sum(1, keepdim=True)

    def _target_estimates(self, nodes: list[Tensor], targets: Tensor) -> Tensor:
        """p_0 to p_n of each target, float64 (pairs, parts)."""
        found = [torch.full_like(targets, 1 / self.vocab_size, dtype=torch.float64)]
        for k, node in enumerate(nodes):
            total = self.table.totals(k, node)
            share = self.table.pair_counts(k, node, targets).double() / total
            found.append(torch.where(total > 0, share, found[-1]))
        return torch.stack(found, 1)

    def probabilities(self, contexts: Tensor) -> Tensor:
        nodes = self.table.nodes(contexts)
        weights = self.weights[self._bins(nodes[-1])]
        estimate = torch.full((len(contexts), self.vocab_size), 1 / self.vocab_size, dtype=torch.float64)
        estimate = estimate.to(contexts.device)
        mixed = weights[:, :1] * estimate
        for k, node in enumerate(nodes):
            counts = self.table.follower_counts(k, node)
            total = counts.sum(1, keepdim=True)
            estimate = torch.where(total > 0, counts / total, estimate)
            mixed = mixed + weights[:, k + 1 : k + 2] * estimate
        return mixed

    def target_probabilities(self, contexts: Tensor, targets: Tensor) -> Tensor:
        nodes = self.table.nodes(contexts)
        return (self.weights[self._bins(nodes[-1])] * self._target_estimates(nodes, targets)).sum(1)
