"""The loss chart as text: its size, its parts, what is off the axis, and columns that stay as they were drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.dashboard.charts.axis import (
    clock,
    follow_end,
    loss_range,
    loss_ticks,
    round_ticks,
    settled,
    short,
    x_ticks,
)  # fmt: skip
from tui_mm.dashboard.charts.figure import build, legend, legend_lines
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.loss import (
    Curve,
    LossPicture,
    Parts,
    cells,
    column_edges,
    loss_chart,
    loss_curve,
    range_of,
)  # fmt: skip
from tui_mm.runs.series import LossSeries

LOSSES = 2.1 + 1.2 * np.exp(-np.arange(5000) / 400) + np.random.default_rng(0).normal(0, 0.15, 5000)
BASELINES = [("uniform ln 27", 3.2958), ("bigram counts", 2.4544)]
DEV = [(0, 3.3), (2000, 2.2), (5000, 2.11)]


def plain(width: int = 80, height: int = 20, *, ascii_only: bool = False) -> Look:
    return Look(width, height, None, ascii_only)


def canvas(text: str) -> list[str]:
    """The rows right of the y axis, top first."""
    lines = text.split("\n")
    end = next(y for y, line in enumerate(lines) if line.lstrip().startswith(("└", "+")))
    return [line[6:].ljust(200) for line in lines[:end]]


def below(text: str) -> str:
    lines = text.split("\n")
    return " ".join(lines[next(y for y, line in enumerate(lines) if line.lstrip().startswith(("└", "+"))) + 1 :])


def curve(losses: np.ndarray, window: tuple[float, float], look: Look, label: str = "train") -> Curve:
    series = LossSeries(losses)
    return Curve(label, series.columns(np.floor(column_edges(window, look))), first_bad=series.first_bad)


@pytest.mark.parametrize(("width", "height"), [(30, 6), (40, 8), (80, 16), (160, 40), (300, 100)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_it_has_its_size_and_its_parts(width: int, height: int, ascii_only: bool) -> None:
    text = loss_curve(LossSeries(LOSSES), DEV, BASELINES, plain(width, height, ascii_only=ascii_only))
    lines = text.split("\n")
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    assert "\x1b" not in text
    drawn = "".join(canvas(text))
    band, best = (":", "@") if ascii_only else ("░", "★")
    assert band in drawn
    assert best in drawn
    assert "train" in below(text)
    if height > 15:
        for part in ("min to max", "dev", "best 2.1100", "uniform ln 27 3.296", "bigram counts 2.454", "log scale"):
            assert part in below(text)
    if ascii_only:
        assert text.isascii()


def test_colours_are_those_of_the_look() -> None:
    text = loss_curve(LossSeries(LOSSES), DEV, BASELINES, Look(80, 20))
    assert "\x1b[" in text


def test_what_is_not_finite_is_marked_where_it_is_and_named() -> None:
    losses = np.full(1000, 2.0)
    losses[500:520] = np.nan
    losses[900] = np.inf
    text = loss_curve(LossSeries(losses), (), (), plain(106, 12))
    top = canvas(text)[0]
    assert [x for x in range(100) if top[x] == "!"] == [50, 51, 90]
    assert "nan: not finite from step 501" in below(text)


def test_a_run_without_one_finite_loss_is_drawn_as_such() -> None:
    text = loss_curve(LossSeries(np.full(50, np.nan)), (), BASELINES, plain(60, 12))
    assert canvas(text)[0].count("!") == 50
    assert "not finite from step 1" in below(text)


@pytest.mark.parametrize("losses", [[2.0], [2.0] * 9, [0.0, 0.0], [0.0, 1.0, 2.0], [1e38, 2.0], [1e-30]])
@pytest.mark.parametrize("log", [True, False])
def test_flat_single_tiny_and_huge_losses_can_be_drawn(losses: list[float], log: bool) -> None:
    look = plain(40, 9)
    window = (0.0, float(max(2, len(losses))))
    run = curve(np.array(losses), window, look)
    low, high = range_of(run, (), BASELINES, log=log, whole=True)
    assert low < high
    assert len(loss_chart(LossPicture("steps", window, (low, high), log, run), look).split("\n")) == 9


def test_a_spike_is_seen_and_does_not_flatten_the_rest() -> None:
    losses = LOSSES.copy()
    losses[2500] = 30.0
    look = plain(106, 30)
    window = (0.0, 5000.0)
    run = curve(losses, window, look)
    for log in (True, False):
        low, high = range_of(run, (), (), log=log, whole=True)
        assert (10**high if log else high) < 6
        rows = canvas(loss_chart(LossPicture("steps", window, (low, high), log, run), look))
        assert rows[0][50] == "^" or rows[0][49] == "^"


def test_dev_losses_off_the_axis_have_a_mark_at_the_edge() -> None:
    look = plain(106, 20)
    dev = [(1000.0, 2.0), (2025.0, 9.0), (3025.0, 0.1), (4025.0, math.nan)]
    run = Curve("train", LossSeries(np.full(5000, 2.0)).columns(np.floor(column_edges((0, 5000), look))), dev)
    text = loss_chart(LossPicture("steps", (0, 5000), (1.5, 3.0), False, run), look)
    rows = canvas(text)
    assert rows[0][40] == "^"
    assert rows[-1][60] == "v"
    assert sum(row.count("◆") for row in rows) == 1
    assert "^ v beyond the axis" in " ".join(text.split())
    within = loss_chart(LossPicture("steps", (0, 2000), (1.5, 3.0), False, run), look)
    assert "beyond" not in within, "of what is in the window"


def test_one_step_stands_in_the_middle_with_a_mark_of_its_own() -> None:
    rows = canvas(loss_curve(LossSeries(np.array([2.45])), (), BASELINES, plain(66, 12)))
    assert [x for row in rows for x in range(60) if row[x] == "•"] == [29]


def test_other_runs_have_letters_and_names() -> None:
    look = plain(106, 24)
    window = (0.0, 5000.0)
    others = [curve(LOSSES + n / 4, window, look, f"run {n}") for n in range(1, 4)]
    losses = range_of(None, others, (), log=True, whole=True)
    text = loss_chart(LossPicture("steps", window, losses, others=others), look)
    drawn = "".join(canvas(text))
    for n, letter in enumerate("ABC", start=1):
        assert drawn.count(letter) >= 3
        assert f"{letter} run {n}" in below(text)
    assert "train" not in text


def counted(loss: float, look: Look, label: str, name: str = "dev") -> Curve:
    series = LossSeries(np.array([3.2958]))
    return Curve(label, series.columns(np.floor(column_edges((0.0, 5000.0), look))), level=(name, loss))


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_model_that_counted_is_a_level_with_its_letter_and_no_dot(ascii_only: bool) -> None:
    look = plain(106, 24, ascii_only=ascii_only)
    window = (0.0, 5000.0)
    run = curve(LOSSES, window, look)
    others = [counted(2.85, look, "bigram"), curve(LOSSES + 0.5, window, look, "wide"), counted(2.85, look, "trigram")]
    losses = range_of(run, others, BASELINES, log=True, whole=True)
    text = loss_chart(LossPicture("steps", window, losses, run=run, others=others, baselines=BASELINES), look)
    line = "_" if ascii_only else "─"
    (row,) = (row for row in canvas(text) if row.count(line) > 50)
    assert row.count("A") >= 5
    assert row.count("C") >= 5, "two of the same loss share a row"
    assert row.index("A") > 0
    assert "A bigram, dev 2.850" in below(text)
    assert "B wide" in below(text)
    assert "C trigram, dev 2.850" in below(text)
    assert not ascii_only or text.isascii()


def test_the_run_itself_may_be_a_level_and_beyond_the_axis_it_is_said() -> None:
    look = plain(106, 20)
    run, other = counted(2.5, look, "train", "train"), curve(LOSSES[:400], (0.0, 400.0), look, "other")
    losses = range_of(run, [other], (), log=True, whole=True)
    text = loss_chart(LossPicture("steps", (0.0, 400.0), losses, run=run, others=[other]), look)
    assert max(row.count("━") for row in canvas(text)) >= 90
    assert "━ train 2.500, counted in one step" in below(text)
    assert "mean" not in below(text)
    zoomed = loss_chart(LossPicture("steps", (0.0, 400.0), (0.1, 0.3), run=run, others=[other]), look)
    assert "train 2.500 (above)" in below(zoomed)
    assert not any("━" in row for row in canvas(zoomed))


def test_levels_alone_have_an_axis_too() -> None:
    look = plain(60, 12)
    others = [counted(2.6, look, "one"), counted(math.inf, look, "two"), counted(2.2, look, "three")]
    losses = range_of(None, others, (), log=True, whole=True)
    text = loss_chart(LossPicture("steps", (0.0, 1.0), losses, others=others), look)
    assert sum("─" * 5 in row for row in canvas(text)) == 2
    assert "B two, dev inf (above)" in below(text)


@pytest.mark.parametrize("parts", ["train", "dev", "both"])
def test_of_other_runs_train_dev_or_both_are_drawn_and_told_apart_by_letters(parts: Parts) -> None:
    look = plain(106, 24)
    window = (0.0, 5000.0)
    one = curve(LOSSES, window, look, "one")
    devs = [(x, 2.3 + 1.2 * math.exp(-x / 400)) for x in range(0, 5001, 250)]
    others = [Curve("one", one.columns, devs), Curve("two", one.columns, [(x, y + 0.3) for x, y in devs])]
    losses = range_of(None, others, (), log=True, whole=True, parts=parts)
    text = loss_chart(LossPicture("steps", window, losses, others=others, parts=parts), look)
    drawn = "".join(canvas(text))
    assert (drawn.count("B") >= 10) is (parts != "train")
    assert (drawn.count("b") >= 3) is (parts == "both")
    assert any("\u2800" < c <= "\u28ff" for c in drawn), "what lies between is a line"
    told = {"train": "B two  log", "dev": "B two  dev", "both": "capitals: dev, small letters: train mean"}
    assert told[parts] in below(text)


def test_where_dev_alone_is_drawn_the_axis_is_devs() -> None:
    look = plain(106, 24)
    one = curve(LOSSES - 1.9, (0.0, 5000.0), look)
    run = Curve("one", one.columns, [(0, 3.0), (5000, 2.8)])
    low, _ = range_of(None, [run], (), log=False, whole=True, parts="dev")
    assert 2.5 < low < 2.81
    assert range_of(None, [run], (), log=False, whole=True)[0] < 0.5


def test_wide_characters_in_a_label_keep_the_legend_in_its_width() -> None:
    parts = [("A", "李小龙" * 3, None), ("B", "x", None)]
    assert legend_lines(parts, 21) == ["A 李小龙李小龙李小龙", "B x"]
    assert legend_lines(parts, 25) == ["A 李小龙李小龙李小龙  B x"]
    assert legend_lines(parts, 10) == ["A 李小龙李", "B x"]
    assert legend_lines(parts, 10, 1) == ["A 李小龙李"]
    assert legend(["one", "two"], 20) == "one  two"


def test_a_legend_colours_the_mark_alone() -> None:
    (line,) = legend_lines([("*", "train", (1, 2, 3))], 20, color=True)
    assert line.startswith("\x1b[38;2;1;2;3m*\x1b[0m")
    assert line.endswith(" train")


def test_a_chart_is_built_by_a_look_or_by_its_parts() -> None:
    def draw(plt: object) -> None:
        plt.scatter([1, 2], [1, 2])  # type: ignore[attr-defined]

    assert build(draw, ["x"], Look(30, 10, None)) == build(draw, ["x"], width=30, height=10, color=False)


def test_the_cursor_is_a_line_and_its_values_stand_first() -> None:
    look = plain(106, 20)
    window = (0.0, 5000.0)
    run = curve(LOSSES, window, look)
    losses = range_of(run, (), (), log=True, whole=True)
    text = loss_chart(LossPicture("steps", window, losses, run=run, cursor=2525.0, says=["step 2,525"]), look)
    assert sum(row[50] == "│" for row in canvas(text)) >= 8
    assert text.split("\n")[len(canvas(text)) + 2].startswith("step 2,525")


def test_baselines_that_are_off_a_zoomed_axis_are_said_to_be() -> None:
    look = plain(100, 20)
    run = curve(LOSSES[:4400], (4000.0, 4400.0), look)
    losses = range_of(run, (), BASELINES, log=True, whole=False)
    text = loss_chart(LossPicture("steps", (4000.0, 4400.0), losses, run=run, baselines=BASELINES), look)
    assert "uniform ln 27 3.296 (above)" in below(text)


@pytest.mark.parametrize("done", [700, 1300, 4000])
def test_columns_that_were_drawn_stay_as_they_are(done: int) -> None:
    look = plain(106, 24)
    window = (0.0, follow_end("steps", done, 100_000, cells(look)))
    assert window[1] == follow_end("steps", done + 90, 100_000, cells(look))
    frames = []
    losses = range_of(curve(LOSSES[:done], window, look), (), BASELINES, log=True, whole=True)
    for steps in (done, done + 90):
        run = curve(LOSSES[:steps], window, look)
        frames.append(canvas(loss_chart(LossPicture("steps", window, losses, run=run, baselines=BASELINES), look)))
    last = int(done / window[1] * cells(look)) - 1  # the cell in which the newest step stands may still change
    assert [row[:last] for row in frames[0]] == [row[:last] for row in frames[1]]
    assert frames[0] != frames[1]


def test_the_end_of_the_axis_doubles_and_is_never_beyond_the_run() -> None:
    assert follow_end("steps", 1, 10_000, 100) == 200
    assert follow_end("steps", 201, 10_000, 100) == 400
    assert follow_end("steps", 9_000, 10_000, 100) == 10_000
    assert follow_end("steps", 1, 50, 100) == 50
    assert follow_end("seconds", 70.0, None, 100) == 128
    assert follow_end("seconds", 0.0, None, 100) == 1
    assert follow_end("epochs", 0.3, 40.0, 100) == 0.5


@given(st.floats(0, 1e9), st.none() | st.floats(1e-3, 1e9), st.sampled_from(["epochs", "seconds", "steps"]))
def test_what_is_done_is_always_in_sight(done: float, total: float | None, axis: str) -> None:
    end = follow_end(axis, done, total, 80)  # type: ignore[arg-type]
    assert end >= done
    assert end > 0


def test_a_range_stays_while_it_does() -> None:
    assert settled(None, (1.0, 2.0)) == (1.0, 2.0)
    assert settled((0.9, 2.1), (1.0, 2.0)) == (0.9, 2.1)
    assert settled((0.9, 1.9), (1.0, 2.0)) == (1.0, 2.0)
    assert settled((0.0, 9.0), (1.0, 2.0)) == (1.0, 2.0)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50), st.lists(st.floats(1e-3, 1e6), max_size=3))
def test_a_range_holds_what_it_must_and_is_round(values: list[float], must: list[float]) -> None:
    array = np.array(values)
    low, high = loss_range(array, array, np.array(must))
    assert low < high
    assert all(low - 1e-6 * abs(low) <= m <= high * (1 + 1e-6) for m in must)
    assert low <= np.median(array) <= high


def test_nothing_has_a_range_too() -> None:
    nothing = np.array([math.nan])
    assert loss_range(nothing, nothing, nothing) == (0.0, 1.0)


@given(st.integers(1, 10**9), st.integers(2, 20))
def test_step_ticks_are_round_and_few(high: int, most: int) -> None:
    ticks = round_ticks(1, high, most)
    assert len(ticks) <= most + 1
    assert all(1 <= t <= high for t in ticks)


def test_ticks_are_named_in_the_unit() -> None:
    assert x_ticks("steps", (0, 20_000), 4) == [
        (0, "0"),
        (5000, "5k"),
        (10_000, "10k"),
        (15_000, "15k"),
        (20_000, "20k"),
    ]
    assert x_ticks("steps", (12_100, 12_400), 4)[0] == (12_100, "12,100")
    assert x_ticks("seconds", (0, 240), 4) == [(0, "0:00"), (60, "1:00"), (120, "2:00"), (180, "3:00"), (240, "4:00")]
    assert x_ticks("seconds", (0, 1), 4)[1] == (0.5, "0.5s")
    assert x_ticks("epochs", (0, 2), 4) == [(0, "0"), (0.5, "0.5"), (1, "1"), (1.5, "1.5"), (2, "2")]
    assert [name for _, name in loss_ticks((math.log10(1.4), math.log10(4)), 4, log=True)] == ["1.5", "2", "3"]
    assert [name for _, name in loss_ticks((1.0, 3.0), 4, log=False)] == ["1", "1.5", "2", "2.5", "3"]
    assert [name for _, name in loss_ticks((-6, 6), 4, log=True)] == ["1e-06", "0.01", "100", "1e+06"]


@given(st.floats(1e-8, 1e8), st.floats(1.01, 1e6), st.integers(2, 12), st.booleans())
def test_loss_ticks_lie_on_the_axis_and_are_not_too_many(low: float, times: float, most: int, log: bool) -> None:
    window = (math.log10(low), math.log10(low * times)) if log else (low, low * times)
    ticks = loss_ticks(window, most, log=log)
    assert len(ticks) <= 2 * most + 2
    slack = 1e-6 * max(1.0, abs(window[1]))
    for y, name in ticks:
        assert window[0] - slack <= y <= window[1] + slack
        assert len(name) <= 5
        if name:
            assert float(name) == pytest.approx(10**y if log else y, rel=0.01)


@given(st.floats(0.05, 30), st.floats(1.1, 1e6), st.integers(2, 12))
def test_a_log_axis_has_two_ticks_at_least(low: float, times: float, most: int) -> None:
    assert len(loss_ticks((math.log10(low), math.log10(low * times)), most, log=True)) >= 2


def test_nor_does_a_short_one_between_round_numbers_have_but_one() -> None:
    assert len(loss_ticks((math.log10(8.0625), math.log10(8.944)), 2, log=True)) >= 2


def test_a_number_that_does_not_fit_is_not_told_wrongly() -> None:
    assert short(0.0125, 5) == ".0125"
    assert short(1.5e-05, 5) == ""
    assert short(2.75, 5) == "2.75"


def test_the_clock() -> None:
    assert [clock(s) for s in (0, 61.9, 3600, 36_061)] == ["0:00", "1:01", "1:00:00", "10:01:01"]


def test_the_cursors_values_have_lines_of_their_own_and_leave_the_legend_one() -> None:
    for height in (8, 14, 30):
        look = plain(80, height)
        run = curve(LOSSES, (0.0, 5000.0), look)
        says = ["steps 90-110", "train 2.5000", "x" * 70, "y" * 70]
        picture = LossPicture("steps", (0.0, 5000.0), (0.2, 0.6), run=run, cursor=100.0, says=says)
        lines = loss_chart(picture, look).split("\n")
        assert len(lines) == height
        said = [n for n, line in enumerate(lines) if line.startswith("steps 90-110  train 2.5000")]
        legend = [n for n, line in enumerate(lines) if "train mean" in line]
        assert len(said) == len(legend) == 1
        assert said < legend
