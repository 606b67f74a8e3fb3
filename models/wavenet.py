"""The hierarchical net of lecture part 5, after WaveNet (van den Oord et al. 2016).

An MLP squashes all letters into one layer at once. Here neighbours are fused two by two, then pairs of these, and so
on: 8 letters take three levels.

x = C[X]                                      (rows, 8, embedding)
x = tanh(norm(pairs of x @ W1))               (rows, 4, hidden)
x = tanh(norm(pairs of x @ W2))               (rows, 2, hidden)
x = tanh(norm(pairs of x @ W3))               (rows, 1, hidden)
logits = x @ W4 + b4                          (rows, V)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.base import BOUNDARY, LanguageModel
from models.sequence import Linear, embedding

_GAIN = 5 / 3  # of tanh
_OUTPUT = 0.1  # part 5 makes the last layer less confident


@dataclass(frozen=True)
class WaveNetConfig:
    """Part 5's sizes by default: 76,579 parameters with 27 characters."""

    vocab_size: int
    block_size: int = 8
    embedding: int = 24
    hidden: int = 128
    dropout: float = 0.0


def levels_of(block_size: int) -> int:
    """How many times pairs are fused until one is left; at least once."""
    return max(1, (block_size - 1).bit_length())


class WaveNet(LanguageModel):
    """A block size that is no power of two is filled up with boundaries at the left."""

    def __init__(self, config: WaveNetConfig, generator: Generator) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config
        self.C = embedding(config.vocab_size, config.embedding, generator)
        sizes = [config.embedding] + [config.hidden] * levels_of(config.block_size)
        levels = [Linear(2 * before, after, generator, bias=False) for before, after in pairwise(sizes)]
        self.levels = nn.ModuleList(levels)
        self.norms = nn.ModuleList(nn.BatchNorm1d(config.hidden) for _ in self.levels)
        self.head = Linear(config.hidden, config.vocab_size, generator)
        with torch.no_grad():
            for level in levels:
                level.weight.mul_(_GAIN)
            self.head.weight.mul_(_OUTPUT)

    def _run(self, contexts: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        missing = 2 ** len(self.levels) - self.block_size
        x = F.embedding(F.pad(contexts, (missing, 0), value=BOUNDARY) if missing else contexts, self.C)
        values = {}
        for k, (level, norm) in enumerate(zip(self.levels, self.norms, strict=True), start=1):
            rows, length, size = x.shape
            fused = level(x.reshape(rows * length // 2, 2 * size))
            x = torch.tanh(norm(fused)).view(rows, length // 2, -1)
            values[f"tanh{k}"] = x
            if self.config.dropout:
                x = F.dropout(x, self.config.dropout, self.training)
        return x[:, 0], values

    def forward(self, contexts: Tensor) -> Tensor:
        x, _ = self._run(contexts)
        return torch.as_tensor(self.head(x))  # (rows, V)

    def embedding_table(self) -> Tensor:
        return self.C

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        return self._run(contexts)[1]
