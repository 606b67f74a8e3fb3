"""Replicas of any model, by torch.func: its own objective, mapped over stacked parameters, with its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.base import LanguageModel
from tui_mm.training.engines.state import Objective, statistics
from tui_mm.training.optimizers import is_decayed
from tui_mm.training.replicas.base import Replica, stacked
from tui_mm.training.replicas.optimizers import Slot, make_stacked
from tui_mm.training.rows import without_padding


class MappedReplicas:
    """The model is a mould: its own parameters are never used."""

    def __init__(self, model: LanguageModel, replicas: Sequence[Replica]) -> None:
        self._names = [name for name, _ in model.named_parameters()]
        self._parameters = [stacked(replicas, name) for name in self._names]
        self._buffers = {name: stacked(replicas, name) for name, _ in statistics(model)}
        slots = []
        for name, parameter in zip(self._names, self._parameters, strict=True):
            gradient = torch.empty_like(parameter)
            decays = is_decayed(model.get_parameter(name))
            slots.append(Slot(parameter, gradient, (parameter, gradient) if decays else None))
        self._slots = slots
        self._optimizer = make_stacked(slots, [replica.config for replica in replicas])
        self._trimmed = model.layout == "sequence"
        objective = Objective(model).train()

        def loss(parameters: tuple[Tensor, ...], buffers: dict[str, Tensor], x: Tensor, y: Tensor) -> Any:
            named = {f"model.{name}": value for name, value in zip(self._names, parameters, strict=True)}
            named |= {f"model.{name}": value for name, value in buffers.items()}
            return functional_call(objective, named, (x, y))

        self._gradients_and_losses = vmap(grad_and_value(loss))

    def run(self, contexts: Tensor, targets: Tensor, lrs: Tensor, first_step: int) -> Tensor:
        losses = self._parameters[0].new_empty(lrs.shape)
        for k, (x, y) in enumerate(zip(contexts.unbind(), targets.unbind(), strict=True)):
            if self._trimmed and x.device.type == "cpu":
                n, rows = x.shape[:2]
                x, y = (part.reshape(n, rows, -1) for part in without_padding(x.flatten(0, 1), y.flatten(0, 1)))
            with sdpa_kernel(SDPBackend.MATH):  # the fused kernel would be called for one replica after another
                gradients, losses[k] = self._gradients_and_losses(tuple(self._parameters), self._buffers, x, y)
            for slot, gradient in zip(self._slots, gradients, strict=True):
                slot.gradient.copy_(gradient)
            self._optimizer.step(lrs[k])
        return losses

    def tensors(self, replica: int) -> dict[str, Tensor]:
        parameters = dict(zip(self._names, self._parameters, strict=True))
        return {name: value[replica].clone() for name, value in (parameters | self._buffers).items()}
