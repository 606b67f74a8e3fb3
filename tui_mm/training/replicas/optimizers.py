"""Updates of stacked parameters, (n, ...) each, with rates, momenta and decays of their own: (n,)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tui_mm.config import RunConfig
from tui_mm.training.optimizers import ADAM_BETAS, ADAM_EPS


@dataclass(frozen=True, eq=False)
class Slot:
    """A stacked parameter and the memory of its gradient; ``decayed``: the parts of both that weight decay acts on."""

    parameter: Tensor
    gradient: Tensor
    decayed: tuple[Tensor, Tensor] | None


class StackedOptimizer(Protocol):
    def step(self, lrs: Tensor) -> None:
        """Update from the gradients, which may be overwritten; lrs float64 (n,), on the CPU."""


class StackedSGD:
    """p -= lr * gradient, with momentum and weight decay, as ``tui_mm.training.optimizers.SGD``."""

    def __init__(self, slots: Sequence[Slot], configs: Sequence[RunConfig]) -> None:
        self._slots = slots
        self._momenta = [_column([c.momentum for c in configs], slot.parameter) for slot in slots]
        self._decays = [_column([c.weight_decay for c in configs], slot.parameter) for slot in slots]
        self._has_momentum = any(c.momentum for c in configs)
        self._has_decay = any(c.weight_decay for c in configs)
        self._velocity = [torch.zeros_like(slot.parameter) for slot in slots] if self._has_momentum else []

    @torch.no_grad()
    def step(self, lrs: Tensor) -> None:
        for k, slot in enumerate(self._slots):
            if self._has_decay and slot.decayed:
                parameter, gradient = slot.decayed
                gradient.addcmul_(parameter, self._decays[k])
            change = slot.gradient
            if self._has_momentum:
                change = self._velocity[k].mul_(self._momenta[k]).add_(slot.gradient)
            slot.parameter.addcmul_(change, _like(lrs, slot.parameter), value=-1)


class StackedAdamW:
    """Adam with decoupled weight decay, as ``tui_mm.training.optimizers.AdamW``; the kernel there has one rate for
    all."""

    def __init__(self, slots: Sequence[Slot], configs: Sequence[RunConfig]) -> None:
        self._slots = slots
        self._decays = torch.tensor([c.weight_decay for c in configs], dtype=torch.float64)
        self._averages = [torch.zeros_like(slot.parameter) for slot in slots]
        self._squares = [torch.zeros_like(slot.parameter) for slot in slots]
        self._steps = 0

    @torch.no_grad()
    def step(self, lrs: Tensor) -> None:
        self._steps += 1
        beta1, beta2 = ADAM_BETAS
        correction1, correction2 = (1 - beta**self._steps for beta in ADAM_BETAS)
        for slot, average, square in zip(self._slots, self._averages, self._squares, strict=True):
            parameter, gradient = slot.parameter, slot.gradient
            if slot.decayed:
                slot.decayed[0].mul_(_like(1 - lrs * self._decays, parameter))
            average.lerp_(gradient, 1 - beta1)
            square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            spread = torch.sqrt(square, out=gradient).div_(correction2**0.5).add_(ADAM_EPS)
            torch.div(average, spread, out=spread)
            parameter.addcmul_(spread, _like(lrs, parameter), value=-1 / correction1)


def make_stacked(slots: Sequence[Slot], configs: Sequence[RunConfig]) -> StackedOptimizer:
    """For configurations that name the same optimizer."""
    return (StackedSGD if configs[0].optimizer == "sgd" else StackedAdamW)(slots, configs)


def _like(values: Tensor, parameter: Tensor) -> Tensor:
    """(n,) as something that multiplies a stacked parameter: (n, 1, ...), of its dtype and device."""
    return values.to(parameter).view(-1, *[1] * (parameter.ndim - 1))


def _column(values: Sequence[float], parameter: Tensor) -> Tensor:
    return _like(torch.tensor(values, dtype=torch.float64), parameter)
