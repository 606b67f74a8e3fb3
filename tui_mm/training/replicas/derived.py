"""Replicas of the MLP of one tanh layer: the gradient derived by hand, of all of them in batched products.

The arithmetic is that of ``tui_mm.training.engines.derived``, laid out for speed:

- Biases are rows of the weights, behind the inputs: ``x`` has a column of ones, and so has ``h``, by a unit that is
  always on. So their sums and updates are part of the products. Inputs, units and ids are filled up to whole vector
  registers; what is filled up has a gradient of zero and stays as it is.
- The gradient is linear in d = p - onehot(y). Multiplied once by -lr / rows of each replica, it makes every product
  the update itself, for plain SGD.
- tanh(a) = 1 - 2 / (1 + 2**(2 a log2 e)); 2**a is a third of the cost of tanh, and the factor is the product's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from models.mlp import MLP
from tui_mm.training.replicas.base import Replica, stacked
from tui_mm.training.replicas.optimizers import Slot, StackedOptimizer, make_stacked

_REGISTER = 16  # numbers of float32 in two vector registers: products over multiples of it are a third faster
_ALWAYS_ON = 20.0  # tanh of it is 1, in float64 too
_NEVER = -1e30  # the logit of an id that there is not


def working_set(model: MLP, rows: int) -> int:
    """Numbers that a step of one replica goes through."""
    inputs, units, ids = _sizes(model)
    return inputs * units + units * ids + rows * 2 * (inputs + units + ids)


class DerivedReplicas:
    """Replicas whose configurations are all plain SGD, or are all given to a stacked optimizer."""

    def __init__(self, model: MLP, replicas: Sequence[Replica]) -> None:
        (V, D), (wide, H) = model.C.shape, model.get_parameter("W1").shape
        inputs, units, ids = _sizes(model)
        n = len(replicas)
        C = stacked(replicas, "C")
        self._n, self._V, self._D, self._wide, self._H = n, V, D, wide, H
        self._C = C.view(n * V, D)
        self._W1 = C.new_zeros(n, inputs, units)
        self._W1[:, :wide, :H] = stacked(replicas, "W1")
        self._W1[:, wide, :H] = stacked(replicas, "b1")
        self._W1[:, wide, H] = _ALWAYS_ON
        self._W2 = C.new_zeros(n, units, ids)
        self._W2[:, :H, :V] = stacked(replicas, "W2")
        self._W2[:, H, :V] = stacked(replicas, "b2")
        self._W2[:, H, V:] = _NEVER
        self._first_id = V * torch.arange(n, device=C.device)
        self._buffers: _Buffers | None = None
        configs = [replica.config for replica in replicas]
        self._optimizer: StackedOptimizer | None = None
        if not all(is_plain(replica) for replica in replicas):
            self._gC, self._gW1, self._gW2 = map(torch.empty_like, (C, self._W1, self._W2))
            slots = [
                Slot(C, self._gC, (C, self._gC)),
                Slot(self._W1, self._gW1, (self._W1[:, :wide], self._gW1[:, :wide])),
                Slot(self._W2, self._gW2, (self._W2[:, :H], self._gW2[:, :H])),
            ]
            self._optimizer = make_stacked(slots, configs)

    @torch.no_grad()
    def run(self, contexts: Tensor, targets: Tensor, lrs: Tensor, first_step: int) -> Tensor:
        steps, n, rows, _ = contexts.shape
        f = self._buffers
        if f is None or f.rows != rows:
            f = self._buffers = _Buffers(n, rows, self._wide, self._D, self._W1, self._W2)
        ids = (contexts + self._first_id[:, None, None]).view(steps, -1).unbind()
        nexts = targets.reshape(steps, n * rows, 1)
        logs = self._C.new_empty(steps, n * rows, 1)  # of the probability of what follows
        scales = (-lrs / rows).to(self._C)[:, :, None]
        for k, (x, y, log) in enumerate(zip(ids, nexts.unbind(), logs.unbind(), strict=True)):
            self._forward(f, x, y, log)
            if self._optimizer is None:
                self._descend(f, x, scales[k])
            else:
                self._give_gradients(f, x, 1 / rows)
                self._optimizer.step(lrs[k])
        return logs.view(steps, n, rows).mean(2).neg_()

    def _forward(self, f: _Buffers, x: Tensor, y: Tensor, log: Tensor) -> None:
        """Leaves d in ``f.d`` and h in ``f.h``, from the weights as they are."""
        torch.index_select(self._C, 0, x, out=f.emb)
        f.inputs.copy_(f.emb_rows)
        h = torch.baddbmm(f.h, f.x, self._W1, beta=0, alpha=2 * math.log2(math.e), out=f.h)
        torch.reciprocal(h.exp2_().add_(1), out=h)
        torch.sub(f.one, h, alpha=2, out=h)
        torch.bmm(h, self._W2, out=f.d)
        torch.ops.aten._log_softmax.out(f.d, 2, False, out=f.logs)
        torch.gather(f.log_rows, 1, y, out=log)
        torch.exp(f.logs, out=f.d)
        f.d_rows.scatter_add_(1, y, f.minus_one)

    def _backward(self, f: _Buffers) -> None:
        """From d, times whatever it was multiplied by, to da and demb."""
        torch.bmm(f.d, self._W2.transpose(1, 2), out=f.da)
        torch.ops.aten.tanh_backward.grad_input(f.da, f.h, grad_input=f.da)
        torch.bmm(f.da, self._W1.transpose(1, 2), out=f.dx)
        f.demb_rows.copy_(f.dinputs)

    def _descend(self, f: _Buffers, x: Tensor, scale: Tensor) -> None:
        f.d_replicas.mul_(scale)
        self._backward(f)
        self._C.index_add_(0, x, f.demb)
        self._W1.baddbmm_(f.x.transpose(1, 2), f.da)
        self._W2.baddbmm_(f.h.transpose(1, 2), f.d)

    def _give_gradients(self, f: _Buffers, x: Tensor, scale: float) -> None:
        f.d.mul_(scale)
        self._backward(f)
        self._gC.zero_().view(self._C.shape).index_add_(0, x, f.demb)
        torch.bmm(f.x.transpose(1, 2), f.da, out=self._gW1)
        torch.bmm(f.h.transpose(1, 2), f.d, out=self._gW2)

    def tensors(self, replica: int) -> dict[str, Tensor]:
        V, wide, H = self._V, self._wide, self._H
        W1, W2 = self._W1[replica], self._W2[replica]
        parts = {
            "C": self._C.view(self._n, V, self._D)[replica],
            "W1": W1[:wide, :H],
            "b1": W1[wide, :H],
            "W2": W2[:H, :V],
            "b2": W2[H, :V],
        }
        return {name: part.clone() for name, part in parts.items()}


def is_plain(replica: Replica) -> bool:
    """Whether an update is the gradient times the rate, and there is no state."""
    c = replica.config
    return c.optimizer == "sgd" and not (c.momentum or c.weight_decay)


def _sizes(model: MLP) -> tuple[int, int, int]:
    """Inputs and units with the one that stands for a bias, and ids; each filled up."""
    inputs, units = model.get_parameter("W1").shape
    sizes = (inputs + 1, units + 1, model.vocab_size)
    a, b, c = (-(-size // _REGISTER) * _REGISTER for size in sizes)
    return a, b, c


class _Buffers:
    """What a step of so many rows a replica writes into. Names without a suffix are batched by replica."""

    def __init__(self, n: int, rows: int, inputs: int, embedding: int, W1: Tensor, W2: Tensor) -> None:
        make = W1.new_zeros
        self.rows = rows
        self.emb, self.demb = (
            make(n * rows * inputs // embedding, embedding),
            make(n * rows * inputs // embedding, embedding),
        )
        self.emb_rows, self.demb_rows = self.emb.view(n, rows, inputs), self.demb.view(n, rows, inputs)
        self.x, self.dx = make(n, rows, W1.shape[1]), make(n, rows, W1.shape[1])
        self.inputs, self.dinputs = self.x[:, :, :inputs], self.dx[:, :, :inputs]
        self.x[:, :, inputs] = 1
        self.h, self.da = make(n, rows, W1.shape[2]), make(n, rows, W1.shape[2])
        self.d, self.logs = make(n, rows, W2.shape[2]), make(n, rows, W2.shape[2])  # d holds the logits before
        self.d_rows, self.log_rows = self.d.view(n * rows, -1), self.logs.view(n * rows, -1)
        self.d_replicas = self.d.view(n, -1)
        self.one = torch.ones((), dtype=W1.dtype, device=W1.device)
        self.minus_one = torch.full((n * rows, 1), -1.0, dtype=W1.dtype, device=W1.device)
