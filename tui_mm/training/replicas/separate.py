"""Replicas that are no batch: trained one after another, by the engines that need no compiler."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from models.base import LanguageModel
from tui_mm.training.engines.autograd import AutogradEngine
from tui_mm.training.engines.base import StepEngine
from tui_mm.training.engines.derived import DerivedEngine, is_derived
from tui_mm.training.engines.state import statistics
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.replicas.base import Replica


class SeparateReplicas:
    """For dropout, whose random numbers belong to one replica's step: what a batch would leave out is another thing.
    And for steps that are long for themselves, which a batch does not make shorter."""

    def __init__(self, model: LanguageModel, replicas: Sequence[Replica]) -> None:
        self._models: list[LanguageModel] = []
        self._engines: list[StepEngine] = []
        for replica in replicas:
            own = copy.deepcopy(model)
            own.load_state_dict(dict(replica.tensors), strict=False)
            optimizer = make_optimizer(replica.config, dict(own.named_parameters()))
            self._models.append(own)
            self._engines.append(
                DerivedEngine(own, optimizer) if is_derived(own) else AutogradEngine(own, optimizer, replica.config)
            )

    def run(self, contexts: Tensor, targets: Tensor, lrs: Tensor, first_step: int) -> Tensor:
        return torch.stack(
            [
                engine.run(contexts[:, i], targets[:, i], lrs[:, i].tolist(), first_step)
                for i, engine in enumerate(self._engines)
            ],
            1,
        )

    def tensors(self, replica: int) -> dict[str, Tensor]:
        own = self._models[replica]
        found = dict(own.named_parameters()) | dict(statistics(own))
        return {name: value.detach().clone() for name, value in found.items()}
