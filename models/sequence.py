"""What the sequence models of makemore.py share: how their layers start."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn


class Linear(nn.Module):
    """x @ W.T + b, started as nn.Linear is, uniform within 1 / sqrt(inputs), from a generator of our own."""

    bias: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, generator: Generator, *, bias: bool = True) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound, generator=generator)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


def embedding(ids: int, size: int, generator: Generator) -> nn.Parameter:
    """A table (ids, size) of N(0, 1), as nn.Embedding starts."""
    return nn.Parameter(torch.randn(ids, size, generator=generator))
