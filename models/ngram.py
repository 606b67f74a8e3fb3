"""Models by counting: the bigram of lecture part 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.base import CountingModel

MAX_CELLS = 1 << 26
"""The largest table of counts, 512 MiB: a vocabulary of 8,192."""


@dataclass(frozen=True)
class BigramConfig:
    vocab_size: int
    smoothing: float = 1.0  # added to every count


class Bigram(CountingModel):
    """P(next | one id) = (N + smoothing) / sum of the row; uniform where nothing was counted.

    Raises ValueError for a vocabulary whose table would pass MAX_CELLS.
    """

    counts: Tensor  # int64 (vocab_size, vocab_size)

    def __init__(self, config: BigramConfig) -> None:
        super().__init__(config.vocab_size, block_size=1)
        if config.vocab_size**2 > MAX_CELLS:
            raise ValueError(
                f"a bigram table over {config.vocab_size:,} characters has more than {MAX_CELLS:,} cells; "
                "use --model mlp for such a list"
            )
        self.config = config
        self.register_buffer("counts", torch.zeros(config.vocab_size, config.vocab_size, dtype=torch.int64))
        self._logits: Tensor | None = None

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._logits = None

    def observe(self, contexts: Tensor, targets: Tensor) -> None:
        cells = contexts[:, -1].long() * self.vocab_size + targets
        self.counts += torch.bincount(cells, minlength=self.vocab_size**2).view_as(self.counts)
        self._logits = None

    def probabilities(self) -> Tensor:
        """float64 (vocab_size, vocab_size), rows sum to 1."""
        smoothed = self.counts.double() + self.config.smoothing
        rows = smoothed.sum(1, keepdim=True)
        return torch.where(rows > 0, smoothed / rows, 1 / self.vocab_size)

    def forward(self, contexts: Tensor) -> Tensor:
        if self._logits is None or self._logits.device != self.counts.device:
            self._logits = self.probabilities().log()
        return self._logits[contexts[:, -1]]

    def parameter_count(self) -> int:
        return self.vocab_size**2
