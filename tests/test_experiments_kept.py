"""Experiments as they are kept: round trip, damage, who runs them, deletion; and their tables and charts as text."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_mm.config import make_config
from tui_mm.dashboard.charts.experiment import experiment_chart, experiment_height
from tui_mm.dashboard.charts.look import Colors, Look
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.figures import LECTURE_SHA256
from tui_mm.experiments.kept import (
    KeptExperiment,
    WordFacts,
    all_experiments,
    create_experiment,
    find_experiment,
    folder_of,
)
from tui_mm.experiments.result import (
    Chart,
    Column,
    ExperimentResult,
    Series,
    bar_chart,
    best,
    interval_chart,
    line_chart,
)
from tui_mm.experiments.table import cell, lecture_values, notes_of, row_text, table_lines, table_of
from tui_mm.runs.home import Home, RunError

ROWS = (
    {"smoothing": 0.15, "train": 2.19, "dev": 2.2221},
    {"smoothing": 1.0, "train": 2.2156, "dev": 2.2365, "test": 2.2373, "extra": [["a", 1]]},
)
CONFIG = make_config(flags={"data": "words.txt", "seed": 7})
WORDS = WordFacts("words.txt", LECTURE_SHA256, 61, 27)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def result_of(name: str = "part1-e03") -> ExperimentResult:
    return ExperimentResult(
        EXPERIMENTS[name].columns,
        ROWS,
        line_chart(ROWS, "smoothing", [("dev", "dev")], ("added", "loss"), log_x=True),
        "An answer.",
        ("a note",),
        1,
    )


@pytest.fixture
def place() -> Home:
    return Home.find()


@pytest.fixture
def kept(place: Home) -> KeptExperiment:
    return create_experiment(place, "part1-e03", CONFIG, scale=0.5)


def test_what_is_written_is_read_again(kept: KeptExperiment) -> None:
    before = kept.read()
    assert (before.status, before.data, before.seed, before.scale) == ("created", "words.txt", 7, 0.5)
    stamp = kept.stamp()
    record = replace(before, status="done", words=WORDS, result=result_of())
    kept.write(record)
    assert kept.read() == record
    assert kept.stamp() != stamp
    names = [path.name for path in kept.folder.iterdir()]
    assert names == ["experiment.json"], "nothing is left beside it"
    assert json.loads((kept.folder / "experiment.json").read_text())["result"]["answer"] == "An answer."


def test_only_its_owner_may_read_it(kept: KeptExperiment, place: Home) -> None:
    assert kept.folder.stat().st_mode & 0o777 == 0o700
    assert folder_of(place).stat().st_mode & 0o777 == 0o700
    assert (kept.folder / "experiment.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b"\xff\xfe", b"[]", b'{"id": 1}', b"[" * 100_000,
        b'{"id":"0","name":"lader","created":"2026-01-01","data":"","encoding":"","level":"word","min_count":1,'
        b'"seed":1,"scale":1,"threads":1}',
        b'{"id":"0","name":"ladder","created":"2026-01-01","data":"","encoding":"","level":"word","min_count":1,'
        b'"seed":1,"scale":1,"threads":1,"result":{"rows":[{}]}}',
        b'{"id":"0","name":"ladder","created":"2026-01-01","data":"","encoding":"","level":"word","min_count":1,'
        b'"seed":1,"scale":1,"threads":1,"result":{"chart":{"kind":"bars","x_title":"","y_title":"","series":[]}}}',
        json.dumps({"id": "0", "name": "ladder", "created": "never", "data": "", "encoding": "", "level": "word",
                    "min_count": 1, "seed": 1, "scale": 1, "threads": 1}).encode(),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_line_that_says_what_to_do(kept: KeptExperiment, damage: bytes, place: Home) -> None:
    (kept.folder / "experiment.json").write_bytes(damage)
    with pytest.raises(
        RunError, match=f"experiment {kept.id}: .* cannot be used .*experiments delete {kept.id}"
    ) as told:
        kept.read()
    assert "\n" not in str(told.value)
    assert find_experiment(place, kept.id[:4]) == kept
    kept.delete()
    assert all_experiments(place) == []


def test_charts_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Series("s", (1.0,), ())
    whole = Series("s", (0.0,), (1.0,))
    assert Chart("bars", "", "", (whole,), ("a",)).labels == ("a",)
    for kind, series, labels in (("bars", (), ()), ("bars", (whole,), ()), ("intervals", (whole,), ("a",))):
        with pytest.raises(ValueError, match="needs one series"):
            Chart(kind, "", "", series, labels)  # type: ignore[arg-type]


def test_a_missing_file_and_a_folder_that_is_gone_are_said(kept: KeptExperiment) -> None:
    (kept.folder / "experiment.json").unlink()
    assert kept.stamp() == (0, 0)
    with pytest.raises(RunError, match="cannot be read"):
        kept.read()
    kept.delete()
    with pytest.raises(RunError, match="is gone"), kept.lock():
        pass
    with pytest.raises(RunError, match="cannot be written to"):
        kept.write(replace(create_experiment(Home.find(), "ladder", CONFIG).read(), id=kept.id))
    assert not kept.is_live()


def test_a_free_lock_says_that_it_crashed(kept: KeptExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_mm.runs.folder._LOCK_SECONDS", 0.05)
    kept.write(replace(kept.read(), status="running", pid=os.getpid()))
    assert kept.read().status == "crashed"
    assert not kept.stop()
    with kept.lock():
        assert kept.read().status == "running"
        with pytest.raises(RunError, match="is being run by another process"), kept.lock():
            pass
        with pytest.raises(RunError, match="is being run by another process"):
            kept.delete()
    assert kept.folder.is_dir()


def test_stopping_is_a_signal_to_who_runs_it(kept: KeptExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, number: told.append((pid, number)))
    kept.write(replace(kept.read(), status="running", pid=12345))
    with kept.lock():
        assert kept.stop()
    assert told == [(12345, 2)]


def test_they_are_found_by_the_start_of_an_id_and_as_the_last(place: Home) -> None:
    with pytest.raises(RunError, match="there are no experiments in"):
        find_experiment(place, "last")
    first, second = (create_experiment(place, name, CONFIG) for name in ("ladder", "overfit"))
    (folder_of(place) / "notes").mkdir()
    assert all_experiments(place) == [first, second]
    assert find_experiment(place, "last") == second
    assert find_experiment(place, first.id) == first
    with pytest.raises(RunError, match="zz: no such experiment"):
        find_experiment(place, "zz")
    with pytest.raises(RunError, match="no such experiment"):
        find_experiment(place, "")
    third = create_experiment(place, "ladder", CONFIG)
    # all by names of our own: a drawn id may begin with any letters
    for made, ident in ((first, "0a000000"), (second, "0a000001"), (third, "1b000000")):
        made.folder.rename(folder_of(place) / ident)
    with pytest.raises(RunError, match="0a: fits 2 experiments"):
        find_experiment(place, "0a")


# -- tables


def test_the_lectures_figures_stand_in_a_column_of_their_own() -> None:
    figures = EXPERIMENTS["part1-e03"].figures(LECTURE_SHA256, 7, 1.0)
    lines = table_lines(table_of(result_of(), figures))
    assert lines == [
        "added   train     dev    test  the lecture (train, dev, test)",
        " 0.15  2.1900  2.2221          (2.1895) (2.2221) (2.2234)",
        "    1  2.2156  2.2365  2.2373  (2.2156) (2.2365) -",
    ]
    assert "not stated by the lecture" in " ".join(notes_of(result_of(), figures, 1.0))
    assert lecture_values(result_of(), figures, ROWS[1])["dev"] == {"value": 2.2365, "stated": False}
    plain = table_lines(table_of(result_of(), {}))
    assert plain[0] == "added   train     dev    test"
    assert notes_of(result_of(), {}, 0.5) == [
        "a note",
        "scaled: 0.5 of the steps were trained, so no figure of the lecture compares",
        "the test split was evaluated once, at the end",
    ]


def test_names_stand_below_and_empty_columns_are_left_out() -> None:
    rows = ({"preset": "gru", "dev": 2.0, "samples": ["em\x1bma", "李"]}, {"preset": "lstm", "dev": None})
    found = ExperimentResult(EXPERIMENTS["ladder"].columns, rows)
    assert table_lines(table_of(found, {})) == ["preset     dev", "gru     2.0000", "lstm", "gru  em\\x1bma  李"]


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        ("count", 12345, "12,345"), ("loss", 2.34567, "2.3457"), ("loss", 1e7, "1e+07"), ("change", -0.01, "-0.0100"),
        ("share", 0.1234, "12.3%"), ("seconds", 1234.56, "1,234.6"), ("milliseconds", 0.01234, "0.0123"),
        ("milliseconds", 12345.6, "12,346"), ("number", 0.15, "0.15"), ("text", "nan", "nan"), ("loss", None, ""),
        ("names", ["a", "", "b"], 'a  ""  b'), ("loss", "nan", "nan"),
    ],
)  # fmt: skip
def test_values_are_written_by_their_format(form: str, value: object, text: str) -> None:
    assert cell(form, value) == text  # type: ignore[arg-type]


def test_a_row_in_a_line() -> None:
    assert row_text(EXPERIMENTS["part1-e03"].columns, ROWS[0]) == "0.15: train 2.1900, dev 2.2221"


def test_the_best_row_has_the_least_finite_value() -> None:
    rows = [{"dev": None}, {"dev": 2.0}, {"dev": math.nan}, {"dev": 1.5}, {}]
    assert best(rows, "dev") == {"dev": 1.5}
    assert best(rows[:1], "dev") is None


# -- charts

BARS = bar_chart([{"n": "baseline", "dev": 2.17}, {"n": "wider", "dev": 2.1}, {"n": "none", "dev": None}], "n", "dev",
                 ("", "dev loss"))  # fmt: skip
INTERVALS = interval_chart(
    [{"n": "mixture", "d": -0.05, "h": 0.01}, {"n": "decay", "d": 0.01, "h": 0.03}, {"n": "base"}], "n", "d", "h",
    ("", "difference"),
)  # fmt: skip
LINES = result_of().chart


def test_bars_begin_below_the_least_and_say_where() -> None:
    lines = experiment_chart(BARS, Look(40, 10, None)).split("\n")
    assert len(lines) == experiment_height(BARS, 10) == 3
    assert lines[0].startswith("baseline    2.1700 ███")
    assert lines[1].startswith("wider       2.1000 █")
    assert len(lines[0]) > len(lines[1])
    assert lines[2] == "dev loss; bars begin at 2.0895"


def test_intervals_stand_beside_no_difference() -> None:
    lines = experiment_chart(INTERVALS, Look(60, 10, None)).split("\n")
    assert lines[0].startswith("mixture   -0.0500 ├")
    assert lines[0].index("┤") < lines[0].index("┊"), "all of it is below 0"
    inside = lines[1].index("●")
    assert lines[1].index("├") < inside < lines[1].index("┤")
    assert "left of it is lower" in lines[2]


def test_lines_name_their_points() -> None:
    assert LINES is not None
    text = experiment_chart(LINES, Look(60, 12, None))
    assert "0.15" in text and "● dev" in text and "loss over added" in text


def test_both_axes_may_be_logarithms() -> None:
    series = Series("a", (10.0, 100.0, 1000.0, 10_000.0), (5_000.0, 500.0, 50.0, None))
    text = experiment_chart(Chart("lines", "size", "speed", (series,), log_x=True, log_y=True), Look(60, 12, None))
    lines = text.split("\n")
    at = [(y, line.index("●")) for y, line in enumerate(lines[:-1]) if "●" in line]
    assert len(at) == 3
    (y0, x0), (y1, x1), (y2, x2) = at
    assert abs((y1 - y0) - (y2 - y1)) <= 1 and abs((x1 - x0) - (x2 - x1)) <= 1, "a power law is a straight line"
    assert "100" in text and "1000" in text and "speed over size" in text


@pytest.mark.parametrize("chart", [BARS, INTERVALS, LINES])
@pytest.mark.parametrize("width", [20, 46, 80, 200])
def test_charts_fit_and_are_ascii_where_asked(chart: Chart, width: int) -> None:
    for ascii_only, colors in ((True, None), (False, Colors())):
        text = ANSI.sub("", experiment_chart(chart, Look(width, experiment_height(chart, 12), colors, ascii_only)))
        assert text.isascii() or not ascii_only
        assert all(len(line) <= width for line in text.split("\n"))
        assert len(text.split("\n")) <= 14


def test_bars_that_have_no_room_are_counted() -> None:
    chart = bar_chart([{"n": str(i), "dev": float(i)} for i in range(9)], "n", "dev", ("", "dev"))
    lines = experiment_chart(chart, Look(50, 5, None)).split("\n")
    assert len(lines) == 5
    assert "5 more have no room" in lines[-1]


values = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(0.0))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.lists(values, min_size=1, max_size=12),
    st.sampled_from(["lines", "bars", "intervals"]),
    st.booleans(),
    st.booleans(),
)
def test_any_values_are_drawn(ys: list[float | None], kind: str, log_x: bool, log_y: bool) -> None:
    x = tuple(float(i) for i in range(len(ys)))
    series = Series("s", x, tuple(ys), tuple(0.5 for _ in ys))
    chart = Chart(kind, "x", "y", (series,), tuple(f"l{i}" for i in range(len(ys))), log_x, log_y)  # type: ignore[arg-type]
    text = experiment_chart(chart, Look(60, 12, None))
    assert text
    assert all(len(line) <= 60 for line in text.split("\n"))


def test_columns_that_are_declared_can_be_written() -> None:
    for experiment in EXPERIMENTS.values():
        for column in experiment.columns:
            assert isinstance(column, Column)
            assert cell(column.format, ["x"] if column.format == "names" else 0.5)
