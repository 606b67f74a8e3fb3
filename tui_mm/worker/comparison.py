"""The same question put to the models of several runs: what follows a prefix, and which names a seed gives.

What a run answers depends on its weights and the question alone, so both are kept: while one run is trained, only that
one is asked anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data.corpus import CorpusError
from data.lookup import WordIndex
from data.vocabulary import BOUNDARY, VocabularyError
from models.sampling import SamplingConfig, SamplingError, next_distribution, sample
from tui_mm.config import ConfigError
from tui_mm.runs.home import RunError
from tui_mm.runs.run import Run, Which
from tui_mm.words import DATA_FIELDS
from tui_mm.worker.loading import TrainedModel, load_model

_REFUSALS = (RunError, ConfigError, CorpusError, VocabularyError, SamplingError)
"""What keeps a run from answering; its line stands in the answer's place."""

_Stamp = tuple[int, int]
_Symbol = tuple[bool, str]  # whether it is the end of a word, and how it is shown
_END: _Symbol = (True, ".")  # under one name, though vocabularies that have a full stop show it by another sign


@dataclass(frozen=True)
class Question:
    """What every model is asked.

    likeliest: of how many next characters the probabilities are told, those that are likeliest in the mean
    checkpoint: the weights at the end, or those with the least dev loss
    max_length: characters after which a name is cut
    """

    prefix: str = ""
    seed: int = 0
    count: int = 10
    likeliest: int = 8
    checkpoint: Which = "last"
    max_length: int = 200


@dataclass(frozen=True)
class Live:
    """The model of a run that is being trained here, asked in place of its last checkpoint, and its words."""

    trained: TrainedModel
    index: WordIndex


@dataclass(frozen=True)
class _Answer:
    """``shares``: P(next) by symbol; ``samples``: text, the split that holds it, and whether it ended by itself."""

    step: int
    parameters: int
    shares: dict[_Symbol, float]
    samples: list[tuple[str, str | None, bool]]


@dataclass
class _Kept:
    """A model with the time and size of the checkpoint that it is from, and its last answer."""

    stamp: _Stamp
    trained: TrainedModel
    asked: Question | None = None
    answer: _Answer | None = None


class Comparer:
    """Compares runs again and again; holds the models and the words of those it compared last."""

    def __init__(self) -> None:
        self._kept: dict[Path, _Kept] = {}  # by the checkpoint's path
        self._indices: dict[Any, WordIndex] = {}  # by what decides the words and their split

    def compare(
        self, runs: Sequence[Run], question: Question, live: Mapping[str, Live] | None = None
    ) -> dict[str, Any]:
        """The answers, as values that strict JSON holds; ``live``, by run id, takes the place of last checkpoints.

        ``next``: the likeliest next characters, each with its ``symbol`` and whether it is the ``end`` of a word
        ``runs``: in their order, of each its ``step``, ``parameters``, ``next`` (the probability of each of those
        characters at temperature 1, None where its words do not have it), ``rest`` (of all others together) and
        ``samples``; or its ``fault``, a line, where it could not be asked
        """
        answers: list[_Answer | str] = []
        used: set[object] = set()
        for run in runs:
            try:
                own = (live or {}).get(run.id) if question.checkpoint == "last" else None
                answers.append(_ask(own.trained, own.index, question) if own else self._answer(run, question, used))
            except _REFUSALS as error:
                answers.append(str(error))
        self._kept = {path: kept for path, kept in self._kept.items() if path in used}
        self._indices = {key: index for key, index in self._indices.items() if key in used}
        shown = _likeliest([a.shares for a in answers if isinstance(a, _Answer)], question.likeliest)
        return {
            "prefix": question.prefix,
            "seed": question.seed,
            "checkpoint": question.checkpoint,
            "next": [{"symbol": symbol, "end": is_end} for is_end, symbol in shown],
            "runs": [{"run": run.id, **_column(answer, shown)} for run, answer in zip(runs, answers, strict=True)],
        }

    def _answer(self, run: Run, question: Question, used: set[object]) -> _Answer:
        if not run.folder.is_dir():
            raise RunError(f"run {run.id}: is not there any more; it was deleted")
        path = run.checkpoint(question.checkpoint)
        stamp = _stamp(path)
        kept = self._kept.get(path)
        if kept is None or kept.stamp != stamp:
            kept = self._kept[path] = _Kept(stamp, load_model(run, question.checkpoint))
        used.add(path)
        key = _words_of(run, kept.trained)
        used.add(key)
        if kept.answer is None or kept.asked != question:
            if key not in self._indices:
                self._indices[key] = WordIndex(run.splits())
            kept.asked, kept.answer = question, _ask(kept.trained, self._indices[key], question)
        return kept.answer


def _ask(trained: TrainedModel, index: WordIndex, question: Question) -> _Answer:
    model, vocabulary = trained.model, trained.vocabulary
    prefix = vocabulary.encode(question.prefix)
    history = torch.tensor([prefix], dtype=torch.int64).view(1, len(prefix))
    following = next_distribution(model, history)[0].tolist()
    shares = {
        _END if token == BOUNDARY else (False, vocabulary.symbol(token)): share for token, share in enumerate(following)
    }
    names = sample(
        model,
        question.count,
        generator=torch.Generator().manual_seed(question.seed % (1 << 63)),
        prefix=prefix,
        config=SamplingConfig(max_length=question.max_length),
    )
    texts = [vocabulary.decode(name.tokens) for name in names]
    samples = [(text, index.find(text), name.ended) for text, name in zip(texts, names, strict=True)]
    return _Answer(trained.step, model.parameter_count(), shares, samples)


def _likeliest(shares: Sequence[Mapping[_Symbol, float]], count: int) -> list[_Symbol]:
    """By the mean over the runs; equals in the order of their symbols."""
    total: dict[_Symbol, float] = {}
    for each in shares:
        for symbol, share in each.items():
            total[symbol] = total.get(symbol, 0.0) + share
    return sorted(total, key=lambda symbol: (-total[symbol], symbol))[:count]


def _column(answer: _Answer | str, shown: Sequence[_Symbol]) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"fault": answer}
    told = [answer.shares.get(symbol) for symbol in shown]
    return {
        "step": answer.step,
        "parameters": answer.parameters,
        "next": told,
        "rest": max(0.0, 1 - sum(share for share in told if share is not None)),
        "samples": [{"text": text, "seen_in": seen, "ended": ended} for text, seen, ended in answer.samples],
    }


def _stamp(path: Path) -> _Stamp:
    """Differs when another checkpoint was put in place; (0, 0) for none, which ``load_model`` then tells of."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _words_of(run: Run, trained: TrainedModel) -> object:
    """What decides a run's words and their split: the same for all runs of one list, most of the time."""
    with run.store() as store:
        words = store.get("data", {}).get("sha256") or run.id
    return words, *(getattr(trained.config, name) for name in DATA_FIELDS if name not in ("data", "encoding"))
