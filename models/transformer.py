"""The Transformer of makemore.py: GPT-2's decoder (Vaswani et al. 2017; Radford et al. 2019), small.

x = C[ids] + P[positions]                                   (rows, T, embedding)
layers times:  x = x + attention(norm(x));  x = x + mlp(norm(x))
logits = norm(x) @ head

attention: every position looks at itself and what came before, in ``heads`` parts of the embedding side by side
mlp: embedding -> 4 * embedding, GELU, and back
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.base import LanguageModel, Layout
from models.sequence import Linear, embedding


@dataclass(frozen=True)
class TransformerConfig:
    """makemore.py's sizes by default: 204,544 parameters with 27 characters."""

    vocab_size: int
    block_size: int = 16
    embedding: int = 64
    layers: int = 4
    heads: int = 4  # a divisor of the embedding
    dropout: float = 0.0


class Block(nn.Module):
    """Attention and an MLP, each around a residual connection."""

    def __init__(self, config: TransformerConfig, generator: Generator) -> None:
        super().__init__()
        size = config.embedding
        self.heads = config.heads
        self.dropout = config.dropout
        self.norm1 = nn.LayerNorm(size)
        self.attend = Linear(size, 3 * size, generator)  # queries, keys, values
        self.project = Linear(size, size, generator)
        self.norm2 = nn.LayerNorm(size)
        self.up = Linear(size, 4 * size, generator)
        self.down = Linear(4 * size, size, generator)

    def _attention(self, x: Tensor) -> Tensor:
        rows, length, size = x.shape
        parts = self.attend(x).view(rows, length, 3, self.heads, size // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (rows, heads, T, size / heads) each
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return torch.as_tensor(self.project(y.transpose(1, 2).reshape(rows, length, size)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What goes on, (rows, T, embedding), and the MLP's values, (rows, T, 4 * embedding)."""
        x = x + F.dropout(self._attention(self.norm1(x)), self.dropout, self.training)
        h = F.gelu(self.up(self.norm2(x)), approximate="tanh")
        return x + F.dropout(self.down(h), self.dropout, self.training), h


class Transformer(LanguageModel):
    layout: ClassVar[Layout] = "sequence"

    def __init__(self, config: TransformerConfig, generator: Generator) -> None:
        super().__init__(config.vocab_size, config.block_size)
        if config.embedding % config.heads:
            raise ValueError(f"heads: {config.heads} do not divide an embedding of {config.embedding}")
        self.config = config
        self.C = embedding(config.vocab_size, config.embedding, generator)
        self.P = embedding(config.block_size, config.embedding, generator)
        self.blocks = nn.ModuleList(Block(config, generator) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.embedding)
        self.head = Linear(config.embedding, config.vocab_size, generator, bias=False)

    def _run(self, contexts: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        x = F.embedding(contexts, self.C) + self.P[: contexts.shape[1]]
        values = {}
        for k, block in enumerate(self.blocks, start=1):
            x, values[f"gelu{k}"] = block(x)
        return x, values

    def forward(self, contexts: Tensor) -> Tensor:
        x, _ = self._run(contexts)
        return torch.as_tensor(self.head(self.norm(x)))  # (rows, T, V)

    def embedding_table(self) -> Tensor:
        return self.C

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        return self._run(contexts)[1]
