"""Charts as text: sizes kept, spikes kept, nothing not finite lost in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.dashboard.charts.decimate import decimate
from tui_mm.dashboard.charts.loss import loss_curve, round_ticks
from tui_mm.dashboard.charts.sweep import sweep_chart


@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), float("inf")]), max_size=300), st.integers(1, 50))
def test_decimation_keeps_extremes_and_counts_what_is_not_finite(values: list[float], columns: int) -> None:
    array = np.array(values, dtype=np.float64)
    found = decimate(array, columns)
    assert len(found.start) <= columns
    finite = array[np.isfinite(array)]
    assert int(found.bad.sum()) == len(array) - len(finite)
    if len(finite):
        assert np.nanmin(found.low) == finite.min()
        assert np.nanmax(found.high) == finite.max()


def test_a_single_spike_among_many_points_survives() -> None:
    values = np.ones(200_000)
    values[123_456] = 9.0
    assert decimate(values, 100).high.max() == 9.0


@pytest.mark.parametrize(("width", "height"), [(40, 8), (80, 16), (160, 30)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_loss_curve_has_its_size_and_its_parts(width: int, height: int, ascii_only: bool) -> None:
    losses = 2.2 + 20 * np.exp(-np.arange(5000) / 300)
    text = loss_curve(
        losses, [(1000, 2.9), (5000, 2.3)], [("uniform", 3.296), ("bigram", 2.454)],
        width=width, height=height, color=False, ascii_only=ascii_only,
    )  # fmt: skip
    lines = text.splitlines()
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    bottom = next(y for y, line in enumerate(lines) if line.lstrip().startswith("└"))
    legend = " ".join(lines[bottom + 2 :])
    assert "uniform 3.296" in legend
    assert "dev" in legend
    assert "\x1b" not in text
    if ascii_only:
        assert not any(ord(c) > 0x2FFF or 0x2800 <= ord(c) <= 0x28FF for c in text)


def test_nan_is_marked_not_dropped() -> None:
    losses = np.full(100, 2.0)
    losses[50:] = np.nan
    text = loss_curve(losses, width=60, height=10, color=False)
    assert "!" in text.splitlines()[1]
    assert "not finite" in text
    assert loss_curve(np.full(5, np.nan)) == "no finite losses to draw"


def test_flat_and_single_losses_can_be_drawn() -> None:
    assert loss_curve(np.array([2.0]), width=40, height=8, color=False)
    assert loss_curve(np.full(9, 2.0), width=40, height=8, color=False)


@given(st.integers(1, 10**9), st.integers(2, 20))
def test_ticks_are_round_and_few(high: int, most: int) -> None:
    ticks = round_ticks(1, high, most)
    assert len(ticks) <= most + 1
    assert all(1 <= t <= high for t in ticks)


def test_the_sweep_chart_names_its_suggestions() -> None:
    x = np.linspace(-3, 0, 500)
    losses = (x + 1) ** 2 + 2
    text = sweep_chart(
        x, losses, losses, [("valley", 0.02), ("steepest", 0.005), ("minimum", None)],
        width=80, height=16, color=False,
    )  # fmt: skip
    assert "V valley 10**-1.70 = 0.02" in text
    assert "S steepest" in text
    assert "minimum" not in text
    body = text.splitlines()[:16]
    assert any("V" in line for line in body)
    assert any("S" in line for line in body)
    assert sweep_chart(x, np.full(500, np.nan), losses) == "no finite losses to draw"


def test_a_blow_up_does_not_flatten_the_valley() -> None:
    x = np.linspace(-3, 0, 600)
    losses = np.where(x < -0.5, 3 - 0.5 * (x + 3), 1.75 + 500 * (x + 0.5))
    text = sweep_chart(x, losses, losses, width=80, height=16, color=False)
    ticks = [float(line.split("┤")[0]) for line in text.splitlines() if "┤" in line]
    assert max(ticks) < 8
    assert min(ticks) >= 0
