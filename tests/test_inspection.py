"""What a viewer sees of a model, against the model asked one context at a time."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from data.bigrams import BigramCounts
from data.corpus import Corpus, parse_words
from data.splits import Splits
from models.base import LanguageModel, Layout
from models.sampling import SamplingConfig, next_distribution, sample
from tui_mm.config import make_config
from tui_mm.training.rows import all_rows
from tui_mm.training.setup import build_trainer
from tui_mm.training.trainer import Trainer
from tui_mm.words import split_for
from tui_mm.worker import inspection
from tui_mm.worker.inspection import Inspector
from tui_mm.worker.protocol import CommandError, Inspect

SMALL = {
    "block_size": 3, "embedding": 4, "hidden": 16, "batch_size": 8, "steps": 60, "threads": 1, "device": "cpu",
}  # fmt: skip


class RunningSum(LanguageModel):
    """A small causal sequence model: what follows depends on the sum of what came before."""

    layout: ClassVar[Layout] = "sequence"

    def __init__(self, vocab_size: int, block_size: int) -> None:
        super().__init__(vocab_size, block_size)
        generator = Generator().manual_seed(3)
        self.vectors = nn.Parameter(torch.randn(vocab_size, 5, generator=generator))
        self.head = nn.Parameter(torch.randn(5, vocab_size, generator=generator))

    def forward(self, contexts: Tensor) -> Tensor:
        return torch.tanh(self.vectors[contexts].cumsum(1)) @ self.head


def looked_at(kind: str, corpus: Corpus, **flags: Any) -> tuple[Trainer, Splits, Inspector]:
    config = make_config("bigram") if kind == "bigram" else make_config(flags=SMALL | flags)
    splits = split_for(config, corpus)
    trainer = build_trainer(config, splits)
    if kind == "sequence":
        cpu = torch.device("cpu")
        model = RunningSum(len(splits.vocabulary), 4)
        trainer = Trainer(model, all_rows(splits, model, cpu), config, generator=Generator(), device=cpu)
    for _ in trainer.events():
        pass
    return trainer, splits, Inspector(splits)


def histories(splits: Splits) -> list[list[int]]:
    """What stands before every prediction of the train split."""
    found: list[list[int]] = [[]]
    for token in splits.train.tokens.tolist():
        found.append([*found[-1], token] if token else [])
    return found[:-1]


def prediction(model: LanguageModel, history: list[int]) -> list[float]:
    return next_distribution(model, torch.tensor([history], dtype=torch.int64).view(1, -1))[0].tolist()  # type: ignore[no-any-return]


# --- embedding


def test_the_embedding_has_the_most_frequent_characters_and_the_boundary(corpus: Corpus) -> None:
    trainer, splits, inspector = looked_at("window", corpus)
    table = trainer.model.embedding_table()
    assert table is not None
    counts = Counter(splits.train.tokens.tolist())
    for count in (1, 2, 5, 1000):
        found = inspector.answer(trainer, Inspect("embedding", characters=count))
        ids = found["ids"]
        assert found["step"] == 60
        assert ids == sorted(set(ids))
        assert len(ids) == min(count, len(splits.vocabulary))
        assert 0 in ids
        assert min(counts[i] for i in ids) >= max((n for i, n in counts.items() if i not in ids), default=0)
        assert found["vectors"] == np.round(table[ids].detach().double().numpy(), 6).tolist()


def test_the_boundary_is_there_when_letters_are_more_frequent() -> None:
    corpus = parse_words("\n".join(["aaaabbbb"] * 20), "long words")
    trainer, _, inspector = looked_at("window", corpus)
    assert inspector.answer(trainer, Inspect("embedding", characters=2))["ids"] == [0, 1]
    assert inspector.answer(trainer, Inspect("embedding", characters=1))["ids"] == [0]


def test_an_answer_has_a_bound(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, _, inspector = looked_at("window", corpus)
    monkeypatch.setattr(inspection, "_MOST_NUMBERS", 20)  # of 4 a vector
    assert len(inspector.answer(trainer, Inspect("embedding"))["ids"]) == 5
    monkeypatch.setattr(inspection, "MOST_CHARACTERS", 3)
    assert len(inspector.answer(trainer, Inspect("bigrams", characters=10**9))["ids"]) == 3


def test_a_counting_model_says_that_it_has_no_embedding(corpus: Corpus) -> None:
    trainer, _, inspector = looked_at("bigram", corpus)
    found = inspector.answer(trainer, Inspect("embedding"))
    assert (found["ids"], found["vectors"]) == ([], [])
    assert "embeds nothing" in found["reason"]


# --- bigrams


@pytest.mark.parametrize("kind", ["window", "sequence", "bigram"])
def test_bigrams_are_predictions_after_one_character_alone(kind: str, corpus: Corpus) -> None:
    trainer, splits, inspector = looked_at(kind, corpus)
    found = inspector.answer(trainer, Inspect("bigrams", characters=9))
    ids = found["ids"]
    assert len(ids) == 9 < len(splits.vocabulary)
    for i, row in zip(ids, found["table"], strict=True):
        whole = prediction(trainer.model, [i] if i else [])
        assert row == pytest.approx([whole[j] for j in ids], abs=1e-6)


@pytest.mark.parametrize("kind", ["window", "sequence"])
@pytest.mark.parametrize("cells", [1 << 22, 1])
def test_averaged_bigrams_are_the_mean_prediction_over_the_training_contexts(
    kind: str, cells: int, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "_CELLS", cells)  # however many are computed at once
    trainer, splits, inspector = looked_at(kind, corpus)
    found = inspector.answer(trainer, Inspect("bigrams", average=True))
    before = histories(splits)
    for i, row in zip(found["ids"], found["table"], strict=True):
        ending = [h for h in before if (h[-1] if h else 0) == i] or [[i]]
        expected = np.mean([prediction(trainer.model, h) for h in ending], axis=0)
        assert row == pytest.approx(expected.tolist(), abs=1e-5)


def test_counted_bigrams_are_the_same_averaged_and_those_of_the_table(corpus: Corpus) -> None:
    trainer, splits, inspector = looked_at("bigram", corpus)
    alone, average = (inspector.answer(trainer, Inspect("bigrams", average=a)) for a in (False, True))
    assert np.allclose(alone["table"], average["table"], atol=2e-6)
    smoothed = BigramCounts.of(splits.train.tokens, len(splits.vocabulary)).dense() + 1.0
    assert np.allclose(alone["table"], smoothed / smoothed.sum(1, keepdims=True), atol=2e-6)
    assert (alone["average"], average["average"]) == (False, True)


def test_the_mean_over_some_contexts_is_near_that_over_all(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    many = parse_words("\n".join(list(corpus.words()) * 30), "many")
    trainer, _, inspector = looked_at("window", many)
    whole = np.array(inspector.answer(trainer, Inspect("bigrams", average=True))["table"])
    monkeypatch.setattr(inspection, "_MOST_CONTEXTS", 200)
    monkeypatch.setattr(inspection, "_POOL", 5000)
    some, again = (inspector.answer(trainer, Inspect("bigrams", average=True))["table"] for _ in range(2))
    assert some == again
    assert 0 < np.abs(np.array(some) - whole).max() < 0.1


def test_a_character_that_was_never_trained_on_has_its_row_alone(corpus: Corpus) -> None:
    trainer, splits, inspector = looked_at("window", corpus, max_words=3, train_fraction=1.0, dev_fraction=0.0)
    unseen = sorted(set(range(len(splits.vocabulary))) - set(splits.train.tokens.tolist()))
    assert unseen
    alone, average = (inspector.answer(trainer, Inspect("bigrams", average=a)) for a in (False, True))
    rows = [alone["ids"].index(i) for i in unseen]
    assert [alone["table"][r] for r in rows] == [average["table"][r] for r in rows]
    assert alone["table"] != average["table"]


# --- what is refused, and what is kept


def test_a_diverged_model_and_nonsense_are_one_clear_line(corpus: Corpus) -> None:
    trainer, _, inspector = looked_at("window", corpus)
    for request, word in ((Inspect("soul"), "embedding, layers, bigrams"), (Inspect(characters=0), "characters 0")):
        with pytest.raises(CommandError, match=word):
            inspector.answer(trainer, request)
    with torch.no_grad():
        next(trainer.model.parameters())[0, 0] = math.nan
    for what in ("embedding", "layers", "bigrams"):
        with pytest.raises(CommandError, match="diverged"):
            inspector.answer(trainer, Inspect(what))
    assert inspector.snapshots(trainer, [1]) == []


def test_answers_and_snapshots_are_strict_json_and_change_nothing(corpus: Corpus) -> None:
    for kind in ("window", "sequence", "bigram"):
        trainer, _, inspector = looked_at(kind, corpus)
        trainer.model.train()
        before = trainer.state()
        for what in ("embedding", "layers", "bigrams"):
            json.dumps(inspector.answer(trainer, Inspect(what, average=True)), allow_nan=False)
        json.dumps(inspector.snapshots(trainer, [1, 2]), allow_nan=False)
        assert trainer.model.training
        after = trainer.state()
        assert all(np.array_equal(a, after.arrays[name]) for name, a in before.arrays.items())


def test_a_snapshot_has_a_name_for_each_seed_and_what_answers_have(corpus: Corpus) -> None:
    trainer, splits, inspector = looked_at("window", corpus)
    kept = dict(inspector.snapshots(trainer, [7, 8, 9]))
    assert list(kept) == ["names", "embedding", "layers"]
    config = SamplingConfig(max_length=30)
    names = [sample(trainer.model, 1, generator=Generator().manual_seed(s), config=config)[0] for s in (7, 8, 9)]
    assert kept["names"] == [splits.vocabulary.decode(name.tokens) for name in names]
    assert kept["embedding"] == inspector.answer(trainer, Inspect("embedding"))
    assert kept["layers"] == inspector.answer(trainer, Inspect("layers"))
    counting, _, inspector = looked_at("bigram", corpus)
    assert [k for k, _ in inspector.snapshots(counting, [7])] == ["names"]
