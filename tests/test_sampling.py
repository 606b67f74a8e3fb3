"""The one sampler: what it draws from, what it keeps, and what it reports."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from models import sampling as sampling_module
from models.base import BOUNDARY, LanguageModel
from models.mlp import MLP, MLPConfig
from models.ngram import NGram, NGramConfig
from models.sampling import Sample, SamplingConfig, SamplingError, next_distribution, sample, sample_each

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=60)
EMPTY = torch.empty(1, 0, dtype=torch.int64)
SEEDS = st.integers(0, 1 << 32)
LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=8)


class Fixed(LanguageModel):
    """Given logits, whatever came before."""

    row: Tensor

    def __init__(self, logits: list[float]) -> None:
        super().__init__(len(logits), block_size=1)
        self.register_buffer("row", torch.tensor(logits))

    def forward(self, contexts: Tensor) -> Tensor:
        return self.row.expand(len(contexts), -1)


def random_bigram(seed: int, size: int = 6, most: int = 20) -> NGram:
    model = NGram(NGramConfig(size))
    model.load_state_dict({"counts": torch.randint(0, most, (size, size), generator=Generator().manual_seed(seed))})
    return model


def probabilities_of(model: NGram) -> Tensor:
    return model.probabilities(torch.arange(model.vocab_size)[:, None])


def distribution(logits: list[float], **how: float) -> list[float]:
    found = next_distribution(Fixed(logits), EMPTY, SamplingConfig(**how))  # type: ignore[arg-type]
    return [float(p) for p in found[0]]


def softmax(logits: list[float], temperature: float = 1.0) -> list[float]:
    top = max(logits)
    weights = [math.exp((value - top) / temperature) for value in logits]
    return [weight / sum(weights) for weight in weights]


def draw(model: LanguageModel, count: int, seed: int = 1, prefix: tuple[int, ...] = (), **how: float) -> list[Sample]:
    config = SamplingConfig(**how)  # type: ignore[arg-type]
    return sample(model, count, generator=Generator().manual_seed(seed), prefix=prefix, config=config)


def one_after_another(
    model: LanguageModel, count: int, generator: Generator, prefix: tuple[int, ...], config: SamplingConfig
) -> list[Sample]:
    """The lectures' sampling loop, one character after another, one name after another."""
    names = []
    for _ in range(count):
        tokens = list(prefix)
        chances: list[float] = []
        while True:
            history = torch.tensor([tokens], dtype=torch.int64)
            probabilities = next_distribution(model, history, config)[0].numpy()
            total = np.cumsum(probabilities)
            u = float(torch.rand(1, dtype=torch.float64, generator=generator)) * total[-1]
            token = int(np.searchsorted(total, u, side="right"))
            if token != BOUNDARY and len(tokens) >= config.max_length:
                names.append(Sample(tuple(tokens), tuple(chances), False))
                break
            chances.append(float(probabilities[token]))
            if token == BOUNDARY:
                names.append(Sample(tuple(tokens), tuple(chances), True))
                break
            tokens.append(token)
    return names


# --- the distribution


@REPEATABLE
@given(LOGITS)
def test_without_options_it_is_the_softmax(logits: list[float]) -> None:
    found = distribution(logits)
    assert sum(found) == pytest.approx(1)
    assert found == pytest.approx(softmax(logits), rel=1e-6, abs=1e-12)


@REPEATABLE
@given(LOGITS, st.floats(0.05, 20))
def test_temperature_divides_the_logits(logits: list[float], temperature: float) -> None:
    found = distribution(logits, temperature=temperature)
    assert sum(found) == pytest.approx(1)
    assert found == pytest.approx(softmax(logits, temperature), rel=1e-5, abs=1e-12)


@REPEATABLE
@given(LOGITS.filter(lambda logits: logits.count(max(logits)) == 1))
def test_temperature_zero_takes_the_likeliest(logits: list[float]) -> None:
    expected = [float(value == max(logits)) for value in logits]
    assert distribution(logits, temperature=0) == expected
    assert distribution(logits, temperature=0, top_k=2, top_p=0.5) == expected


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-300, 5e-324])
def test_a_tiny_temperature_is_the_greedy_limit_and_no_overflow(temperature: float) -> None:
    assert distribution([80.0, 90.0, -80.0], temperature=temperature) == [0.0, 1.0, 0.0]
    assert distribution([3.0, 1.0, 3.0], temperature=temperature) == [0.5, 0.0, 0.5]


def test_a_vast_temperature_is_uniform() -> None:
    assert distribution([80.0, 90.0, -80.0], temperature=1e300) == pytest.approx([1 / 3] * 3)


