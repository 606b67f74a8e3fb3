"""Replicas that cannot be one batch, trained one after another, a block of steps each."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from models.base import LanguageModel
from tui_mm.training.engines.choice import make_engine
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.replicas.base import Replica, trained_buffers


class SeparateReplicas:
    """For dropout, whose random numbers belong to one replica's step: what a batch would leave out is another thing."""

    def __init__(self, model: LanguageModel, replicas: Sequence[Replica]) -> None:
        self._models, self._engines = [], []
        for replica in replicas:
            own = copy.deepcopy(model)
            own.load_state_dict(dict(replica.tensors), strict=False)
            optimizer = make_optimizer(replica.config, dict(own.named_parameters()))
            self._models.append(own)
            self._engines.append(make_engine(own, optimizer, replica.config))

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
        found = dict(own.named_parameters()) | trained_buffers(own)
        return {name: value.detach().clone() for name, value in found.items()}
