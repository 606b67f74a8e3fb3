"""The expected time: its terms, what a finished run teaches, and how it is written."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.config import PRESETS, RunConfig, make_config
from tui_mm.estimate import clock, distinct_contexts, examples_of, expected_seconds, outlook, speed_of

LECTURE_NAMES = (27, 182_625)  # characters, train examples


def seconds(preset: str | None = None, **flags: Any) -> float:
    return expected_seconds(make_config(preset, flags=flags), *LECTURE_NAMES)


@pytest.mark.parametrize(
    ("preset", "flags", "least", "most"),
    [  # one thread of the calibrated machine while others used it, too; within 1.5 times of the best seen
        ("default", {}, 8, 18),
        ("lecture", {}, 55, 130),
        ("lecture-small", {}, 7, 17),
        ("bigram", {}, 0.01, 1),
    ],
)
def test_the_presets_take_what_was_measured(preset: str, flags: dict[str, Any], least: float, most: float) -> None:
    assert least < seconds(preset, **flags) < most


@pytest.mark.parametrize(
    "more",
    [
        {"steps": 5000},
        {"batch_size": 1024},
        {"batch_size": 0},
        {"hidden": 400},
        {"embedding": 48},
        {"block_size": 12},
        {"eval_every": 10},
    ],
)
def test_more_of_anything_takes_longer(more: dict[str, Any]) -> None:
    assert seconds(**more) > seconds()


def test_steps_cost_in_proportion_and_sgd_less_than_adamw() -> None:
    assert seconds(steps=200_000, eval_every=10**6) / seconds(steps=100_000, eval_every=10**6) == pytest.approx(2, 0.05)
    assert seconds(optimizer="sgd", hidden=2000) < seconds(hidden=2000)


def test_a_counted_model_costs_no_steps() -> None:
    assert seconds("bigram", steps=10**6) == seconds("bigram")


def test_distinct_contexts_are_near_those_of_names() -> None:
    """Of lecture-names: 5,438 of three letters, 45,937 of six; of the bundled names 7,435 and 80,539 (counted)."""
    for block_size, examples, counted in ((3, 182_625, 5_438), (6, 182_625, 45_937), (3, 247_241, 7_435)):
        assert counted / 1.5 < distinct_contexts(block_size, 27, examples) < counted * 1.5
    assert distinct_contexts(1, 27, 10**6) < 27
    assert distinct_contexts(256, 8000, 10**6) == pytest.approx(350_000)
    assert distinct_contexts(3, 27, 0) == 0


@given(
    st.sampled_from(list(PRESETS)),
    st.integers(2, 10_000),
    st.integers(1, 10**8),
    st.floats(0.01, 1e6),
    st.floats(0.5, 1000),
)
def test_a_finished_run_makes_the_estimate_exact(
    preset: str, vocab_size: int, examples: int, measured: float, factor: float
) -> None:
    config = make_config(preset)
    speed = speed_of(config, vocab_size, examples, measured)
    assert 0.001 <= speed <= 1000
    if 0.001 < speed < 1000:
        assert expected_seconds(config, vocab_size, examples, speed) == pytest.approx(measured)
    assert expected_seconds(config, vocab_size, examples, speed * factor) == pytest.approx(
        expected_seconds(config, vocab_size, examples, speed) / factor
    )


@pytest.mark.parametrize("measured", [0.0, -1.0, math.nan, math.inf])
def test_a_run_of_no_time_teaches_nothing(measured: float) -> None:
    assert speed_of(RunConfig(), 27, 1000, measured) == 1


def test_examples_follow_the_words_that_are_taken() -> None:
    known = make_config()
    assert examples_of(known, known, 1000, 6000) == 6000
    assert examples_of(make_config("five-words"), known, 1000, 6000) == 38  # 7.5 a word
    assert examples_of(make_config(flags={"train_fraction": 0.4}), known, 1000, 6000) == 3000
    assert examples_of(make_config(flags={"max_words": 5000}), known, 1000, 6000) == 6000


def test_the_outlook_in_words() -> None:
    parameters, time, steps = outlook(make_config("lecture"), *LECTURE_NAMES)
    assert (parameters, steps) == ("11,897 parameters", "200,000 steps of 32")
    assert time.startswith("about 1:")
    assert outlook(make_config("bigram"), *LECTURE_NAMES)[::2] == ["729 cells", "counted once"]
    assert outlook(make_config("five-words", flags={"steps": 1}), 27, 32)[2] == "1 step of all"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:01"), (8.2, "0:09"), (61, "1:01"), (3723, "1:02:03"), (86400 * 12, "12 days"), (1e12, "11,574,074 days")],
)
def test_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
