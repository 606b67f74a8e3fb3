"""The multilayer perceptron of Bengio et al. 2003 as the lectures build it (makemore parts 2 and 3).

emb = C[X]                             (rows, block_size, embedding)
h = tanh(emb @ W1 + b1)                (rows, hidden), then as many more such layers as asked for
logits = h @ W2 + b2                   (rows, vocab_size)

With direct connections (the paper's W) the logits also have a linear part, emb @ W.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.base import BOUNDARY, Examples, LanguageModel
from models.initialization import Initialization, log_unigrams, output_scale

Activation = Literal["tanh", "relu", "gelu", "sigmoid"]
Padding = Literal["boundary", "blank"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": F.relu,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
}
_GAINS = {"tanh": 5 / 3, "relu": 2**0.5, "gelu": 2**0.5, "sigmoid": 1.0}  # keep a layer's spread at the next one's


@dataclass(frozen=True)
class MLPConfig:
    """Sizes of the lecture's last model by default: 11,897 parameters with 27 characters.

    layers: hidden ones; init: see ``MLP``; batch_norm: of every hidden layer, before its activation
    direct: Bengio's W, from the embeddings straight to the logits
    padding: what stands before a word: the boundary, or an id of its own that is embedded too (makemore.py)
    """

    vocab_size: int
    block_size: int = 3
    embedding: int = 10
    hidden: int = 200
    layers: int = 1
    activation: Activation = "tanh"
    init: Initialization = "lecture"
    batch_norm: bool = False
    dropout: float = 0.0
    direct: bool = False
    padding: Padding = "boundary"


class MLP(LanguageModel):
    """Embedding table, tanh layers, softmax.

    Parameters of one hidden layer: V·d + block_size·d·h + h + h·V + V, with d = embedding and h = hidden.

    Initialisations, by name, are those of exercise E02 of part 2; all draw the same random numbers first:

    - lecture: randn for all;
    - output-0.1, output-0.01: W2 times that, and no b2, so that no character is favoured without a reason;
    - small: output-0.01, with W1 * 0.2 and b1 * 0.01, so that tanh is in its steep part;
    - kaiming: output-0.01, with W1 times its gain over the square root of its fan-in, and b1 * 0.01 (He et al. 2015);
    - zero-output: no W2, no b2: exactly ln V;
    - unigram: no W2, and b2 the logarithm of how often each character occurs: below ln V;
    - torch: as nn.Embedding and nn.Linear start (makemore.py).
    """

    def __init__(self, config: MLPConfig, generator: Generator) -> None:
        super().__init__(config.vocab_size, config.block_size)
        self.config = config

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator))

        # The order of the draws is the notebook's: the same generator gives the same numbers.
        inputs = config.block_size * config.embedding
        self.C = normal(config.vocab_size + (config.padding == "blank"), config.embedding)
        fan_in = inputs
        for layer in range(1, config.layers + 1):
            self.register_parameter(f"W{layer}", normal(fan_in, config.hidden))
            if config.batch_norm:  # which takes the mean away, and any bias with it
                self.register_module(f"norm{layer}", nn.BatchNorm1d(config.hidden))
            else:
                self.register_parameter(f"b{layer}", normal(config.hidden))
            fan_in = config.hidden
        self.register_parameter(f"W{config.layers + 1}", normal(fan_in, config.vocab_size))
        self.register_parameter(f"b{config.layers + 1}", normal(config.vocab_size))
        if config.direct:
            self.direct = nn.Parameter(torch.zeros(inputs, config.vocab_size))
        # of each layer and the output's: made once, since a step is short
        self._names = [(f"W{k}", f"b{k}", f"norm{k}") for k in range(1, config.layers + 2)]
        self._activation = ACTIVATIONS[config.activation]
        self._initialize(generator)

    @torch.no_grad()
    def _initialize(self, generator: Generator) -> None:
        init, W_out, b_out = self.config.init, *self._output
        hidden = [self._layer(k) for k in range(self.config.layers)]
        if init == "lecture":
            return
        if init == "torch":
            for W, b in (*hidden, (W_out, b_out)):
                for p in (W, b) if b is not None else (W,):
                    p.uniform_(-1, 1, generator=generator).div_(W.shape[0] ** 0.5)
            return
        W_out.mul_(output_scale(init))
        b_out.zero_()
        if init in ("small", "kaiming"):
            gain = _GAINS[self.config.activation]
            for W, b in hidden:
                W.mul_(0.2 if init == "small" else gain / W.shape[0] ** 0.5)
                if b is not None:
                    b.mul_(0.01)

    def prepare(self, train: Examples, dev: Examples | None) -> None:
        if self.config.init == "unigram":
            with torch.no_grad():
                self._output[1].copy_(log_unigrams(train, self.vocab_size))

    def _layer(self, k: int) -> tuple[nn.Parameter, nn.Parameter | None]:
        """Weight and bias of the k-th hidden layer, counted from 0."""
        weight, bias, _ = self._names[k]
        return getattr(self, weight), None if self.config.batch_norm else getattr(self, bias)

    @property
    def _output(self) -> tuple[nn.Parameter, nn.Parameter]:
        weight, bias, _ = self._names[-1]
        return getattr(self, weight), getattr(self, bias)

    def _embed(self, contexts: Tensor) -> Tensor:
        if self.config.padding == "blank":
            # of the boundaries at the left only the last is the start of the word
            before = (contexts[:, :-1] == BOUNDARY) & (contexts[:, 1:] == BOUNDARY)
            contexts = contexts.masked_fill(F.pad(before, (0, 1)), self.vocab_size)
        return F.embedding(contexts, self.C).flatten(1)  # (rows, block_size * embedding)

    def _hidden(self, emb: Tensor, values: list[Tensor] | None = None) -> Tensor:
        """What goes into the output layer, (rows, hidden); the values of every hidden layer are added to ``values``."""
        h, dropout = emb, self.config.dropout
        for k in range(self.config.layers):
            W, b = self._layer(k)
            h = getattr(self, self._names[k][2])(h @ W) if b is None else torch.addmm(b, h, W)
            h = self._activation(h)
            if values is not None:
                values.append(h)
            if dropout:
                h = F.dropout(h, dropout, self.training)
        return h

    def forward(self, contexts: Tensor) -> Tensor:
        emb = self._embed(contexts)
        W, b = self._output
        logits = torch.addmm(b, self._hidden(emb), W)  # (rows, vocab_size)
        return logits + emb @ self.direct if self.config.direct else logits

    def embedding_table(self) -> Tensor:
        return self.C if self.config.padding == "boundary" else self.C[: self.vocab_size]

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        values: list[Tensor] = []
        self._hidden(self._embed(contexts), values)
        name = self.config.activation
        return {name if len(values) == 1 else f"{name}{k}": h for k, h in enumerate(values, start=1)}
