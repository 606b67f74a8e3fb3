"""Trains replicas of one model shape at once: rates, seeds and other numbers of their own, steps in common.

A replica gets the weights that a ``Trainer`` of its configuration would get, up to rounding: the same initial weights
and the same minibatches, from a generator of its own. Evaluation is only at the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from data.splits import Splits
from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.training.devices import choose_device, choose_threads
from tui_mm.training.engines.derived import is_one_tanh_layer
from tui_mm.training.engines.state import statistics
from tui_mm.training.replicas.alike import check_alike
from tui_mm.training.replicas.base import Replica, ReplicaEngine
from tui_mm.training.replicas.derived import DerivedReplicas, is_plain, working_set
from tui_mm.training.replicas.mapped import MappedReplicas
from tui_mm.training.replicas.separate import SeparateReplicas
from tui_mm.training.rows import Rows, all_rows, mean_loss
from tui_mm.training.schedules import lr_factor
from tui_mm.training.setup import build_model, check_splits, prepare

BLOCK_SECONDS = 0.03  # as the trainer's
_MAX_BLOCK = 256  # steps
_CACHE_NUMBERS = 1 << 18  # that a group of replicas goes through in a step: 1 MiB, what a core keeps near
_MAPPED_WORK = 1 << 22  # multiply-adds of a step of any other model: beyond, one by one is faster on a CPU
_MAPPED_ROWS = 1 << 13  # predictions of a step of a group of these
_MAPPED_NUMBERS = 1 << 20  # and its parameters: 4 MiB
_SCHEDULED = ("schedule", "steps", "decay_at", "decay_factor", "warmup", "decay_rate")


@dataclass(frozen=True, eq=False)
class ReplicaBlock:
    """Some steps of all replicas: the loss of each one's minibatch before its update, float32 (steps, n)."""

    first_step: int
    losses: NDArray[np.float32]
    seconds: float

    @property
    def last_step(self) -> int:
        return self.first_step + len(self.losses) - 1


@dataclass
class _Group:
    """Replicas that are one batched model: which ones they are."""

    members: list[int]
    engine: ReplicaEngine


