"""What a step changes, and what it is derived from."""

from __future__ import annotations

from torch import Tensor, nn

from models.base import LanguageModel
from tui_mm.training.optimizers import Optimizer


def moving_state(model: LanguageModel, optimizer: Optimizer) -> list[Tensor]:
    """Parameters, the statistics of batch norms and the optimizer's state, in an order that is always the same. They
    are the tensors themselves."""
    return [*model.parameters(), *(buffer for _, buffer in statistics(model)), *optimizer.slots()]


class Objective(nn.Module):
    """A model whose call is what training minimises, for ``torch.func.functional_call``."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, contexts: Tensor, targets: Tensor) -> Tensor:
        return self.model.objective(contexts, targets)


def statistics(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Running means and variances of batch norms, by name."""
    return [
        (f"{place}.{name}" if place else name, buffer)
        for place, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for name, buffer in module.named_buffers(recurse=False)
    ]
