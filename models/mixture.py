"""A network mixed with the interpolated trigram (Bengio et al. 2003, sections 3.1 and 4.2).

p(c | h) = w(q) * p_network(c | h) + (1 - w(q)) * p_trigram(c | h)

The two err in different places, and in the paper the mixture always helped. The network is trained alone; the weight is
one half, or one that is fitted to the dev split by EM, or one for each bin q of the context's frequency.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from models.base import Examples, LanguageModel, evaluating
from models.interpolated import EM_ITERATIONS, Interpolated, InterpolatedConfig

_CELLS = 1 << 22  # logits computed at once

Weighting = Literal["fixed", "learned", "by-frequency"]


class Mixture(LanguageModel):
    """``network`` must be a window model; it sees what it always sees, and the trigram the last two ids of that.

    While it is training, its predictions are the network's alone.

    weights: float64 (bins,), of the network, by the trigram's frequency bin
    """

    weights: Tensor

    def __init__(self, network: LanguageModel, weighting: Weighting) -> None:
        super().__init__(network.vocab_size, network.block_size)
        assert network.layout == "window"
        self.network = network
        self.weighting = weighting
        self.trigram = Interpolated(InterpolatedConfig(network.vocab_size, min(2, network.block_size)))
        self.register_buffer("weights", torch.full(self.trigram.weights.shape[:1], 0.5, dtype=torch.float64))

    def prepare(self, train: Examples, dev: Examples | None) -> None:
        self.network.prepare(train, dev)
        for contexts, targets, counts in train:
            self.trigram.observe(contexts, targets, counts)
        if dev is not None:
            self.trigram.adapt(dev)

    def adapt(self, dev: Examples) -> None:
        """EM for the weight of the network, from one half on."""
        if self.weighting == "fixed":
            return
        both, bins, counts = [], [], []
        size = max(1, _CELLS // self.vocab_size)
        with evaluating(self), torch.no_grad():
            for contexts, targets, count in dev:
                for begin in range(0, len(targets), size):
                    at = slice(begin, begin + size)
                    both.append(self._target_parts(contexts[at], torch.arange(len(targets[at])), targets[at]))
                bins.append(self.trigram.bins(contexts))
                counts.append(count.double())
        p, q, weight = torch.cat(both), torch.cat(bins), torch.cat(counts)
        if self.weighting == "learned":
            q = torch.zeros_like(q)
        self.weights.fill_(0.5)
        for _ in range(4 * EM_ITERATIONS):
            w = self.weights[q]
            share = w * p[:, 0] / (w * p[:, 0] + (1 - w) * p[:, 1])
            mass = torch.zeros_like(self.weights).index_add_(0, q, weight)
            won = torch.zeros_like(self.weights).index_add_(0, q, weight * share)
            self.weights.copy_(torch.where(mass > 0, won / mass, self.weights))
        if self.weighting == "learned":
            self.weights.fill_(float(self.weights[0]))

    def _target_parts(self, contexts: Tensor, row: Tensor, targets: Tensor) -> Tensor:
        """The network's and the trigram's probability of each target, float64 (pairs, 2)."""
        network = self.network.target_log_probabilities(contexts, row, targets).double().exp()
        return torch.stack((network, self.trigram.target_probabilities(contexts[row], targets)), 1)

    def target_log_probabilities(self, contexts: Tensor, row: Tensor, targets: Tensor) -> Tensor:
        w = self.weights[self.trigram.bins(contexts)][row]
        parts = self._target_parts(contexts, row, targets)
        return (w * parts[:, 0] + (1 - w) * parts[:, 1]).log()

    def _parts(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """The network's and the trigram's probabilities, float64 (rows, V) each."""
        return self.network(contexts).double().softmax(1), self.trigram.probabilities(contexts)

    def forward(self, contexts: Tensor) -> Tensor:
        if self.training:
            return torch.as_tensor(self.network(contexts))
        network, trigram = self._parts(contexts)
        w = self.weights[self.trigram.bins(contexts)][:, None]
        return (w * network + (1 - w) * trigram).log()

    def embedding_table(self) -> Tensor | None:
        return self.network.embedding_table()

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        return self.network.activations(contexts)