@REPEATABLE
@given(st.lists(st.integers(-60, 60), min_size=2, max_size=8, unique=True), st.integers(0, 10))
@example([1, 2, 3], 1)
def test_top_k_keeps_the_k_likeliest_and_their_proportions(values: list[int], k: int) -> None:
    logits = [value / 4 for value in values]
    found, full = distribution(logits, top_k=k), softmax(logits)
    kept = sorted(range(len(logits)), key=lambda i: -logits[i])[: k or None]
    together = sum(full[i] for i in kept)
    expected = [full[i] / together if i in kept else 0.0 for i in range(len(logits))]
    assert found == pytest.approx(expected, rel=1e-6)
    assert {i for i, p in enumerate(found) if p} == set(kept)


@REPEATABLE
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=8, unique=True), st.floats(1e-9, 1))
@example([1, 2, 3], 1e-9)
@example([1, 2, 3], 1.0)
def test_top_p_keeps_the_fewest_likeliest_that_reach_p(values: list[int], p: float) -> None:
    logits = [value / 4 for value in values]
    found, full = distribution(logits, top_p=p), softmax(logits)
    ordered = sorted(range(len(logits)), key=lambda i: -full[i])
    kept = {i for i, chance in enumerate(found) if chance}
    assert kept == set(ordered[: len(kept)])
    assert sum(full[i] for i in kept) >= p - 1e-6
    assert len(kept) == 1 or sum(full[i] for i in ordered[: len(kept) - 1]) < p + 1e-6
    together = sum(full[i] for i in kept)
    expected = [full[i] / together if i in kept else 0.0 for i in range(len(logits))]
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3), (0.9, 4), (1.0, 4)])
def test_top_p_by_value(top_p: float, kept: int) -> None:
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log2().mul(math.log(2)).tolist()
    exact = [0.5, 0.25, 0.125, 0.125]
    found = distribution(logits, top_p=top_p - 1e-6 if top_p < 1 else top_p)
    assert found == pytest.approx([p / sum(exact[:kept]) if i < kept else 0 for i, p in enumerate(exact)], rel=1e-5)


def test_top_p_counts_among_what_top_k_left() -> None:
    """Of .4 .3 .2 .1, top-k 2 leaves 4/7 and 3/7, and the first reaches .5 alone; of all four it does not."""
    logits = [math.log(p) for p in (0.4, 0.3, 0.2, 0.1)]
    assert distribution(logits, top_k=2, top_p=0.5) == [1.0, 0.0, 0.0, 0.0]
    assert distribution(logits, top_p=0.5) == pytest.approx([4 / 7, 3 / 7, 0, 0], rel=1e-6)


def test_equally_likely_characters_are_kept_to_exactly_k() -> None:
    found = distribution([1.0] * 6, top_k=2)
    assert sorted(found) == [0, 0, 0, 0, 0.5, 0.5]


def test_an_impossible_character_stays_impossible() -> None:
    for how in ({}, {"temperature": 1e-300}, {"temperature": 0.0}, {"temperature": 100.0}, {"top_k": 2}, {"top_p": 1}):
        assert distribution([-math.inf, 1.0, 0.0], **how)[0] == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_named_as_divergence(bad: float, temperature: float) -> None:
    with pytest.raises(SamplingError, match=r"its training diverged; train with a lower learning rate \(lr\)"):
        distribution([0.0, bad, 1.0], temperature=temperature)
    with pytest.raises(SamplingError, match="predictions are not numbers"):
        draw(Fixed([0.0, bad, 1.0]), 3, temperature=temperature)


def test_a_diverged_mlp_is_named_as_such() -> None:
    model = MLP(MLPConfig(5, 2, 3, 4), Generator().manual_seed(1))
    with torch.no_grad():
        model.W1[0, 0] = math.nan
    with pytest.raises(SamplingError, match="diverged"):
        draw(model, 1)


def test_probabilities_are_float64_rows_for_every_history() -> None:
    model = random_bigram(1)
    found = next_distribution(model, torch.tensor([[1, 2], [3, 4], [5, 0]]))
    assert found.shape == (3, 6)
    assert found.dtype == torch.float64
    assert torch.allclose(found, probabilities_of(model)[[2, 4, 0]])
    assert torch.allclose(next_distribution(model, EMPTY), probabilities_of(model)[[BOUNDARY]])


@pytest.mark.parametrize(
    ("field", "value", "option"),
    [
        ("temperature", -0.1, "--temperature: -0.1"),
        ("temperature", math.inf, "--temperature: inf"),
        ("temperature", math.nan, "--temperature: nan"),
        ("top_k", -1, "--top-k: -1"),
        ("top_p", 0, "--top-p: 0"),
        ("top_p", 1.01, "--top-p: 1.01"),
        ("top_p", math.nan, "--top-p: nan"),
        ("max_length", 0, "--max-length: 0"),
    ],
)
def test_an_option_out_of_range_is_named_with_what_is_allowed(field: str, value: float, option: str) -> None:
    with pytest.raises(SamplingError) as caught:
        SamplingConfig(**{field: value})  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith(f"{option} is not allowed; give a ")
    assert "\n" not in message


