"""The multilayer perceptron of Bengio et al. 2003 as the lecture builds it (makemore part 2).

emb = C[X]                   (rows, block_size, embedding)
h = tanh(emb @ W1 + b1)      (rows, hidden)
logits = h @ W2 + b2         (rows, vocab_size)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.base import LanguageModel

Initialization = Literal["lecture", "scaled"]


@dataclass(frozen=True)
class MLPConfig:
    """Sizes of the lecture's last model by default: 11,897 parameters with 27 characters."""

    vocab_size: int
    block_size: int = 3
    embedding: int = 10
    hidden: int = 200
    init: Initialization = "lecture"


class MLP(LanguageModel):
    """Embedding table, one tanh layer, softmax.

    Parameters: V·d + block_size·d·h + h + h·V + V, with d = embedding and h = hidden.
    """

    def __init__(self, config: MLPConfig, generator: Generator) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config
        inputs, hidden = config.block_size * config.embedding, config.hidden

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator))

        # The order of the draws is the notebook's: the same generator gives the same numbers.
        self.C = normal(config.vocab_size, config.embedding)
        self.W1 = normal(inputs, hidden)
        self.b1 = normal(hidden)
        self.W2 = normal(hidden, config.vocab_size)
        self.b2 = normal(config.vocab_size)
        if config.init == "scaled":
            self._scale(inputs)

    @torch.no_grad()
    def _scale(self, inputs: int) -> None:
        """Start near the uniform loss, with tanh in its steep part (exercise E02): Kaiming's gain 5/3 over the
        square root of the fan-in for W1, small b1 and W2, no b2. The lecture's start of 27 is spent on nothing
        but unlearning confident nonsense.
        """
        self.W1.mul_((5 / 3) / inputs**0.5)
        self.b1.mul_(0.01)
        self.W2.mul_(0.01)
        self.b2.zero_()

    def _hidden(self, contexts: Tensor) -> Tensor:
        emb = F.embedding(contexts, self.C).flatten(1)  # (rows, block_size * embedding)
        return torch.tanh(torch.addmm(self.b1, emb, self.W1))  # (rows, hidden)

    def forward(self, contexts: Tensor) -> Tensor:
        return torch.addmm(self.b2, self._hidden(contexts), self.W2)  # (rows, vocab_size)

    def embedding_table(self) -> Tensor:
        return self.C

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        return {"tanh": self._hidden(contexts)}
