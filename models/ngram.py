"""n-grams by counting: the bigram of lecture part 1, the trigram of its first exercise, and longer ones.

P(next | the last block_size ids) = (N + smoothing) / (sum of N over what may follow + V * smoothing)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.base import CountingModel


@dataclass(frozen=True)
class NGramConfig:
    """A bigram by default: one id of context."""

    vocab_size: int
    block_size: int = 1
    smoothing: float = 1.0  # added to every count


class NGram(CountingModel):
    """Add-alpha smoothed counts; uniform after a context that nothing was counted for without smoothing."""

    def __init__(self, config: NGramConfig) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config

    def probabilities(self, contexts: Tensor) -> Tensor:
        nodes = self.table.nodes(contexts)[-1]
        smoothed = self.table.follower_counts(self.block_size, nodes) + self.config.smoothing
        rows = smoothed.sum(1, keepdim=True)
        return torch.where(rows > 0, smoothed / rows, 1 / self.vocab_size)

    def target_probabilities(self, contexts: Tensor, targets: Tensor) -> Tensor:
        nodes, smoothing = self.table.nodes(contexts)[-1], self.config.smoothing
        total = self.table.totals(self.block_size, nodes) + self.vocab_size * smoothing
        smoothed = self.table.pair_counts(self.block_size, nodes, targets).double() + smoothing
        return torch.where(total > 0, smoothed / total, 1 / self.vocab_size)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Also of a bigram as it was kept at first: one dense table (V, V)."""
        dense = state_dict.get("counts")
        if dense is not None and self.block_size == 1:
            first, second = dense.nonzero(as_tuple=True)
            state_dict = {
                "table.contexts": first[:, None].int(),
                "table.targets": second,
                "table.counts": dense[first, second],
            }
        return super().load_state_dict(state_dict, *args, **kwargs)