@pytest.mark.parametrize("how", [{"temperature": 0}, {"top_p": 1}, {"top_k": 0}, {"max_length": 1}])
def test_the_ends_of_the_ranges_are_allowed(how: dict[str, float]) -> None:
    SamplingConfig(**how)  # type: ignore[arg-type]


# --- names


@REPEATABLE
@given(
    SEEDS,
    st.integers(0, 25),
    st.lists(st.integers(1, 5), max_size=4).map(tuple),
    st.builds(
        SamplingConfig,
        temperature=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        top_k=st.sampled_from([0, 1, 3]),
        top_p=st.sampled_from([0.3, 0.9, 1.0]),
        max_length=st.integers(1, 12),
    ),
)
@example(1, 20, (), SamplingConfig(max_length=1))
@example(1, 20, (1, 2, 3), SamplingConfig(max_length=2))
def test_names_are_those_drawn_one_after_another(
    seed: int, count: int, prefix: tuple[int, ...], config: SamplingConfig
) -> None:
    model = random_bigram(seed)
    found = sample(model, count, generator=Generator().manual_seed(seed), prefix=prefix, config=config)
    expected = one_after_another(model, count, Generator().manual_seed(seed), prefix, config)
    assert [(s.tokens, s.ended) for s in found] == [(s.tokens, s.ended) for s in expected]
    assert [list(s.probabilities) for s in found] == [pytest.approx(s.probabilities) for s in expected]


@REPEATABLE
@given(SEEDS, st.integers(0, 40), st.integers(0, 40), st.integers(1, 9))
def test_the_names_of_a_smaller_count_come_first_in_a_larger(seed: int, few: int, more: int, limit: int) -> None:
    model = random_bigram(seed)
    many = draw(model, few + more, seed, max_length=limit)
    assert len(many) == few + more
    assert draw(model, few, seed, max_length=limit) == many[:few]


