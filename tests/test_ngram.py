"""n-grams by counting: the bigram of part 1, its smoothing and its names, and longer contexts."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from data.bigrams import BigramCounts
from data.corpus import Corpus
from data.splits import Split, split_words
from models.base import CountingModel
from models.ngram import NGram, NGramConfig
from models.sampling import sample
from tui_mm.training.rows import Rows, mean_loss

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=60)
CPU = torch.device("cpu")
SIZE = 5
WORDS = st.lists(st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=7), min_size=1, max_size=12)


def examples_of(words: list[list[int]]) -> tuple[Tensor, Tensor]:
    pairs = [pair for word in words for pair in pairwise([0, *word, 0])]
    return torch.tensor([[first] for first, _ in pairs]), torch.tensor([second for _, second in pairs])


def bigram_of(words: list[list[int]], smoothing: float = 1.0) -> NGram:
    model = NGram(NGramConfig(SIZE, smoothing=smoothing))
    model.observe(*examples_of(words))
    return model


def trained_on(split: Split, vocab_size: int, smoothing: float) -> NGram:
    model = NGram(NGramConfig(vocab_size, smoothing=smoothing))
    rows = Rows(split, model, CPU)
    for contexts, targets in rows.chunks():
        model.observe(contexts, targets)
    return model


def table_of(model: NGram) -> Tensor:
    """The counts of a bigram as the notebook has them: (V, V)."""
    N = torch.zeros(model.vocab_size, model.vocab_size, dtype=torch.int64)
    N[model.table.contexts[:, 0].long(), model.table.targets] = model.table.counts
    return N


def probabilities_of(model: NGram) -> Tensor:
    return model.probabilities(torch.arange(model.vocab_size)[:, None])


@REPEATABLE
@given(WORDS)
def test_counts_are_those_of_the_notebooks_loop(words: list[list[int]]) -> None:
    N = torch.zeros(SIZE, SIZE, dtype=torch.int64)
    for word in words:
        for first, second in pairwise([0, *word, 0]):
            N[first, second] += 1
    assert torch.equal(table_of(bigram_of(words)), N)


@REPEATABLE
@given(WORDS, st.integers(0, 30))
def test_counts_do_not_depend_on_how_rows_are_cut(words: list[list[int]], at: int) -> None:
    contexts, targets = examples_of(words)
    model = NGram(NGramConfig(SIZE))
    for part in (slice(0, at), slice(at, None)):
        model.observe(contexts[part], targets[part])
    assert torch.equal(table_of(model), table_of(bigram_of(words)))


@REPEATABLE
@given(WORDS, st.sampled_from([0.0, 0.01, 1.0, 10.0]))
def test_probabilities_are_the_smoothed_shares_of_a_row(words: list[list[int]], smoothing: float) -> None:
    model = bigram_of(words, smoothing)
    N, P = table_of(model).tolist(), probabilities_of(model)
    assert P.dtype == torch.float64
    assert P.sum(1).tolist() == pytest.approx([1.0] * SIZE)
    for first in range(SIZE):
        row = sum(N[first]) + SIZE * smoothing
        for second in range(SIZE):
            expected = (N[first][second] + smoothing) / row if row else 1 / SIZE
            assert float(P[first, second]) == pytest.approx(expected)


@REPEATABLE
@given(WORDS, st.sampled_from([0.0, 0.3, 1.0]))
def test_the_loss_is_that_of_the_sparse_counts(words: list[list[int]], smoothing: float) -> None:
    tokens = np.array([i for word in words for i in (*word, 0)], dtype=np.uint8)
    expected = BigramCounts.of(tokens, SIZE).loss(smoothing)
    model = bigram_of(words, smoothing)
    assert float(model.loss(*examples_of(words))) == pytest.approx(expected)
    rows = Rows(Split(tokens, np.arange(len(words), dtype=np.uint32)), model, CPU)
    assert mean_loss(model, rows) == pytest.approx(expected)


def test_an_untaught_bigram_is_uniform() -> None:
    for smoothing in (0.0, 1.0):
        model = NGram(NGramConfig(27, smoothing=smoothing))
        assert model(torch.tensor([[0], [26]])).exp().tolist() == [pytest.approx([1 / 27] * 27)] * 2


def test_logits_are_those_of_the_last_id() -> None:
    model = bigram_of([[1, 2, 3], [2, 2]])
    logits = model(torch.tensor([[4, 1], [1, 4]]))
    assert torch.equal(logits, model(torch.tensor([[1], [4]])))
    assert torch.equal(logits[0], probabilities_of(model)[1].log())


def test_an_impossible_pair_costs_infinity_without_smoothing() -> None:
    pair = torch.tensor([[1]]), torch.tensor([1])
    assert float(bigram_of([[1, 2]], 0.0).loss(*pair)) == math.inf
    assert float(bigram_of([[1, 2]], 1.0).loss(*pair)) == pytest.approx(math.log(6))


def test_what_is_observed_later_counts_too() -> None:
    model = bigram_of([[1]])
    before = model(torch.tensor([[1]])).clone()
    model.observe(torch.tensor([[1]]), torch.tensor([3]))
    assert not torch.equal(model(torch.tensor([[1]])), before)
    assert torch.equal(model(torch.tensor([[1]]))[0], probabilities_of(model)[1].log())


def test_loaded_counts_replace_those_before() -> None:
    model, other = bigram_of([[1, 2]]), bigram_of([[3, 4], [3, 3]])
    model(torch.tensor([[3]]))
    model.load_state_dict(other.state_dict())
    assert torch.equal(model(torch.tensor([[3]])), other(torch.tensor([[3]])))
    assert set(model.state_dict()) == {"table.contexts", "table.targets", "table.counts"}


def test_a_bigram_kept_as_a_dense_table_is_read() -> None:
    other = bigram_of([[3, 4], [3, 3], [1]])
    model = NGram(NGramConfig(SIZE))
    model.load_state_dict({"counts": table_of(other)})
    assert torch.equal(table_of(model), table_of(other))
    assert torch.equal(probabilities_of(model), probabilities_of(other))


def test_a_bigram_that_moves_to_another_device_leaves_nothing_behind() -> None:
    model = bigram_of([[1, 2]])
    model(torch.tensor([[1]]))
    model.to(torch.device("meta"))
    assert model.table.counts.device.type == "meta"
    with pytest.raises(NotImplementedError):  # what it looks up is made anew, there
        model(torch.tensor([[1]], device="meta"))


def test_it_learns_by_counting_and_has_a_parameter_a_cell() -> None:
    model = NGram(NGramConfig(27))
    assert isinstance(model, CountingModel)
    assert list(model.parameters()) == []
    assert model.parameter_count() == 729
    assert (model.layout, model.block_size) == ("window", 1)


def test_a_large_vocabulary_costs_what_occurs_in_it() -> None:
    model = NGram(NGramConfig(1 << 20, block_size=3))
    model.observe(torch.tensor([[5, 1 << 19, 7]] * 2), torch.tensor([1, (1 << 20) - 1]))
    assert len(model.table.counts) == 2
    assert float(model.probabilities(torch.tensor([[5, 1 << 19, 7]]))[0, 1]) == pytest.approx(2 / ((1 << 20) + 2))
    assert model.parameter_count() == 1 << 80


# --- the lecture's list


@pytest.mark.parametrize(("smoothing", "loss"), [(0.0, 2.454014), (1.0, 2.454577)])
def test_the_lectures_bigram_has_the_lectures_loss(lecture: Corpus, smoothing: float, loss: float) -> None:
    splits = split_words(lecture, train_fraction=1, dev_fraction=0)
    model = trained_on(splits.train, 27, smoothing)
    assert int((table_of(model) > 0).sum()) == 627
    assert int(table_of(model)[0, 1]) == 4410
    assert mean_loss(model, Rows(splits.train, model, CPU)) == pytest.approx(loss, abs=5e-7)


def test_the_lectures_split_gives_the_losses_of_exercise_2(lecture: Corpus) -> None:
    splits = split_words(lecture)
    model = trained_on(splits.train, 27, 0.3)
    losses = [mean_loss(model, Rows(split, model, CPU)) for _, split in splits]
    assert losses == pytest.approx([2.4543, 2.4530, 2.4580], abs=5e-5)


def test_andrejq_is_impossible_only_without_smoothing(lecture: Corpus) -> None:
    splits = split_words(lecture, train_fraction=1, dev_fraction=0)
    contexts, targets = examples_of([splits.vocabulary.encode("andrejq")])
    assert float(trained_on(splits.train, 27, 0.0).loss(contexts, targets)) == math.inf
    assert float(trained_on(splits.train, 27, 1.0).loss(contexts, targets)) == pytest.approx(3.4834, abs=5e-5)


def test_the_lectures_bigram_says_the_lectures_names(lecture: Corpus) -> None:
    splits = split_words(lecture, train_fraction=1, dev_fraction=0)
    model = trained_on(splits.train, 27, 0.0)
    names = sample(model, 5, generator=Generator().manual_seed(2147483647))
    spoken = [splits.vocabulary.decode(name.tokens) for name in names]
    assert spoken == ["mor", "axx", "minaymoryles", "kondlaisah", "anchshizarie"]
