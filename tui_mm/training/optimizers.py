"""Optimizers with a rate a step and a state that can be kept by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from tui_mm.config import RunConfig

ADAM_BETAS = (0.9, 0.99)  # makemore.py's; the second is lower than usual, for short runs
ADAM_EPS = 1e-8
_ADAM_STATE = ("average", "square", "step")


class Optimizer(Protocol):
    def step(self, lr: float) -> None:
        """Update the parameters from their gradients, and clear these."""

    def tensors(self) -> dict[str, Tensor]:
        """The state by name."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` gave."""


class SGD:
    """p -= lr * gradient, with optional momentum and weight decay, as torch.optim.SGD.

    One call for all parameters: torch's own spends more time around a small model's update than in it.
    """

    def __init__(self, parameters: Mapping[str, Tensor], momentum: float, weight_decay: float) -> None:
        self._names = list(parameters)
        self._parameters = list(parameters.values())
        self._momentum = momentum
        self._weight_decay = weight_decay
        self._decayed = [i for i, p in enumerate(self._parameters) if is_decayed(p)]
        self._velocity: list[Tensor] = []

    @property
    def is_plain(self) -> bool:
        """Whether an update is the gradient alone, and there is no state."""
        return not (self._momentum or self._weight_decay)

    @torch.no_grad()
    def step(self, lr: float) -> None:
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if self._weight_decay:
            torch._foreach_add_(
                [gradients[i] for i in self._decayed],
                [self._parameters[i] for i in self._decayed],
                alpha=self._weight_decay,
            )
        if self._momentum:
            if self._velocity:
                torch._foreach_mul_(self._velocity, self._momentum)
                torch._foreach_add_(self._velocity, gradients)
            else:
                self._velocity = [g.clone() for g in gradients]
            gradients = self._velocity
        torch._foreach_add_(self._parameters, gradients, alpha=-lr)
        for p in self._parameters:
            p.grad = None

    def tensors(self) -> dict[str, Tensor]:
        return {f"{n}.velocity": v for n, v in zip(self._names, self._velocity, strict=False)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        like = zip(self._names, self._parameters, strict=True)
        self._velocity = [tensors[f"{n}.velocity"].to(p.device, copy=True) for n, p in like] if tensors else []


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), on weights and embeddings only.

    The update is torch's own fused kernel. torch.optim.AdamW would call the same one, but loads torch's compiler
    first (1.5 s) and spends more time around a small update than in it.
    """

    def __init__(self, parameters: Mapping[str, Tensor], weight_decay: float) -> None:
        self._slots = {
            name: (p, torch.zeros_like(p), torch.zeros_like(p), torch.zeros((), device=p.device))
            for name, p in parameters.items()
        }
        self._groups = [
            ([slot for slot in self._slots.values() if is_decayed(slot[0]) == decayed], decay)
            for decayed, decay in ((True, weight_decay), (False, 0.0))
        ]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        for slots, decay in self._groups:
            used = [slot for slot in slots if slot[0].grad is not None]
            if not used:
                continue
            parameters, averages, squares, steps = (list(column) for column in zip(*used, strict=True))
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                parameters,
                [p.grad for p in parameters],
                averages,
                squares,
                [],
                steps,
                lr=lr,
                beta1=ADAM_BETAS[0],
                beta2=ADAM_BETAS[1],
                weight_decay=decay,
                eps=ADAM_EPS,
                amsgrad=False,
                maximize=False,
            )
            for p in parameters:
                p.grad = None

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, (_, *state) in self._slots.items()
            for key, value in zip(_ADAM_STATE, state, strict=True)
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        for name, (_, *state) in self._slots.items():
            for key, value in zip(_ADAM_STATE, state, strict=True):
                value.copy_(tensors[f"{name}.{key}"])


def is_decayed(parameter: Tensor) -> bool:
    """Weights and embeddings decay, biases do not (Bengio et al. 2003, section 3.1)."""
    return parameter.ndim > 1


def make_optimizer(config: RunConfig, parameters: Mapping[str, Tensor]) -> Optimizer:
    if config.optimizer == "sgd":
        return SGD(parameters, config.momentum, config.weight_decay)
    return AdamW(parameters, config.weight_decay)
