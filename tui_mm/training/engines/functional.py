"""A step as a function: weights, what else moves, one minibatch and its rate to the loss and what comes of it.

Nothing is changed in place, so that a compiler can take many such steps in one program. The arithmetic is that of the
other engines, in another order of its sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.training.engines import functional_mlp
from tui_mm.training.engines.derived import is_one_tanh_layer
from tui_mm.training.engines.state import Objective
from tui_mm.training.engines.state import statistics as statistics_of
from tui_mm.training.optimizers import ADAM_BETAS, ADAM_EPS, SGD, AdamW, Optimizer, is_decayed

Tensors = list[Tensor]
Step = Callable[[Tensors, Tensor, Tensor, Tensor], tuple[Tensors, Tensor]]
"""State, contexts (rows, T), targets (rows,) or (rows, T), rate () to the state after it and the loss before it."""

Update = Callable[[Tensors, Tensors, Tensors, Tensor], tuple[Tensors, Tensors]]
"""Parameters, gradients, the optimizer's slots and the rate to parameters and slots."""


@dataclass(frozen=True)
class StepFunction:
    """``step`` may keep its state in another form: it is brought into it and back once for a block of steps."""

    step: Step
    enter: Callable[[Tensors], Tensors] = list
    leave: Callable[[Tensors], Tensors] = list


def make_step(model: LanguageModel, optimizer: Optimizer, config: RunConfig) -> StepFunction:
    """The step of a model and its optimizer, on a state as ``moving_state`` orders it; neither is touched when it is
    taken."""
    update = _update_of(optimizer, config, list(model.parameters()))
    if is_one_tanh_layer(model):
        if update is _descend:
            inputs, vocab_size = len(model.get_parameter("W1")), model.vocab_size
            return StepFunction(
                functional_mlp.descend,
                functional_mlp.enter,
                lambda state: functional_mlp.leave(state, inputs, vocab_size),
            )
        return StepFunction(_step_of(functional_mlp.gradients, update, len(list(model.parameters()))))
    return StepFunction(_derived_by_torch(model, update))


def _step_of(
    gradients: Callable[[Tensors, Tensor, Tensor], tuple[Tensors, Tensor]], update: Update, count: int
) -> Step:
    def step(state: Tensors, contexts: Tensor, targets: Tensor, lr: Tensor) -> tuple[Tensors, Tensor]:
        found, loss = gradients(state[:count], contexts, targets)
        parameters, slots = update(state[:count], found, state[count:], lr)
        return [*parameters, *slots], loss

    return step


def _derived_by_torch(model: LanguageModel, update: Update) -> Step:
    names = [name for name, _ in model.named_parameters()]
    statistics = [name for name, _ in statistics_of(model)]
    count, rest = len(names), len(names) + len(statistics)

    def step(state: Tensors, contexts: Tensor, targets: Tensor, lr: Tensor) -> tuple[Tensors, Tensor]:
        parameters, moved, slots = state[:count], state[count:rest], state[rest:]
        found, moved, loss = _gradients(model, names, statistics, parameters, moved, contexts, targets)
        parameters, slots = update(parameters, found, slots, lr)
        return [*parameters, *moved, *slots], loss

    return step


def _gradients(
    model: LanguageModel,
    names: Sequence[str],
    statistics: Sequence[str],
    parameters: Tensors,
    moved: Tensors,
    contexts: Tensor,
    targets: Tensor,
) -> tuple[Tensors, Tensors, Tensor]:
    """By torch's own derivation: gradients, the statistics after the step, the loss."""
    weights = {f"model.{name}": value for name, value in zip(names, parameters, strict=True)}

    def objective(weights: dict[str, Tensor]) -> tuple[Tensor, Tensors]:
        # batch norm moves its statistics in place: those of this call
        kept = {f"model.{name}": value.clone() for name, value in zip(statistics, moved, strict=True)}
        loss: Tensor = torch.func.functional_call(Objective(model), {**weights, **kept}, (contexts, targets))
        return loss, list(kept.values())

    found, (loss, kept) = torch.func.grad_and_value(objective, has_aux=True)(weights)
    return [found[name] for name in weights], kept, loss


# -- updates


def _update_of(optimizer: Optimizer, config: RunConfig, parameters: Sequence[Tensor]) -> Update:
    decays = [config.weight_decay if is_decayed(p) else 0.0 for p in parameters]
    if isinstance(optimizer, SGD):
        return _descend if optimizer.is_plain else _descend_with(config.momentum, decays)
    assert isinstance(optimizer, AdamW)
    return _adapt_with(decays)


def _descend(parameters: Tensors, gradients: Tensors, slots: Tensors, lr: Tensor) -> tuple[Tensors, Tensors]:
    return [p - lr * g for p, g in zip(parameters, gradients, strict=True)], slots


def _descend_with(momentum: float, decays: Sequence[float]) -> Update:
    def update(parameters: Tensors, gradients: Tensors, slots: Tensors, lr: Tensor) -> tuple[Tensors, Tensors]:
        gradients = [g + decay * p if decay else g for p, g, decay in zip(parameters, gradients, decays, strict=True)]
        if momentum:
            gradients = slots = [momentum * v + g for v, g in zip(slots, gradients, strict=True)]
        return _descend(parameters, gradients, slots, lr)

    return update


def _adapt_with(decays: Sequence[float]) -> Update:
    first, second = ADAM_BETAS

    def update(parameters: Tensors, gradients: Tensors, slots: Tensors, lr: Tensor) -> tuple[Tensors, Tensors]:
        new, kept = [], []
        for p, g, decay, m, v, t in zip(
            parameters, gradients, decays, slots[::3], slots[1::3], slots[2::3], strict=True
        ):
            t = t + 1
            m, v = m + (1 - first) * (g - m), second * v + (1 - second) * g * g
            begun, begun_squares = ((1 - beta ** t.double()).to(p.dtype) for beta in ADAM_BETAS)
            spread = (v / begun_squares).sqrt() + ADAM_EPS
            new.append(p * (1 - lr * decay) - (lr / begun) * m / spread)
            kept += [m, v, t]
        return new, kept

    return update
