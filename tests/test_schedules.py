"""Learning-rate schedules, by value."""

from __future__ import annotations

import pytest

from tui_mm.config import make_config
from tui_mm.training.schedules import lr_factor


def factors(**flags: object) -> list[float]:
    config = make_config(flags={"steps": 100, **flags})
    return [lr_factor(config, step) for step in range(100)]


def test_constant_stays() -> None:
    assert set(factors(schedule="constant")) == {1.0}


def test_step_drops_once_at_its_share_of_the_steps() -> None:
    found = factors(schedule="step", decay_at=0.5, decay_factor=0.1)
    assert found[:50] == [1.0] * 50
    assert found[50:] == [0.1] * 50


def test_the_lectures_rate_is_a_tenth_from_step_100_000_on() -> None:
    config = make_config("lecture")
    assert config.lr * lr_factor(config, 99_999) == 0.1
    assert config.lr * lr_factor(config, 100_000) == pytest.approx(0.01)


def test_cosine_falls_from_one_to_almost_nothing() -> None:
    found = factors(schedule="cosine")
    assert found[0] == 1.0
    assert found[50] == pytest.approx(0.5)
    assert found[99] < 0.001
    assert found == sorted(found, reverse=True)


def test_one_cycle_rises_over_the_warm_up_and_falls_to_almost_nothing() -> None:
    found = factors(schedule="one-cycle", warmup=0.2)
    assert found[0] == pytest.approx(1 / 25)
    assert found[20] == 1.0 == max(found)
    assert found[:21] == sorted(found[:21])
    assert found[20:] == sorted(found[20:], reverse=True)
    assert found[99] < 0.001


def test_one_cycle_without_warm_up_is_a_cosine() -> None:
    assert factors(schedule="one-cycle", warmup=0) == factors(schedule="cosine")


def test_bengio_divides_by_one_plus_r_t() -> None:
    found = factors(schedule="bengio", decay_rate=0.01)
    assert found[0] == 1.0
    assert found[50] == pytest.approx(1 / 1.5)
