"""Counts of longer contexts: the table they stand in, smoothing, interpolation and backoff."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data.corpus import Corpus
from data.splits import Splits, split_words
from models.backoff import Backoff, BackoffConfig
from models.base import CountingModel
from models.counts import CountTable
from models.interpolated import Interpolated, InterpolatedConfig
from models.ngram import NGram, NGramConfig
from tui_mm.training.rows import Rows, mean_loss

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=60)
CPU = torch.device("cpu")
SIZE = 4
WORDS = st.lists(st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=6), min_size=1, max_size=10)
ORDERS = st.integers(1, 4)


def examples_of(words: list[list[int]], order: int) -> tuple[Tensor, Tensor]:
    """Every prediction by a loop: before a word as many boundaries as the context takes."""
    contexts, targets = [], []
    for word in words:
        seen = [0] * order
        for target in (*word, 0):
            contexts.append(seen[len(seen) - order :])
            targets.append(target)
            seen.append(target)
    return torch.tensor(contexts), torch.tensor(targets)


def table_of(words: list[list[int]], order: int) -> CountTable:
    table = CountTable(SIZE, order)
    table.add(*examples_of(words, order))
    return table


def counted(words: list[list[int]], order: int, length: int) -> dict[tuple[int, ...], Counter[int]]:
    """By context of a length, how often each id follows."""
    found: dict[tuple[int, ...], Counter[int]] = {}
    contexts, targets = examples_of(words, order)
    for context, target in zip(contexts.tolist(), targets.tolist(), strict=True):
        found.setdefault(tuple(context[order - length :]), Counter())[target] += 1
    return found


def every_context(order: int) -> Tensor:
    return torch.cartesian_prod(*[torch.arange(SIZE)] * order).view(-1, order)


# --- the table


@REPEATABLE
@given(WORDS, ORDERS)
def test_what_follows_a_context_of_any_length_is_what_a_loop_counts(words: list[list[int]], order: int) -> None:
    table = table_of(words, order)
    contexts = every_context(order)
    for length, nodes in enumerate(table.nodes(contexts)):
        expected = counted(words, order, length)
        followers, totals = table.follower_counts(length, nodes), table.totals(length, nodes)
        for row, context in enumerate(contexts.tolist()):
            seen = expected.get(tuple(context[order - length :]), Counter())
            assert followers[row].tolist() == [seen[target] for target in range(SIZE)]
            assert int(totals[row]) == seen.total()
        for target in range(SIZE):
            pairs = table.pair_counts(length, nodes, torch.full_like(nodes, target))
            assert torch.equal(pairs.double(), followers[:, target])


@REPEATABLE
@given(WORDS, ORDERS, st.integers(0, 20))
def test_a_table_does_not_depend_on_how_its_rows_came(words: list[list[int]], order: int, at: int) -> None:
    contexts, targets = examples_of(words, order)
    parts = CountTable(SIZE, order)
    for part in (slice(at, None), slice(0, at)):
        parts.add(contexts[part], targets[part])
    whole = table_of(words, order)
    for name, value in whole.state_dict().items():
        assert torch.equal(parts.state_dict()[name], value)
    assert whole.total == len(targets)
    distinct, times = torch.unique(torch.cat((contexts, targets[:, None]), 1), dim=0, return_counts=True)
    together = CountTable(SIZE, order)
    together.add(distinct[:, :-1], distinct[:, -1], times)
    assert torch.equal(together.counts, whole.counts)


def test_an_empty_table_knows_nothing() -> None:
    table = CountTable(SIZE, 2)
    nodes = table.nodes(every_context(2))
    assert [int(n.max()) for n in nodes] == [0, -1, -1]
    for length, found in enumerate(nodes):
        assert not table.follower_counts(length, found).any()
        assert not table.totals(length, found).any()
        assert not table.pair_counts(length, found, torch.zeros_like(found)).any()


def test_a_table_that_is_loaded_has_the_size_of_what_is_loaded() -> None:
    big, small = table_of([[1, 2, 3, 3, 2]], 3), table_of([[1]], 3)
    small.load_state_dict(big.state_dict())
    assert torch.equal(small.counts, big.counts)
    assert torch.equal(small.follower_counts(3, small.nodes(every_context(3))[3]).sum(), big.counts.sum().double())
    with pytest.raises(RuntimeError, match="size mismatch"):
        CountTable(SIZE, 2).load_state_dict(big.state_dict())


# --- n-grams


@REPEATABLE
@given(WORDS, ORDERS, st.sampled_from([0.0, 0.15, 1.0]))
def test_an_ngram_is_the_smoothed_share(words: list[list[int]], order: int, smoothing: float) -> None:
    model = NGram(NGramConfig(SIZE, order, smoothing))
    model.observe(*examples_of(words, order))
    expected = counted(words, order, order)
    contexts = every_context(order)
    P = model.probabilities(contexts)
    for row, context in enumerate(contexts.tolist()):
        seen = expected.get(tuple(context), Counter())
        total = seen.total() + SIZE * smoothing
        shares = [(seen[t] + smoothing) / total if total else 1 / SIZE for t in range(SIZE)]
        assert P[row].tolist() == pytest.approx(shares)
    assert model.parameter_count() == SIZE ** (order + 1)


# --- weights by dev

MADE = {
    "backoff": lambda order: Backoff(BackoffConfig(SIZE, order)),
    "interpolated": lambda order: Interpolated(InterpolatedConfig(SIZE, order)),
}


@pytest.mark.parametrize("name", MADE)
def test_rows_sum_to_one_and_dev_gets_no_worse_by_choosing(name: str) -> None:
    @settings(derandomize=True, deadline=None, max_examples=12)
    @given(WORDS, WORDS, st.integers(1, 3))
    def hold(words: list[list[int]], dev: list[list[int]], order: int) -> None:
        model = MADE[name](order)
        assert isinstance(model, CountingModel)
        model.observe(*examples_of(words, order))
        contexts, targets = examples_of(dev, order)
        before = float(model.loss(contexts, targets))
        model.adapt([(contexts, targets, torch.ones_like(targets))])
        assert model(every_context(order)).exp().sum(1).tolist() == pytest.approx([1.0] * SIZE**order)
        after = float(model.loss(contexts, targets))
        assert after <= before + 1e-9
        assert math.isfinite(after)

    hold()


def test_backoff_is_its_formula() -> None:
    model = Backoff(BackoffConfig(SIZE, 1))
    model.observe(*examples_of([[1, 2], [1, 3], [1, 2]], 1))
    model.strengths.copy_(torch.tensor([2.0, 0.5]))
    unigram = [(n + 2 / SIZE) / (9 + 2) for n in (3, 3, 2, 1)]
    after_1 = [(n + 0.5 * p) / (3 + 0.5) for n, p in zip((0, 0, 2, 1), unigram, strict=True)]
    assert model.probabilities(torch.tensor([[1]]))[0].tolist() == pytest.approx(after_1)
    unseen = Backoff(BackoffConfig(SIZE, 2))
    unseen.observe(*examples_of([[1, 2]], 2))
    a, b = unseen.probabilities(torch.tensor([[3, 3], [3, 1]]))
    assert a.tolist() == pytest.approx([(1 + 1 / SIZE) / 4, (1 + 1 / SIZE) / 4, (1 + 1 / SIZE) / 4, (1 / SIZE) / 4])
    assert float(b[2]) == pytest.approx((1 + float(a[2])) / 2)  # after 1 alone, which was seen


def test_interpolation_is_its_formula() -> None:
    model = Interpolated(InterpolatedConfig(SIZE, 2))
    model.observe(*examples_of([[1, 2], [1, 3], [1, 2]], 2))
    context = torch.tensor([[0, 1]])
    (bin_,) = model.bins(context).tolist()
    assert bin_ == math.ceil(-math.log((1 + 3) / 9))
    model.weights[bin_] = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    unigram, after_1, after_01 = (3 / 9, 3 / 9, 2 / 9, 1 / 9), (0, 0, 2 / 3, 1 / 3), (0, 0, 2 / 3, 1 / 3)
    expected = [0.1 / SIZE + 0.2 * u + 0.3 * b + 0.4 * t for u, b, t in zip(unigram, after_1, after_01, strict=True)]
    assert model.probabilities(context)[0].tolist() == pytest.approx(expected)


def test_em_finds_the_share_that_an_estimate_accounts_for() -> None:
    """Dev that follows the trigram exactly moves all its weight there; dev that is uniform takes it to p0."""
    words = [[1, 2], [2, 3], [3, 1]] * 20
    model = Interpolated(InterpolatedConfig(SIZE, 2))
    model.observe(*examples_of(words, 2))
    contexts, targets = examples_of(words, 2)
    model.adapt([(contexts, targets, torch.ones_like(targets))])
    q = model.bins(contexts)
    assert float(model.weights[q][:, 3].mean()) > 0.6
    assert float(model.weights[q][:, 0].mean()) < 0.05
    uniform = torch.randint(0, SIZE, targets.shape, generator=torch.Generator().manual_seed(0))
    model.adapt([(contexts, uniform, torch.ones_like(targets))])
    assert float(model.weights[q][:, 0].mean()) > 0.3
    assert float(model.weights[q][:, 3].mean()) < 0.3
    assert model.weights.sum(1).tolist() == pytest.approx([1.0] * len(model.weights))


# --- the lecture's list


@pytest.fixture(scope="module")
def split(request: pytest.FixtureRequest) -> Splits:
    return split_words(request.getfixturevalue("lecture"))


def fitted(model: CountingModel, splits: Splits) -> CountingModel:
    for contexts, targets, counts in Rows(splits.train, model, CPU).distinct():
        model.observe(contexts, targets, counts)
    if splits.dev.examples:
        model.adapt(Rows(splits.dev, model, CPU).distinct())
    return model


@pytest.mark.parametrize(("smoothing", "loss"), [(0.0, 2.18574), (1.0, 2.21258)])
def test_the_lectures_trigram_has_the_lectures_loss(lecture: Corpus, smoothing: float, loss: float) -> None:
    splits = split_words(lecture, train_fraction=1, dev_fraction=0)
    model = fitted(NGram(NGramConfig(27, 2, smoothing)), splits)
    assert mean_loss(model, Rows(splits.train, model, CPU)) == pytest.approx(loss, abs=6e-6)


@pytest.mark.parametrize(
    ("smoothing", "losses"),
    [(0.15, (2.1895, 2.2221, 2.2234)), (0.001, (None, 2.2447, None)), (1.0, (2.2156, 2.2365, None))],
)
def test_smoothing_of_the_lectures_trigram(
    split: Splits, smoothing: float, losses: tuple[float | None, float | None, float | None]
) -> None:
    model = fitted(NGram(NGramConfig(27, 2, smoothing)), split)
    for (_, part), expected in zip(split, losses, strict=True):
        if expected is not None:
            assert mean_loss(model, Rows(part, model, CPU)) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(("order", "most"), [(3, 2.0671), (4, 2.0041), (5, 2.0060)])
def test_backoff_reaches_what_is_known_of_the_lectures_list(split: Splits, order: int, most: float) -> None:
    model = fitted(Backoff(BackoffConfig(27, order)), split)
    assert mean_loss(model, Rows(split.dev, model, CPU)) <= most + 5e-5


def test_the_interpolated_trigram_is_between_bigram_and_backoff(split: Splits) -> None:
    model = fitted(Interpolated(InterpolatedConfig(27)), split)
    loss = mean_loss(model, Rows(split.dev, model, CPU))
    assert loss == pytest.approx(2.2524, abs=1e-3)
