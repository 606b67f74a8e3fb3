"""Steps of any model by torch's autograd, one after another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.training.optimizers import Optimizer
from tui_mm.training.rows import without_padding

_DROPOUT_SEED = 1 << 40  # far from the seeds of weights and samples


class AutogradEngine:
    def __init__(self, model: LanguageModel, optimizer: Optimizer, config: RunConfig) -> None:
        self._model = model
        self._optimizer = optimizer
        self._config = config

    def run(self, contexts: Tensor, targets: Tensor, lrs: Sequence[float], first_step: int) -> Tensor:
        losses = torch.empty(len(lrs), device=contexts.device)
        trimmed = self._model.layout == "sequence" and contexts.device.type == "cpu"  # a GPU would be waited for
        for k, (x, y) in enumerate(zip(contexts.unbind(), targets.unbind(), strict=True)):
            if trimmed:
                x, y = without_padding(x, y)
            seed_dropout(self._config, first_step + k)
            loss = self._model.objective(x, y)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step(lrs[k])
            losses[k] = loss.detach()
        return losses


def seed_dropout(config: RunConfig, step: int) -> None:
    """What a step leaves out depends on the seed and the step alone, so that a resumed run leaves out the same. Torch's
    dropout draws from the process's own generator, which nothing else here draws from."""
    if config.dropout:
        torch.manual_seed((config.seed + _DROPOUT_SEED + step) % (1 << 63))
