"""Charts as text: sizes kept, spikes kept, nothing not finite lost in silence."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.dashboard.charts.decimate import decimate
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
