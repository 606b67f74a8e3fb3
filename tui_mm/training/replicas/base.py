"""What a batched engine does: a block of steps of some replicas at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from tui_mm.config import RunConfig


class ReplicaEngine(Protocol):
    """Trains the n replicas it was made with. What one of them does never reaches another."""

    def run(self, contexts: Tensor, targets: Tensor, lrs: Tensor, first_step: int) -> Tensor:
        """Take as many steps as there are minibatches, and give the loss of each before its update, in nats:
        (steps, n).

        contexts (steps, n, rows, block_size) and targets (steps, n, rows) or (steps, n, rows, block_size), int64;
        lrs float64 (steps, n), on the CPU; first_step: how many steps were taken before
        """

    def tensors(self, replica: int) -> dict[str, Tensor]:
        """Parameters, and buffers that training changes, of one replica, by their names in the model: copies."""


@dataclass(frozen=True)
class Replica:
    """What an engine is given of one: its configuration, and its fresh weights by name."""

    config: RunConfig
    tensors: Mapping[str, Tensor]


def stacked(replicas: Sequence[Replica], name: str) -> Tensor:
    """One tensor of all replicas, (n, ...): memory of its own."""
    import torch

    return torch.stack([replica.tensors[name] for replica in replicas]).detach()
