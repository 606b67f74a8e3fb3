"""Charts as text: sizes kept, spikes kept, nothing not finite lost in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_mm.dashboard.charts.bars import paired_bars
from tui_mm.dashboard.charts.decimate import decimate
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.sweep import sweep_axis, sweep_chart


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
    found = [("valley", 0.02), ("steepest", 0.005), ("minimum", None)]
    text = sweep_chart(x, losses, losses, found, look=Look(80, 16, None))
    assert "V valley 10**-1.70 = 0.02" in text
    assert "S steepest" in text
    assert "minimum" not in text
    area = [line for line in text.splitlines() if line[5:6] in ("│", "┤")]
    assert any("V" in line for line in area)
    assert any("S" in line for line in area)
    assert "N" not in text
    assert sweep_chart(x, np.full(500, np.nan), losses) == "no finite losses to draw"


def test_a_blow_up_does_not_flatten_the_valley() -> None:
    x = np.linspace(-3, 0, 600)
    losses = np.where(x < -0.5, 3 - 0.5 * (x + 3), 1.75 + 500 * (x + 0.5))
    text = sweep_chart(x, losses, losses, look=Look(80, 16, None))
    ticks = [float(line.split("┤")[0]) for line in text.splitlines() if "┤" in line]
    assert max(ticks) < 8
    assert min(ticks) >= 0


@pytest.mark.parametrize("size", [(46, 11), (80, 20), (160, 40)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_sweep_chart_has_its_size_and_its_columns_are_exponents(size: tuple[int, int], ascii_only: bool) -> None:
    x = np.linspace(-3, 0, 1000)
    losses = 2 + (x + 1) ** 2
    look = Look(*size, None, ascii_only)
    axis = sweep_axis(x, look.width)
    assert axis.exponent(axis.column(-1.0)) == pytest.approx(-1.0, abs=3 / axis.columns)
    text = sweep_chart(x, losses, losses, look=look, cursor=axis.exponent(7), now=10 ** axis.exponent(9))
    lines = text.splitlines()
    assert len(lines) == look.height
    assert all(len(line) <= look.width for line in lines)
    assert lines[1][axis.left + 7] == ("|" if ascii_only else "│")
    assert any(line[axis.left + 9 : axis.left + 10] == "N" for line in lines)
    assert f"smoothed {2 + (axis.exponent(7) + 1) ** 2:.3f}" in text
    assert f"N now {'10**' if size[0] > 60 else ''}" in text
    assert not ascii_only or text.isascii()


def test_a_sweep_under_way_spans_what_is_planned_and_keeps_what_it_drew() -> None:
    x = np.linspace(-3, 0, 1000)
    losses = 2 + (x + 2) ** 2
    look = Look(80, 20, None)
    early, late = (sweep_chart(x[:n], losses[:n], losses[:n], look=look, planned=x).splitlines() for n in (605, 612))
    assert "612 of 1,000 rates" in "\n".join(late)
    assert "rates" not in sweep_chart(x, losses, losses, look=look, planned=x)
    axis = sweep_axis(x, 80)
    bottom = next(y for y, line in enumerate(late) if "└" in line)
    settled = slice(axis.left, axis.left + axis.column(x[580]))
    assert [line[settled] for line in early[:bottom]] == [line[settled] for line in late[:bottom]]
    to_come = slice(axis.left + axis.column(x[620]), axis.left + axis.columns)
    assert not any(line[to_come].strip() for line in late[1:bottom])


def test_a_sweep_that_blew_up_says_where() -> None:
    x = np.linspace(-3, 0, 301)[:261]
    losses = np.append(np.full(260, 3.0), np.inf)
    text = sweep_chart(x, losses, losses, look=Look(80, 20, None))
    assert "stopped at 10**-0.4: the loss is not finite" in text


def test_the_columns_do_not_move_with_the_size_of_the_losses() -> None:
    x = np.linspace(-3, 0, 100)
    for scale in (1e-4, 1.0, 1234.5, 1e8):
        lines = sweep_chart(x, scale * (x + 5), scale * (x + 5), look=Look(60, 16, None)).splitlines()
        assert all(line[5] in "│┤└" for line in lines[:10])
        ticks = [float(line.split("┤")[0]) for line in lines if "┤" in line]
        assert ticks
        assert all(scale <= tick <= 6 * scale for tick in ticks)


def test_suggestions_of_one_column_stand_side_by_side() -> None:
    x = np.linspace(-3, 0, 100)
    suggestions = [("valley", 0.02), ("steepest", 0.0201), ("minimum/10", 0.0202)]
    above = sweep_chart(x, 5 - x, 5 - x, suggestions, look=Look(80, 20, None)).split("loss over")[0]
    assert [above.count(letter) for letter in "VSM"] == [1, 1, 1]


def test_a_rate_outside_the_chart_is_named_and_not_drawn() -> None:
    x = np.linspace(-3, 0, 100)
    text = sweep_chart(x, x + 5, x + 5, look=Look(80, 20, None), now=1e-5)
    assert "N now 10**-5.00 = 1e-05" in text
    assert text.count("N") == 1


@pytest.mark.parametrize("losses", [[3.0], [3.0, 3.0], [0.0, 0.0, 0.0], [1e-9, 1e30], [3.0, float("nan")]])
def test_short_flat_and_wild_sweeps_are_drawn(losses: list[float]) -> None:
    x = np.linspace(-3, 0, len(losses))
    assert "smoothed" in sweep_chart(
        x, np.array(losses), np.array(losses), look=Look(40, 9, None), cursor=-3.0, now=1.0
    )


def test_paired_bars_are_eighths_of_a_cell_and_as_wide_as_asked() -> None:
    rows = [("a", 0.5, 0.25), ("李", 0.03125, 0.0), ("\\u200d", 0.0, 1 / 3)]
    text = paired_bars(rows, ("model", "bigram"), width=40)
    assert all(cell_len(line) <= 40 for line in text.plain.splitlines())
    head, first, second, third = text.plain.splitlines()
    assert (head.index("model"), head.index("bigram")) == (7, 24)
    assert first == "a      ███████████  50% █████▌       25%"
    assert second == "李     ▊             3%               0%"
    assert third.endswith("███████▍     33%")
    in_ascii = paired_bars(rows, ("model", "bigram"), width=40, ascii_only=True).plain
    assert "###########  50%" in in_ascii
    assert "█" not in in_ascii
    assert paired_bars([("a", 0.0, 0.0)], ("model", "bigram"), width=1).plain
