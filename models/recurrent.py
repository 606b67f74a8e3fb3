"""Recurrent nets: RNN and GRU as makemore.py has them, and an LSTM beside them.

x_t = C[id_t]                                      (rows, embedding)
RNN    h_t = tanh([x_t, h_{t-1}] W)
GRU    r, z = sigmoid of two such maps;  n = tanh([x_t, r * h_{t-1}] W);  h_t = (1 - z) * h_{t-1} + z * n
       (Cho et al. 2014; nn.GRU multiplies by r behind the product, which is another function)
LSTM   i, f, o = sigmoid of three such maps, g = tanh of one;  c_t = f * c_{t-1} + i * g;  h_t = o * tanh(c_t)
       (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000)
logits_t = h_t @ head

The state before the first id is learnt. What depends on x alone is computed for all positions in one product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.base import LanguageModel, Layout
from models.sequence import Linear, embedding

Cell = Literal["rnn", "gru", "lstm"]
_MAPS: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class RecurrentConfig:
    """makemore.py's sizes by default: 11,803 parameters (RNN) and 28,315 (GRU) with 27 characters."""

    vocab_size: int
    cell: Cell = "gru"
    block_size: int = 16
    embedding: int = 64
    hidden: int = 64


class Recurrent(LanguageModel):
    layout: ClassVar[Layout] = "sequence"

    def __init__(self, config: RecurrentConfig, generator: Generator) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config
        maps = _MAPS[config.cell]
        self.C = embedding(config.vocab_size, config.embedding, generator)
        self.start = nn.Parameter(torch.zeros(2 if config.cell == "lstm" else 1, config.hidden))
        # rows: the maps one under another (GRU: r, z, n; LSTM: i, f, o, g); columns: x, then h
        self.cell = Linear(config.embedding + config.hidden, maps * config.hidden, generator)
        self.head = Linear(config.hidden, config.vocab_size, generator)

    def _states(self, contexts: Tensor) -> Tensor:
        """The state after each id: (rows, T, hidden)."""
        config = self.config
        weight = self.cell.weight
        of_x, of_h = weight[:, : config.embedding], weight[:, config.embedding :]
        x = F.linear(F.embedding(contexts, self.C), of_x, self.cell.bias)  # (rows, T, maps * hidden)
        steps = x.unbind(1)
        h = self.start[0].expand(len(contexts), -1)
        if config.cell == "rnn":
            return torch.stack(self._rnn(steps, h, of_h.t()), 1)
        if config.cell == "gru":
            return torch.stack(self._gru(steps, h, of_h.t()), 1)
        return torch.stack(self._lstm(steps, h, self.start[1].expand(len(contexts), -1), of_h.t()), 1)

    def _rnn(self, steps: tuple[Tensor, ...], h: Tensor, W: Tensor) -> list[Tensor]:
        states = []
        for x in steps:
            h = torch.tanh(torch.addmm(x, h, W))
            states.append(h)
        return states

    def _gru(self, steps: tuple[Tensor, ...], h: Tensor, W: Tensor) -> list[Tensor]:
        states, size = [], self.config.hidden
        W_gates, W_new = W[:, : 2 * size], W[:, 2 * size :]
        for x in steps:
            x_gates, x_new = x[:, : 2 * size], x[:, 2 * size :]
            r, z = torch.sigmoid(torch.addmm(x_gates, h, W_gates)).chunk(2, 1)
            new = torch.tanh(torch.addmm(x_new, r * h, W_new))
            h = torch.lerp(h, new, z)
            states.append(h)
        return states

    def _lstm(self, steps: tuple[Tensor, ...], h: Tensor, c: Tensor, W: Tensor) -> list[Tensor]:
        states, size = [], self.config.hidden
        for x in steps:
            maps = torch.addmm(x, h, W)
            i, f, o = torch.sigmoid(maps[:, : 3 * size]).chunk(3, 1)
            c = f * c + i * torch.tanh(maps[:, 3 * size :])
            h = o * torch.tanh(c)
            states.append(h)
        return states

    def forward(self, contexts: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self._states(contexts)))  # (rows, T, V)

    def embedding_table(self) -> Tensor:
        return self.C

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        return {"state": self._states(contexts)}