class Replicas:
    """``configs`` may differ in what ``alike.VARIED`` names. Raises ConfigError.

    diverged_at: the first step whose loss was not finite, 0 for none, int64 (n,)
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        rows: Mapping[str, Rows],
        vocab_size: int,
        device: torch.device,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        check_alike(configs, vocab_size)
        self.configs = list(configs)
        self.rows = rows
        self.step = 0
        self.seconds = 0.0
        self.diverged_at = np.zeros(len(configs), np.int64)
        self._device = device
        self._block = 1
        self._generators: list[Generator] = []
        self._tail: list[NDArray[np.float32]] = []
        replicas = []
        for config in configs:
            generator = Generator().manual_seed(config.seed)
            model = build_model(config, vocab_size, generator)
            prepare(model, rows)
            model.to(device)
            if dtype != torch.float32:
                model.to(dtype)  # of every buffer, too: a mixture's weights are float64 as they are
            tensors = dict(model.named_parameters()) | dict(statistics(model))
            replicas.append(Replica(config, {name: tensor.detach() for name, tensor in tensors.items()}))
            self._generators.append(generator)
        self.model: LanguageModel = model  # a mould: ``put`` fills it with a replica's weights
        self._groups = [
            _Group(members, make_replica_engine(model, [replicas[i] for i in members]))
            for members in groups(model, replicas, self._rows_of_a_step)
        ]

    def __len__(self) -> int:
        return len(self.configs)

    @property
    def total_steps(self) -> int:
        return self.configs[0].steps

    @property
    def _rows_of_a_step(self) -> int:
        return self.configs[0].batch_size or len(self.rows["train"])

    def turns(self, block_seconds: float = BLOCK_SECONDS) -> Iterator[ReplicaBlock | None]:
        """Train on to the last step: about so many seconds of one group after another, so that a group stays in the
        cache. ``None`` says that a group has had its turn and others are behind; left there, it cannot be gone on."""
        while self.step < self.total_steps:
            count = min(self._block, self.total_steps - self.step)
            lrs = self._rates(count)
            losses = torch.empty(count, len(self))
            elapsed = []
            for group in self._groups:
                started = time.perf_counter()
                of_group = group.engine.run(*self._batches(group.members, count), lrs[:, group.members], self.step)
                losses[:, group.members] = of_group.to("cpu", torch.float32)
                elapsed.append(time.perf_counter() - started)
                if group is not self._groups[-1]:
                    yield None
            self._block = max(1, min(_MAX_BLOCK, round(block_seconds * count / max(elapsed)), 4 * count))
            yield self._done(losses.numpy(), sum(elapsed))

    def blocks(self, block_seconds: float = BLOCK_SECONDS) -> Iterator[ReplicaBlock]:
        """The same without turns. Can be closed at any block and called again."""
        return (block for block in self.turns(block_seconds) if block is not None)

    def _done(self, losses: NDArray[np.float32], elapsed: float) -> ReplicaBlock:
        bad = ~np.isfinite(losses)
        new = bad.any(0) & (self.diverged_at == 0)
        self.diverged_at[new] = self.step + 1 + bad.argmax(0)[new]
        self.step += len(losses)
        self.seconds += elapsed
        self._remember(losses)
        return ReplicaBlock(self.step - len(losses) + 1, losses, self.seconds)

    def _rates(self, count: int) -> Tensor:
        """Float64 (count, n)."""
        factors: dict[tuple[object, ...], list[float]] = {}
        columns = []
        for config in self.configs:
            key = tuple(getattr(config, name) for name in _SCHEDULED)
            if key not in factors:
                factors[key] = [lr_factor(config, self.step + k) for k in range(count)]
            columns.append(torch.tensor(factors[key], dtype=torch.float64) * config.lr)
        return torch.stack(columns, 1)

    def _batches(self, members: Sequence[int], count: int) -> tuple[Tensor, Tensor]:
        """Contexts and targets of so many steps of some replicas: (count, n, rows, ...)."""
        rows, size = self.rows["train"], self.configs[0].batch_size
        if size == 0:
            contexts, targets = rows.take(torch.arange(len(rows), device=self._device))
            n = len(members)
            return contexts.expand(count, n, *contexts.shape), targets.expand(count, n, *targets.shape)
        # drawn as the trainer draws them, each from its own generator
        draws = [torch.randint(0, len(rows), (count, size), generator=self._generators[i]) for i in members]
        return rows.take(torch.stack(draws, 1).to(self._device))

    # -- what came of it

    @property
    def _tail_steps(self) -> int:
        return max(1, self.step // 10)

    def _remember(self, losses: NDArray[np.float32]) -> None:
        self._tail.append(losses)
        kept = sum(map(len, self._tail))
        while kept - len(self._tail[0]) >= self._tail_steps:
            kept -= len(self._tail.pop(0))

    def recent_losses(self) -> NDArray[np.float64]:
        """The mean train loss of each over the last tenth of the steps so far, (n,); NaN where one is not finite."""
        if not self._tail:
            return np.full(len(self), np.nan)
        last = np.concatenate(self._tail)[-self._tail_steps :].astype(np.float64)
        last[~np.isfinite(last)] = np.nan
        means: NDArray[np.float64] = last.mean(0)
        means[self.diverged_at > 0] = np.nan
        return means

    def put(self, replica: int) -> LanguageModel:
        """``model``, with the weights of one replica; the next call takes them away again."""
        tensors = next(g.engine.tensors(g.members.index(replica)) for g in self._groups if replica in g.members)
        self.model.load_state_dict(tensors, strict=False)
        return self.model

    def loss(self, replica: int, split: str) -> float:
        """Of one replica over a whole split; NaN if it diverged."""
        if self.diverged_at[replica]:
            return math.nan
        model = self.put(replica)
        if "dev" in self.rows:
            model.adapt(self.rows["dev"].distinct())
        return mean_loss(model, self.rows[split])


def build_replicas(configs: Sequence[RunConfig], splits: Splits) -> Replicas:
    """At step 0, on the device that the configurations ask for. Sets torch's thread count, which is global.

    Raises ConfigError or DeviceError.
    """
    vocab_size = len(splits.vocabulary)
    check_alike(configs, vocab_size)
    config = configs[0]
    device = choose_device(config.device)
    mould = build_model(config, vocab_size, Generator().manual_seed(config.seed))
    rows = all_rows(splits, mould, device)
    check_splits(config, rows)
    rows["train"].lay_out()
    made = Replicas(configs, rows, vocab_size, device)
    predictions = (config.batch_size or len(rows["train"])) * (config.block_size if mould.layout == "sequence" else 1)
    torch.set_num_threads(choose_threads(config.threads, predictions * len(configs), mould.parameter_count()))
    return made


def make_replica_engine(model: LanguageModel, replicas: Sequence[Replica]) -> ReplicaEngine:
    """For one of ``groups``."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    if replicas[0].config.dropout or (on_cpu and len(replicas) == 1):
        return SeparateReplicas(model, replicas)
    if is_one_tanh_layer(model):
        return DerivedReplicas(model, replicas)
    return MappedReplicas(model, replicas)


def groups(model: LanguageModel, replicas: Sequence[Replica], rows: int) -> list[list[int]]:
    """Which replicas are one batched model. A GPU takes all; on a CPU a group stays in the cache, and those whose steps
    are long for themselves, or draw dropout, are trained one by one. Plain SGD stays apart from what keeps a state."""
    everyone = list(range(len(replicas)))
    on_cpu = next(model.parameters()).device.type == "cpu"
    if replicas[0].config.dropout:
        return [[i] for i in everyone]
    if is_one_tanh_layer(model):
        most = _CACHE_NUMBERS // working_set(model, rows) if on_cpu else len(replicas)
        plain = [i for i in everyone if is_plain(replicas[i])]
        return [*_cut(plain, most), *_cut([i for i in everyone if i not in set(plain)], most)]
    predictions = rows * (model.block_size if model.layout == "sequence" else 1)
    if not on_cpu:
        return [everyone]
    if predictions * model.parameter_count() > _MAPPED_WORK:
        return [[i] for i in everyone]
    return _cut(everyone, min(_MAPPED_ROWS // predictions, _MAPPED_NUMBERS // model.parameter_count()))


def _cut(members: list[int], most: int) -> list[list[int]]:
    """In parts of at most so many, as equal as can be."""
    count = -(-len(members) // max(1, most))
    return [members[k * len(members) // count : (k + 1) * len(members) // count] for k in range(count)]
