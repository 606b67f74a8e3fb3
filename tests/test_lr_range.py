"""The learning-rate range test: the lecture's curve, and that it touches nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from data.corpus import Corpus
from tui_mm.config import ConfigError, make_config
from tui_mm.training.lr_range import lecture_exponents, lr_range_test
from tui_mm.training.setup import build_trainer
from tui_mm.training.suggestions import Suggestions, smooth, suggest
from tui_mm.words import split_for


def sweep(corpus: Corpus, preset: str, count: int = 1000, **flags: object) -> tuple[np.ndarray, np.ndarray]:
    config = make_config(preset, flags={"threads": 1, **flags})
    trainer = build_trainer(config, split_for(config, corpus))
    exponents = lecture_exponents(count=count)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    state = trainer.generator.get_state().clone()
    blocks = list(
        lr_range_test(trainer.model, trainer.rows["train"], config, exponents=exponents, generator=trainer.generator)
    )
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
    assert torch.equal(trainer.generator.get_state(), state)
    assert trainer.step == 0
    return np.concatenate([b.exponents for b in blocks]), np.concatenate([b.losses for b in blocks])


def test_lecture_curve_falls_to_a_valley_near_a_tenth(lecture: Corpus) -> None:
    """Fifty-step means: 18.5 at -2.92, least about 3.2 near -0.8, 7.0 at -0.07 (facts of the lecture)."""
    exponents, losses = sweep(lecture, "lecture-small")
    means = losses.reshape(20, 50).mean(1)
    assert means[0] == pytest.approx(18.5, abs=0.5)
    assert means.min() == pytest.approx(3.2, abs=0.15)
    assert -1.1 < exponents.reshape(20, 50).mean(1)[means.argmin()] < -0.6
    assert means[-1] == pytest.approx(7.0, abs=1.5)


def test_the_sweep_touches_nothing_and_repeats_to_the_bit(corpus: Corpus) -> None:
    first, second = sweep(corpus, "lecture-small", 200), sweep(corpus, "lecture-small", 200)
    assert np.array_equal(first[1], second[1])
    assert len(first[0]) == 200


def test_full_batch_sweeps_too(corpus: Corpus) -> None:
    assert len(sweep(corpus, "lecture-small", 20, batch_size=0)[1]) == 20


def test_it_ends_at_a_loss_that_is_not_finite(corpus: Corpus) -> None:
    config = make_config("lecture-small")
    trainer = build_trainer(config, split_for(config, corpus))
    exponents = np.linspace(0, 40, 200)
    blocks = list(
        lr_range_test(trainer.model, trainer.rows["train"], config, exponents=exponents, generator=trainer.generator)
    )
    losses = np.concatenate([b.losses for b in blocks])
    assert len(losses) < 200
    assert np.isfinite(losses[:-1]).all()
    assert not math.isfinite(losses[-1])


def test_counting_has_no_rate_to_find(corpus: Corpus) -> None:
    with pytest.raises(ConfigError, match="no learning rate"):
        sweep(corpus, "bigram")


def test_exponents_are_the_lectures_and_nonsense_is_refused() -> None:
    exponents = lecture_exponents()
    assert (exponents[0], exponents[-1], len(exponents)) == (-3.0, 0.0, 1000)
    for low, high, count in ((0, -3, 100), (-3, 99, 100), (-3, 0, 2)):
        with pytest.raises(ConfigError):
            lecture_exponents(low, high, count)


def test_suggestions_on_a_curve_known_by_construction() -> None:
    """A smooth valley: falls fastest at -2, least at -1, rises after it."""
    x = np.linspace(-3, 0, 301)
    y = 5 - 3 / (1 + np.exp(-8 * (x + 2))) + np.where(x > -1, 20 * (x + 1) ** 2, -0.02 * (x + 3))
    found = suggest(x, y)
    assert found.steepest is not None
    assert math.log10(found.steepest) == pytest.approx(-2, abs=0.05)
    assert found.minimum is not None
    assert math.log10(found.minimum) == pytest.approx(math.log10(10.0 ** x[y.argmin()]) - 1, abs=1e-9)
    # the longest decrease runs from the start to the minimum; fastai's point is start + len/3 + len/6, so halfway
    assert found.valley is not None
    assert math.log10(found.valley) == pytest.approx((-3 + x[y.argmin()]) / 2, abs=0.03)


def test_a_curve_that_only_rises_suggests_nothing() -> None:
    x = np.linspace(-3, 0, 50)
    assert suggest(x, x + 4) == Suggestions(None, None, None)
    assert suggest(x, np.full(50, np.nan)) == Suggestions(None, None, None)


def test_smoothing_keeps_the_mean_has_no_lag_and_stops_at_nan() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 1000)
    smoothed = smooth((x**2 + rng.normal(0, 0.05, 1000)).tolist())
    assert abs(x[smoothed.argmin()]) < 0.1
    assert np.abs(smoothed - x**2)[60:-60].max() < 0.03
    broken = smooth([3.0, 2.0, 1.0, float("inf"), 1.0])
    assert np.isfinite(broken[:3]).all()
    assert np.isnan(broken[3:]).all()
    assert len(smooth([])) == 0
