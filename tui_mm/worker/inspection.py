"""What a viewer sees of a model: its embedding, its layers, its table of bigrams; as values that strict JSON holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from data.splits import Splits
from data.vocabulary import BOUNDARY
from models.base import LanguageModel
from models.sampling import SamplingConfig, SamplingError, next_distribution, sample_each
from tui_mm.training.diagnostics import diagnose
from tui_mm.training.trainer import Trainer
from tui_mm.worker.protocol import CommandError, Inspect

MOST_CHARACTERS = 512
_MOST_NUMBERS = 1 << 18  # of vectors in an answer
_SNAPSHOT_CHARACTERS = 64
_SNAPSHOT_NUMBERS = 1 << 14  # there may be hundreds
_SNAPSHOT_NAME = 30  # characters of a name at most

_MOST_CONTEXTS = 4096  # averaged for one character
_POOL = 1 << 20  # places of the train split that they are taken from
_CELLS = 1 << 22  # probabilities computed at once
_CHUNK = 1 << 22  # tokens counted at once


class Inspector:
    """Looks into models that are trained on ``splits``; changes nothing in them."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits

    def answer(self, trainer: Trainer, request: Inspect) -> dict[str, Any]:
        """Raises CommandError for what cannot be seen, SamplingError for predictions that are no numbers."""
        if request.characters < 1:
            raise CommandError(f"inspect: characters {request.characters} is not allowed; give 1 to {MOST_CHARACTERS}")
        if request.what not in ("embedding", "layers", "bigrams"):
            raise CommandError(f"inspect: {request.what!r} is not allowed; give one of embedding, layers, bigrams")
        if not _is_finite(trainer.model):
            raise CommandError(
                "this model's weights are not numbers: its training diverged; train with a lower learning rate (lr)"
            )
        if request.what == "layers":
            return diagnose(trainer).as_json()
        if request.what == "embedding":
            return self._embedding(trainer, request.characters, _MOST_NUMBERS)
        return self._bigrams(trainer, self.frequent(request.characters), average=request.average)

    def snapshots(self, trainer: Trainer, seeds: Sequence[int]) -> list[tuple[str, Any]]:
        """By kind, what is kept of a model at an evaluation: a name for each of ``seeds``, and what ``answer`` gives
        for its embedding and layers, where it has any. Nothing of a model that diverged."""
        if not _is_finite(trainer.model):
            return []
        try:
            names = sample_each(trainer.model, seeds, config=SamplingConfig(max_length=_SNAPSHOT_NAME))
        except SamplingError:
            return []
        kept: list[tuple[str, Any]] = [("names", [self._splits.vocabulary.decode(name.tokens) for name in names])]
        embedding = self._embedding(trainer, _SNAPSHOT_CHARACTERS, _SNAPSHOT_NUMBERS)
        layers = diagnose(trainer).as_json()
        return kept + [
            (kind, value) for kind, value in (("embedding", embedding), ("layers", layers)) if "reason" not in value
        ]

    def frequent(self, count: int) -> list[int]:
        """The ids that are most frequent in the train split, in their order; the boundary always among them."""
        chosen = self._by_frequency[: min(count, MOST_CHARACTERS)]
        return sorted({BOUNDARY, *chosen[: len(chosen) - (BOUNDARY not in chosen)]})

    @cached_property
    def _by_frequency(self) -> list[int]:
        size, tokens = len(self._splits.vocabulary), self._splits.train.tokens
        counts = np.zeros(size, dtype=np.int64)
        for begin in range(0, len(tokens), _CHUNK):
            counts += np.bincount(tokens[begin : begin + _CHUNK], minlength=size)
        return [int(i) for i in np.argsort(-counts, kind="stable")]

    def _embedding(self, trainer: Trainer, count: int, most: int) -> dict[str, Any]:
        """The vectors of the ``count`` most frequent ids, of fewer where that makes more than ``most`` numbers."""
        table = trainer.model.embedding_table()
        if table is None:
            reason = "this model embeds nothing: it has no vectors"
            return {"step": trainer.step, "ids": [], "vectors": [], "reason": reason}
        ids = self.frequent(min(count, max(1, most // table.shape[1])))
        vectors = table.detach()[ids].cpu().double().numpy()
        return {"step": trainer.step, "ids": ids, "vectors": np.round(vectors, 6).tolist()}

    def _bigrams(self, trainer: Trainer, ids: list[int], *, average: bool) -> dict[str, Any]:
        model = trainer.model
        was_training = model.training
        model.eval()
        try:
            table = _alone(model, ids)
            if average:
                table = self._averaged(model, ids, table)
        finally:
            model.train(was_training)
        values = np.round(table[:, ids].numpy(), 6)
        return {"step": trainer.step, "ids": ids, "table": values.tolist(), "average": average}

    def _averaged(self, model: LanguageModel, ids: list[int], alone: Tensor) -> Tensor:
        """The mean prediction after contexts of the train split that end in each of ``ids``: (len(ids), V)."""
        sums, counts = torch.zeros_like(alone), torch.zeros(len(ids), 1, dtype=torch.float64)
        tokens = self._splits.train.tokens
        for row, histories in _histories(tokens, ids, _contexts_each(model, len(ids)), model.block_size):
            size = max(1, _CELLS // model.vocab_size)
            for at in range(0, len(row), size):
                sums.index_add_(0, row[at : at + size], next_distribution(model, histories[at : at + size]))
            counts[:, 0] += torch.bincount(row, minlength=len(ids))
        return torch.where(counts > 0, sums / counts, alone)


def _alone(model: LanguageModel, ids: list[int]) -> Tensor:
    """P(next id) after each of ``ids`` and nothing before it, float64 (len(ids), V); ids begin with the boundary."""
    start = next_distribution(model, torch.empty(1, 0, dtype=torch.int64))
    others = torch.tensor(ids[1:], dtype=torch.int64)[:, None]
    return torch.cat((start, next_distribution(model, others))) if len(ids) > 1 else start


def _contexts_each(model: LanguageModel, kinds: int) -> int:
    """How many contexts to average for one character, so that a training waits for less than a tenth of a second."""
    budget = min(1 << 14, (1 << 30) // max(1, model.parameter_count()), (1 << 25) // model.vocab_size)
    return max(8, min(_MOST_CONTEXTS, min(budget, (1 << 21) // model.block_size) // kinds))


def _histories(tokens: NDArray[Any], ids: list[int], most: int, block_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """What came before up to ``most`` predictions of a stream after each of ``ids``, chosen by a fixed seed.

    For each length L up to ``block_size``: which of ``ids`` ends the history (n,), and the histories (n, L).
    """
    generator = Generator().manual_seed(0)
    draw = (
        torch.randperm(len(tokens), generator=generator)
        if len(tokens) <= _POOL
        else torch.randint(0, len(tokens), (_POOL,), generator=generator)
    )
    places = draw.numpy()
    last = tokens[places - 1]  # the stream ends with a boundary, which is also what stands before it
    order = np.argsort(last, kind="stable")
    begins, ends = (np.searchsorted(last[order], ids, side) for side in ("left", "right"))
    taken = [places[order[b : min(e, b + most)]] for b, e in zip(begins, ends, strict=True)]
    row = torch.arange(len(ids)).repeat_interleave(torch.tensor([len(t) for t in taken]))
    back = np.concatenate(taken)[:, None] - 1 - np.arange(block_size)
    before = tokens.take(back, mode="wrap")  # newest first
    lengths = np.logical_and.accumulate(before != BOUNDARY, axis=1).sum(1)
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        histories = np.ascontiguousarray(before[chosen, :length][:, ::-1], dtype=np.int64)
        yield row[torch.from_numpy(chosen)], torch.from_numpy(histories)


def _is_finite(model: LanguageModel) -> bool:
    return all(bool(p.detach().sum().isfinite()) for p in model.parameters())  # no copy, whatever the size
