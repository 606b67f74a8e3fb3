"""The bigram as a neural net of one linear layer (lecture part 1).

logits = one_hot(x) @ W      (rows, V)

A product with a one-hot vector takes one row of W, so W[x] is the same and does no multiplication (its exercise E04).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.base import Examples, LanguageModel
from models.initialization import Initialization, log_unigrams, output_scale


@dataclass(frozen=True)
class NeuralBigramConfig:
    """init: that of an output layer: lecture, randn; zero-output, zeros (makemore.py's, which starts at ln V); ...

    regularization: times the mean of W**2 is added to what training minimises; it smooths as added counts do
    """

    vocab_size: int
    init: Initialization = "lecture"
    regularization: float = 0.0


class NeuralBigram(LanguageModel):
    """Parameters: V * V."""

    def __init__(self, config: NeuralBigramConfig, generator: Generator) -> None:
        super().__init__(config.vocab_size, block_size=1)
        self.config = config
        W = torch.randn(config.vocab_size, config.vocab_size, generator=generator)
        if config.init == "torch":
            bound = config.vocab_size**-0.5
            W.uniform_(-bound, bound, generator=generator)
        else:
            W.mul_(output_scale(config.init))
        self.W = nn.Parameter(W)

    def prepare(self, train: Examples, dev: Examples | None) -> None:
        if self.config.init == "unigram":
            with torch.no_grad():
                self.W.copy_(log_unigrams(train, self.vocab_size).expand_as(self.W))

    def forward(self, contexts: Tensor) -> Tensor:
        return F.embedding(contexts[:, -1], self.W)  # (rows, V)

    def one_hot_forward(self, contexts: Tensor) -> Tensor:
        """The same by the product that the lecture begins with; for comparison."""
        return F.one_hot(contexts[:, -1], self.vocab_size).to(self.W.dtype) @ self.W

    def objective(self, contexts: Tensor, targets: Tensor) -> Tensor:
        loss = self.loss(contexts, targets)
        if self.config.regularization:
            loss = loss + self.config.regularization * self.W.square().mean()
        return loss
