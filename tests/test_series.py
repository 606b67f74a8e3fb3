"""The loss series: equal to plain numpy on every step's loss, in memory that stays the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.runs.series import LossSeries

LOSSES = st.lists(
    st.floats(-1e6, 1e6, width=32) | st.sampled_from([math.nan, math.inf, -math.inf]), min_size=1, max_size=200
)


def raw_column(losses: np.ndarray) -> tuple[float, float, float, int]:
    finite = losses[np.isfinite(losses)].astype(np.float64)
    bad = len(losses) - len(finite)
    if not len(finite):
        return math.nan, math.nan, math.nan, bad
    return float(finite.min()), float(finite.mean()), float(finite.max()), bad


@given(LOSSES, st.lists(st.integers(0, 60), min_size=1, max_size=20), st.sampled_from([4, 16, 256]), st.data())
def test_columns_are_those_of_the_raw_losses(
    losses: list[float], cuts: list[int], most: int, data: st.DataObject
) -> None:
    raw = np.array(losses, np.float32)
    series = LossSeries(max_buckets=most)
    done = 0
    for cut in [*cuts, len(raw)]:
        series.append(raw[done : done + cut])
        done = min(len(raw), done + cut)
    assert series.steps == len(raw)
    assert -(-series.steps // series.bucket) <= most
    edges = sorted(data.draw(st.lists(st.integers(0, len(raw) + 20), min_size=2, max_size=12)))
    found = series.columns(np.array(edges))
    snapped = [-(-e // series.bucket) * series.bucket for e in edges]
    for i in range(len(edges) - 1):
        low, mean, high, bad = raw_column(raw[snapped[i] : snapped[i + 1]])
        assert found.low[i] == pytest.approx(low, nan_ok=True)
        assert found.mean[i] == pytest.approx(mean, nan_ok=True, rel=1e-9, abs=1e-4)
        assert found.high[i] == pytest.approx(high, nan_ok=True)
        assert found.bad[i] == bad


@given(LOSSES)
def test_the_first_loss_that_is_not_finite_is_remembered(losses: list[float]) -> None:
    series = LossSeries(max_buckets=4)
    for loss in losses:
        series.append(np.array([loss]))
    first = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
    if first is None:
        assert series.first_bad is None
    else:
        assert series.first_bad is not None
        assert series.first_bad[0] == first + 1
        assert str(series.first_bad[1]) == str(losses[first])


def test_buckets_widen_and_are_never_more_than_allowed() -> None:
    series = LossSeries(max_buckets=8)
    for _ in range(1000):
        series.append(np.ones(1))
    assert series.bucket == 128
    assert len(series._low) == 8
    assert LossSeries(np.ones(8), max_buckets=8).bucket == 1


def test_a_spike_of_one_step_is_kept_when_buckets_merge() -> None:
    losses = np.ones(100_000)
    losses[54_321] = 9.0
    series = LossSeries(losses, max_buckets=64)
    assert series.columns(np.arange(0, 100_001, 10_000)).high.tolist() == [1.0] * 5 + [9.0] + [1.0] * 4