@pytest.mark.parametrize(("few", "many"), [(1, 1), (2, 3), (8, 16), (1, 2048)])
def test_names_do_not_depend_on_the_size_of_a_batch(few: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_bigram(4)
    expected = draw(model, 60, max_length=7)
    monkeypatch.setattr(sampling_module, "_FEW", few)
    monkeypatch.setattr(sampling_module, "_MANY", many)
    assert draw(model, 60, max_length=7) == expected


def test_the_same_seed_gives_the_same_names_and_another_others() -> None:
    model = random_bigram(2)
    assert draw(model, 20, seed=5) == draw(model, 20, seed=5)
    assert draw(model, 20, seed=5) != draw(model, 20, seed=6)


@REPEATABLE
@given(st.lists(SEEDS, max_size=5), st.sampled_from([(), (1,), (2, 1)]), st.sampled_from([1, 2, 30]))
def test_a_name_for_each_seed_is_the_one_of_a_generator_of_its_own(
    seeds: list[int], prefix: tuple[int, ...], limit: int
) -> None:
    model, config = random_bigram(3), SamplingConfig(max_length=limit)
    alone = [sample(model, 1, generator=Generator().manual_seed(s), prefix=prefix, config=config)[0] for s in seeds]
    together = sample_each(model, seeds, prefix=prefix, config=config)
    assert [(n.tokens, n.ended) for n in together] == [(n.tokens, n.ended) for n in alone]
    assert [n.probabilities for n in together] == [n.probabilities for n in alone]


def test_a_name_for_each_seed_leaves_the_global_generator_and_the_mode() -> None:
    model = MLP(MLPConfig(6, 3, 2, 8), Generator().manual_seed(1)).train()
    before = torch.get_rng_state()
    names = [name.tokens for name in sample_each(model, [1, 2, 3, 1])]
    assert names[0] == names[3] != names[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


def test_no_names_are_no_names() -> None:
    assert draw(random_bigram(1), 0) == []


@REPEATABLE
@given(SEEDS, st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple))
def test_a_prefix_is_kept_and_what_follows_is_reported(seed: int, prefix: tuple[int, ...]) -> None:
    model = random_bigram(seed)
    P = probabilities_of(model)
    for name in draw(model, 8, seed, prefix, max_length=9):
        assert name.tokens[: len(prefix)] == prefix
        assert BOUNDARY not in name.tokens
        drawn = [*name.tokens[len(prefix) :], *([BOUNDARY] if name.ended else [])]
        pairs = pairwise([prefix[-1], *drawn])
        assert list(name.probabilities) == pytest.approx([float(P[pair]) for pair in pairs])


@REPEATABLE
@given(SEEDS, st.integers(1, 6))
def test_a_name_is_cut_at_the_limit_unless_it_ends_there(seed: int, limit: int) -> None:
    names = draw(random_bigram(seed), 30, seed, max_length=limit)
    for name in names:
        assert len(name.tokens) <= limit
        assert name.ended or len(name.tokens) == limit
        assert len(name.probabilities) == len(name.tokens) + name.ended


def test_a_name_that_never_ends_is_cut() -> None:
    names = draw(Fixed([-math.inf, 0.0, 0.0]), 4, max_length=50)
    assert [(len(name.tokens), name.ended) for name in names] == [(50, False)] * 4
    assert all(name.probabilities == pytest.approx([0.5] * 50) for name in names)


def test_a_name_that_ends_at_the_limit_has_ended() -> None:
    """After 1 comes the end, after the start comes 1, and both are sure."""
    model = NGram(NGramConfig(2, smoothing=0.0))
    model.load_state_dict({"counts": torch.tensor([[0, 3], [3, 0]])})
    assert draw(model, 3, max_length=1) == [Sample((1,), (1.0, 1.0), True)] * 3


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_prefix_as_long_as_the_limit_or_longer_is_kept_whole(limit: int) -> None:
    model = NGram(NGramConfig(4))  # untaught: every name ends with a chance of 1/4
    names = draw(model, 40, prefix=(1, 2, 3), max_length=limit)
    assert {name.tokens for name in names} == {(1, 2, 3)}
    assert {name.ended for name in names} == {True, False}
    assert {len(name.probabilities) for name in names if not name.ended} == {0}
    assert {len(name.probabilities) for name in names if name.ended} == {1}


def test_the_name_after_a_cut_one_is_drawn_afresh() -> None:
    """A draw that asked whether a name ends must not be used again for the first letter of the next."""
    names = draw(Fixed([0.0, 0.0, 0.0]), 6000, max_length=1)
    after_cut = Counter(b.tokens for a, b in pairwise(names) if not a.ended)
    assert after_cut.total() > 2000
    for tokens in ((), (1,), (2,)):
        assert after_cut[tokens] / after_cut.total() == pytest.approx(1 / 3, abs=0.04)


def test_names_are_drawn_as_often_as_they_are_likely() -> None:
    model = random_bigram(6, size=3, most=6)
    P = probabilities_of(model)
    count = 6000
    found = Counter(name.tokens for name in draw(model, count))
    for tokens in ((), (1,), (2,), (1, 2), (2, 1), (1, 1)):
        chance = math.prod(float(P[pair]) for pair in pairwise([BOUNDARY, *tokens, BOUNDARY]))
        assert found[tokens] / count == pytest.approx(chance, abs=5 * math.sqrt(chance * (1 - chance) / count))


def test_greedy_names_are_all_the_likeliest_path() -> None:
    model = NGram(NGramConfig(4, smoothing=0.0))
    model.load_state_dict({"counts": torch.tensor([[0, 5, 4, 0], [1, 0, 2, 0], [2, 1, 0, 5], [9, 1, 1, 1]])})
    assert draw(model, 3, temperature=0) == [Sample((1, 2, 3), (1.0,) * 4, True)] * 3
    assert draw(model, 2, prefix=(2,), temperature=0) == [Sample((2, 3), (1.0,) * 2, True)] * 2


@REPEATABLE
@given(SEEDS, st.integers(1, 3))
def test_names_use_only_what_top_k_keeps(seed: int, k: int) -> None:
    model = random_bigram(seed)
    allowed = [set(row) for row in probabilities_of(model).topk(k).indices.tolist()]
    for name in draw(model, 10, seed, top_k=k, max_length=8):
        drawn = [BOUNDARY, *name.tokens, *([BOUNDARY] if name.ended else [])]
        # among equals which are kept is open; their probability is not
        for first, second in pairwise(drawn):
            least = min(float(probabilities_of(model)[first, i]) for i in allowed[first])
            assert float(probabilities_of(model)[first, second]) >= least


def test_sampling_leaves_the_model_and_the_global_generator_as_they_were() -> None:
    model = MLP(MLPConfig(5, 2, 3, 4), Generator().manual_seed(1))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    for training in (True, False):
        model.train(training)
        draw(model, 5, max_length=10)
        assert model.training is training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in weights.items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_failed_sampling_leaves_the_model_training() -> None:
    model = Fixed([math.nan, 0.0])
    model.train()
    with pytest.raises(SamplingError):
        draw(model, 1)
    assert model.training


def test_dropout_and_the_like_are_off_while_sampling() -> None:
    class Seen(Fixed):
        def forward(self, contexts: Tensor) -> Tensor:
            assert not self.training
            return super().forward(contexts)

    model = Seen([0.0, 0.0])
    model.train()
    assert len(draw(model, 3)) == 3
