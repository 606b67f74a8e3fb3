"""Bag of words (makemore.py): every prediction sees the plain mean of what came before.

x = C[ids] + P[positions]                     (rows, T, embedding)
x = x + mean of x over positions up to each   (the bag: order is in P alone)
x = x + tanh(x @ A + a) @ B + b
logits = x @ head
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from models.base import LanguageModel, Layout
from models.sequence import Linear, embedding


@dataclass(frozen=True)
class BagOfWordsConfig:
    """makemore.py's sizes by default: 12,827 parameters with 27 characters."""

    vocab_size: int
    block_size: int = 16
    embedding: int = 64
    hidden: int = 64


class BagOfWords(LanguageModel):
    layout: ClassVar[Layout] = "sequence"

    def __init__(self, config: BagOfWordsConfig, generator: Generator) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config
        self.C = embedding(config.vocab_size, config.embedding, generator)
        self.P = embedding(config.block_size, config.embedding, generator)
        self.up = Linear(config.embedding, config.hidden, generator)
        self.down = Linear(config.hidden, config.embedding, generator)
        self.head = Linear(config.embedding, config.vocab_size, generator)

    def _states(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        length = contexts.shape[1]
        x = F.embedding(contexts, self.C) + self.P[:length]  # (rows, T, embedding)
        seen = torch.arange(1, length + 1, device=x.device, dtype=x.dtype)[:, None]
        x = x + x.cumsum(1) / seen
        return x, torch.tanh(self.up(x))

    def forward(self, contexts: Tensor) -> Tensor:
        x, h = self._states(contexts)
        return torch.as_tensor(self.head(x + self.down(h)))  # (rows, T, V)

    def embedding_table(self) -> Tensor:
        return self.C

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        return {"tanh": self._states(contexts)[1]}
