"""Rates that were trained at: what their losses say, and the chart of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus
from tui_mm.config import ConfigError, make_config
from tui_mm.dashboard.charts.look import Colors, Look
from tui_mm.dashboard.charts.trials import trials_chart
from tui_mm.training.replicas.results import results
from tui_mm.training.replicas.training import build_replicas
from tui_mm.training.trials import Trials, trial_configs, trial_exponents, usual_steps
from tui_mm.words import split_for

NAN = float("nan")
RATES = np.array([-3.0, -2.0, -1.0, 0.0, 1.0])
TRIALS = Trials(RATES, np.array([[3, 3.2, 3.1], [2.4, 2.5, 2.6], [2.3, 2.35, 2.55], [2.2, NAN, 2.1], [NAN, NAN, NAN]]))


def test_what_the_losses_of_seeds_say() -> None:
    np.testing.assert_allclose(TRIALS.median, [3.1, 2.5, 2.35, 2.15, NAN])
    np.testing.assert_allclose(TRIALS.low, [3, 2.4, 2.3, 2.1, NAN])
    np.testing.assert_allclose(TRIALS.high, [3.2, 2.6, 2.55, 2.2, NAN])
    assert TRIALS.diverged.tolist() == [0, 0, 0, 1, 3]
    assert TRIALS.best == 2, "a rate at which a seed diverged is not to be trusted"
    assert TRIALS.as_good == (1, 2)


def test_where_a_seed_diverged_at_every_rate_none_is_best() -> None:
    lost = Trials(RATES[:2], np.array([[NAN, 2.0], [NAN, NAN]]))
    assert (lost.best, lost.as_good) == (None, None)


@given(st.integers(1, 8), st.integers(2, 5), st.data())
def test_points_are_taken_apart_again(rates: int, seeds: int, data: st.DataObject) -> None:
    losses = np.array(data.draw(st.lists(st.floats(), min_size=rates * seeds, max_size=rates * seeds)))
    exponents = np.linspace(-3, 0, rates)
    found = Trials.of_points(np.repeat(exponents, seeds), losses)
    assert found is not None
    np.testing.assert_array_equal(found.losses, losses.reshape(rates, seeds))
    np.testing.assert_array_equal(found.exponents, exponents)


@pytest.mark.parametrize("exponents", [[], [-3], [-3, -2], [-3, -3, -2], [-2, -2, -3, -3], [-3, -3, -2, -2, -2, -1]])
def test_other_points_are_no_trials(exponents: list[float]) -> None:
    assert Trials.of_points(np.array(exponents, float), np.zeros(len(exponents))) is None


def test_configurations_differ_in_rate_and_seed_alone() -> None:
    config = make_config("lecture", flags={"seed": 5})
    made = trial_configs(config, np.array([-1.0, 0.0]), 2, 300)
    assert [(c.lr, c.seed) for c in made] == [(0.1, 5), (0.1, 6), (1.0, 5), (1.0, 6)]
    assert {c.but(lr=1.0, seed=0) for c in made} == {config.but(lr=1.0, seed=0, steps=300)}
    assert max(c.seed for c in trial_configs(config.but(seed=(1 << 63) - 1), RATES, 3, 1)) < 1 << 63
    for low, high, count in ((0, -1, 5), (-13, 0, 5), (-1, 0, 1), (-1, 0, 5000)):
        with pytest.raises(ConfigError, match=r"--from|--points"):
            trial_exponents(low, high, count)


def test_larger_minibatches_are_trained_for_fewer_steps() -> None:
    assert [usual_steps(make_config("lecture", flags={"batch_size": n})) for n in (0, 1, 32, 512, 1 << 20)] == [
        200, 1000, 1000, 256, 200,
    ]  # fmt: skip


def test_a_training_says_how_far_it_is_and_at_last_the_dev_losses(corpus: Corpus) -> None:
    flags = {"threads": 1, "device": "cpu", "batch_size": 8, "hidden": 8, "embedding": 4}
    config = make_config("lecture", flags=flags)
    configs = trial_configs(config, np.array([-1.0, 3.0]), 2, 50)
    splits = split_for(config, corpus)
    together = build_replicas(configs, splits)
    told = [p for p in results(together) if p is not None]
    assert [p.is_final for p in told] == [False] * (len(told) - 1) + [True]
    assert {p.measured for p in told[:-1]} == {"train"}
    assert told[-1].measured == "dev"
    assert [p.step for p in told] == sorted(p.step for p in told)
    assert told[-1].losses[:2] == pytest.approx([together.loss(i, "dev") for i in (0, 1)])
    assert np.isnan(told[-1].losses[2:]).all(), "a rate of 1,000 ends above its start, if it is finite at all"


# -- the chart


@pytest.mark.parametrize("size", [(34, 11), (46, 11), (78, 18), (160, 40)])
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("colors", [None, Colors()])
def test_the_chart_has_its_size_and_says_what_its_marks_are(
    size: tuple[int, int], ascii_only: bool, colors: Colors | None
) -> None:
    text = trials_chart(TRIALS, look=Look(*size, colors, ascii_only), cursor=-1.0, now=0.01)
    assert ("\x1b[" in text) is (colors is not None)
    if colors is None:
        lines = text.splitlines()
        assert len(lines) == size[1]
        assert all(len(line) <= size[0] for line in lines)
        assert lines[0].count("x") == 2, "both rates at which seeds diverged"
        assert sum(line.count("B") for line in lines) == 2, "in the chart, and what it means"
        assert any("N" in line for line in lines)
        assert "B best" in text
        assert "x diverged" in text
        assert "10**-1.00 = 0.1, 2.350" in text
        assert not ascii_only or text.isascii()


def test_rates_far_above_the_best_do_not_flatten_the_others() -> None:
    trials = Trials(np.array([-3.0, -2.0, -1.0]), np.array([[30.0, 31.0], [2.3, 2.4], [2.0, 2.2]]))
    text = trials_chart(trials, look=Look(80, 20, None))
    assert "^ above the chart" in text
    lines = text.splitlines()
    assert lines[0].count("^") == 1
    assert sum("●" in line for line in lines[:5]) == 1, "the other rates have the chart to themselves"
    assert "30" not in "\n".join(line[:6] for line in lines)


def test_under_way_nothing_is_best_yet_and_before_that_there_is_nothing() -> None:
    text = trials_chart(TRIALS, look=Look(80, 20, None), measured="train", under_way="300 of 1,000 steps")
    assert "300 of 1,000 steps" in text
    assert "train loss" in text
    assert "best" not in text
    none = Trials(RATES, np.full((5, 2), NAN))
    assert trials_chart(none, under_way="0 of 9 steps") == "no finite losses to draw: 0 of 9 steps"


@given(
    st.integers(1, 6),
    st.integers(2, 3),
    st.data(),
)
def test_any_losses_are_drawn(rates: int, seeds: int, data: st.DataObject) -> None:
    loss = st.floats(0, 1e30) | st.just(NAN)
    losses = np.array(data.draw(st.lists(loss, min_size=rates * seeds, max_size=rates * seeds)))
    trials = Trials(np.linspace(-3, 0, rates), losses.reshape(rates, seeds))
    assert trials_chart(trials, look=Look(40, 12, None), now=0.1)
