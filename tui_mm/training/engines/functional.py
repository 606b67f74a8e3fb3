"""A step as a function: weights, what else moves, one minibatch and its rate to the loss and what comes of it.

Nothing is changed in place, so that a compiler can take many such steps in one program. The arithmetic is that of the
other engines, in another order of its sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.training.engines.derived import is_one_tanh_layer
from tui_mm.training.engines.state import statistics as statistics_of
from tui_mm.training.optimizers import ADAM_BETAS, ADAM_EPS, SGD, AdamW, Optimizer, is_decayed

Tensors = list[Tensor]
Step = Callable[[Tensors, Tensor, Tensor, Tensor], tuple[Tensors, Tensor]]
"""State, contexts (rows, T), targets (rows,) or (rows, T), rate () to the state after it and the loss before it."""


def make_step(model: LanguageModel, optimizer: Optimizer, config: RunConfig) -> Step:
    """The step of a model and its optimizer, on a state as ``moving_state`` orders it; neither is touched when it is
    taken."""
    names = [name for name, _ in model.named_parameters()]
    statistics = [name for name, _ in statistics_of(model)]
    count, rest = len(names), len(names) + len(statistics)
    update = _update_of(optimizer, config, list(model.parameters()))
    derived = is_one_tanh_layer(model)

    def step(state: Tensors, contexts: Tensor, targets: Tensor, lr: Tensor) -> tuple[Tensors, Tensor]:
        parameters, moved, slots = state[:count], state[count:rest], state[rest:]
        if derived and update is _descend:  # the rate goes into the gradient, so that the update is in its products
            changes, loss = _derived(parameters, contexts, targets, scale=-lr, onto=parameters)
            return [*changes, *slots], loss
        if derived:
            gradients, loss = _derived(parameters, contexts, targets)
        else:
            gradients, moved, loss = _gradients(model, names, statistics, parameters, moved, contexts, targets)
        parameters, slots = update(parameters, gradients, slots, lr)
        return [*parameters, *moved, *slots], loss

    return step


class _Objective(nn.Module):
    """``functional_call`` calls ``forward``; what is trained is the objective."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, contexts: Tensor, targets: Tensor) -> Tensor:
        return self.model.objective(contexts, targets)


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
        loss: Tensor = torch.func.functional_call(_Objective(model), {**weights, **kept}, (contexts, targets))
        return loss, list(kept.values())

    found, (loss, kept) = torch.func.grad_and_value(objective, has_aux=True)(weights)
    return [found[name] for name in weights], kept, loss


def _derived(
    parameters: Tensors, contexts: Tensor, targets: Tensor, *, scale: Tensor | float = 1.0, onto: Tensors | None = None
) -> tuple[Tensors, Tensor]:
    """The gradient of the MLP of one tanh layer (see ``engines.derived``), times ``scale``, plus ``onto``; the loss.

    tanh by its exponential, and what is looked up or added by id as a product with ones and zeros: both are several
    times faster in a loop that a compiler makes. The logarithm is moved by the greatest logit, so nothing overflows but
    exp(2a), whose infinity gives 1.
    """
    C, W1, b1, W2, b2 = parameters
    (rows, block_size), vocab_size = contexts.shape, C.shape[0]
    emb = C[contexts].view(rows, -1)
    h = 1 - 2 / (torch.exp(2 * torch.addmm(b1, emb, W1)) + 1)
    logits = torch.addmm(b2, h, W2)
    greatest = logits.amax(1, keepdim=True)
    powers = torch.exp(logits - greatest)
    total = powers.sum(1, keepdim=True)
    ids = torch.arange(vocab_size, device=C.device)
    onehot = (targets[:, None] == ids).to(C.dtype)
    loss = ((total.log() + greatest).squeeze(1) - (logits * onehot).sum(1)).mean()
    d = (powers / total - onehot) * (scale / rows)
    da = (d @ W2.t()) * (1 - h * h)
    demb = (da @ W1.t()).view(rows * block_size, -1)
    looked_up = (contexts.reshape(1, -1) == ids[:, None]).to(C.dtype)
    products = [(looked_up, demb), (emb.t(), da), None, (h.t(), d), None]
    sums = [None, None, da, None, d]
    found = []
    for k, (product, summed) in enumerate(zip(products, sums, strict=True)):
        base = None if onto is None else onto[k]
        if product is None:
            assert summed is not None
            found.append(summed.sum(0) if base is None else base + summed.sum(0))
        else:
            found.append(torch.mm(*product) if base is None else torch.addmm(base, *product))
    return found, loss


# -- updates

Update = Callable[[Tensors, Tensors, Tensors, Tensor], tuple[Tensors, Tensors]]
"""Parameters, gradients, the optimizer's slots and the rate to parameters and slots."""


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
