"""Nets that part 1's exercises ask for and that are no models to keep: linear layers on one-hot letters."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import LanguageModel
from models.neural_bigram import NeuralBigram


class AddedLetters(LanguageModel):
    """Two one-hot letters side by side into one linear layer (rows, 2V) @ (2V, V): logits = W1[x1] + W2[x2].

    What the two letters say is added. A pair that means something else than its parts cannot be told, so this is no
    trigram.
    """

    def __init__(self, vocab_size: int) -> None:
        super().__init__(vocab_size, block_size=2)
        self.W1 = nn.Parameter(torch.zeros(vocab_size, vocab_size))
        self.W2 = nn.Parameter(torch.zeros(vocab_size, vocab_size))

    def forward(self, contexts: Tensor) -> Tensor:
        return F.embedding(contexts[:, -2], self.W1) + F.embedding(contexts[:, -1], self.W2)


class LetterPairs(LanguageModel):
    """One-hot pairs of letters into one linear layer (rows, V * V) @ (V * V, V): a row of logits for every pair, so it
    can learn what counting gives."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__(vocab_size, block_size=2)
        self.W = nn.Parameter(torch.zeros(vocab_size * vocab_size, vocab_size))

    def forward(self, contexts: Tensor) -> Tensor:
        return F.embedding(contexts[:, -2] * self.vocab_size + contexts[:, -1], self.W)


class OneHotBigram(NeuralBigram):
    """The neural bigram as the lecture begins: the one-hot vectors are made and multiplied."""

    def forward(self, contexts: Tensor) -> Tensor:
        return self.one_hot_forward(contexts)
