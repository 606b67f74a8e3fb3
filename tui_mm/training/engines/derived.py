"""Steps of the MLP of one tanh layer with its gradient derived by hand, on buffers that are made once.

A step of a small model is spent around the arithmetic: in Python, in dispatch, in building a graph. Here it is sixteen
calls, each into memory that is there already; the lecture derives the same gradient in makemore part 4.

With p = softmax(logits) and n rows, d = (p - onehot(y)) is n times the gradient of the logits; then

    dh = d @ W2.T       da = dh * (1 - h * h)       demb = da @ W1.T
    W2: h.T @ d / n     b2: sum(d) / n     W1: emb.T @ da / n     b1: sum(da) / n     C: rows of demb / n, added by id
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import torch
from torch import Tensor

from models.base import LanguageModel
from models.mlp import MLP
from tui_mm.training.optimizers import SGD, Optimizer


def is_derived(model: LanguageModel) -> TypeGuard[MLP]:
    """Whether this engine can train the model."""
    return is_one_tanh_layer(model) and model.C.device.type == "cpu"


def is_one_tanh_layer(model: LanguageModel) -> TypeGuard[MLP]:
    """Whether the gradient below is the model's: nothing stands beside the layer."""
    if not isinstance(model, MLP):
        return False
    c = model.config
    plain = c.layers == 1 and c.activation == "tanh" and c.padding == "boundary"
    return plain and not (c.batch_norm or c.dropout or c.direct)


class DerivedEngine:
    """Plain SGD is done in the products themselves, ``W -= rate * A.T @ B``; any other optimizer is given gradients."""

    def __init__(self, model: MLP, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._in_place = isinstance(optimizer, SGD) and optimizer.is_plain
        self._parameters = tuple(map(model.get_parameter, ("C", "W1", "b1", "W2", "b2")))
        self._gradients = () if self._in_place else tuple(torch.empty_like(p) for p in self._parameters)
        self._buffers: _Buffers | None = None

    @torch.no_grad()
    def run(self, contexts: Tensor, targets: Tensor, lrs: Sequence[float], first_step: int) -> Tensor:
        steps, rows, block_size = contexts.shape
        buffers = self._buffers
        if buffers is None or buffers.rows != rows:
            buffers = self._buffers = _Buffers(rows, block_size, *self._parameters)
        ids = contexts.reshape(steps, rows * block_size).unbind()
        nexts = targets.reshape(steps, rows, 1)
        logs = contexts.new_empty((steps, rows, 1), dtype=buffers.h.dtype)  # of the probability of what follows
        for x, y, log, lr in zip(ids, nexts.unbind(), logs.unbind(), lrs, strict=True):
            self._forward(buffers, x, y, log)
            if self._in_place:
                self._descend(buffers, x, -lr / rows)
            else:
                self._give_gradients(buffers, x, 1 / rows)
                self._optimizer.step(lr)
        return logs.view(steps, rows).mean(1).neg_()

    def _forward(self, f: _Buffers, x: Tensor, y: Tensor, log: Tensor) -> None:
        """Leaves d in ``f.d``, dh and demb too, from the weights as they are."""
        C, W1, b1, W2, b2 = self._parameters
        torch.index_select(C, 0, x, out=f.emb)
        torch.addmm(b1, f.rows_of_emb, W1, out=f.h)
        f.h.tanh_()
        torch.addmm(b2, f.h, W2, out=f.d)
        torch.ops.aten._log_softmax.out(f.d, 1, False, out=f.logs)
        torch.gather(f.logs, 1, y, out=log)
        torch.exp(f.logs, out=f.d)
        f.d.scatter_add_(1, y, f.minus_one)
        torch.mm(f.d, W2.t(), out=f.dh)
        torch.ops.aten.tanh_backward.grad_input(f.dh, f.h, grad_input=f.da)
        torch.mm(f.da, W1.t(), out=f.rows_of_demb)

    def _descend(self, f: _Buffers, x: Tensor, scale: float) -> None:
        C, W1, b1, W2, b2 = self._parameters
        C.index_add_(0, x, f.demb, alpha=scale)
        W1.addmm_(f.rows_of_emb.t(), f.da, alpha=scale)
        b1.addmv_(f.da.t(), f.one, alpha=scale)
        W2.addmm_(f.h.t(), f.d, alpha=scale)
        b2.addmv_(f.d.t(), f.one, alpha=scale)

    def _give_gradients(self, f: _Buffers, x: Tensor, scale: float) -> None:
        C, W1, b1, W2, b2 = self._gradients
        f.d.mul_(scale)
        f.da.mul_(scale)
        C.zero_().index_add_(0, x, f.demb, alpha=scale)
        torch.mm(f.rows_of_emb.t(), f.da, out=W1)
        torch.sum(f.da, 0, out=b1)
        torch.mm(f.h.t(), f.d, out=W2)
        torch.sum(f.d, 0, out=b2)
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient


class _Buffers:
    """What a step of so many rows writes into."""

    def __init__(self, rows: int, block_size: int, C: Tensor, W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor) -> None:
        (inputs, hidden), (vocab_size, embedding) = W1.shape, C.shape
        make = C.new_empty
        self.rows = rows
        self.emb, self.demb = make(rows * block_size, embedding), make(rows * block_size, embedding)
        self.rows_of_emb, self.rows_of_demb = self.emb.view(rows, inputs), self.demb.view(rows, inputs)
        self.h, self.dh, self.da = make(rows, hidden), make(rows, hidden), make(rows, hidden)
        self.d, self.logs = make(rows, vocab_size), make(rows, vocab_size)  # d holds the logits before
        self.one = torch.ones(rows, dtype=C.dtype)
        self.minus_one = torch.full((rows, 1), -1.0, dtype=C.dtype)
