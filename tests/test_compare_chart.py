"""Runs side by side as text: facts, differences, next characters and names, at every width."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_mm.dashboard.charts.compare import (
    differences_text,
    facts_text,
    names_line,
    next_text,
    samples_text,
    steps_text,
    time_text,
)  # fmt: skip
from tui_mm.dashboard.charts.look import Look
from tui_mm.runs.differences import Difference
from tui_mm.runs.row import RunRow

ROWS = [
    RunRow("0a1b2c3d", "wide", "done", "/some/where/names.txt", "mlp", 11897, 2500, 2500, 2.12, 2.17, 2.1683,
           "2026-01-01T12:00:00+00:00", 83.4),
    RunRow("1a1b2c3d", None, "running", "names", "transformer", 204544, 1200, 4000, 2.0, 1.9999, 1.98,
           "2026-01-01T12:00:00+00:00", 4000.0),
    RunRow("2a1b2c3d", fault="run.db: cannot be opened as a run store"),
]  # fmt: skip
NAMED = ["wide", "李小龙\x1b[2J", "third"]


def plain(width: int = 100, height: int = 20, *, ascii_only: bool = False) -> Look:
    return Look(width, height, None, ascii_only)


def lines(text: Any) -> list[str]:
    return [line.rstrip() for line in text.plain.split("\n")]


def answer(likeliest: int = 4, count: int = 3, **more: Any) -> dict[str, Any]:
    symbols = [{"symbol": s, "end": s == "."} for s in ("a", "n", ".", "x")[:likeliest]]
    names = [{"text": t, "seen_in": s, "ended": e} for t, s, e in
             (("emma", "train", True), ("emelia", None, True), ("em" * 30, "dev", False))][:count]  # fmt: skip
    runs = [
        {"run": "0", "step": 2500, "parameters": 9, "next": [0.5, 0.25, 0.1, 0.05][:likeliest], "rest": 0.1,
         "samples": names},
        {"run": "1", "step": 1200, "parameters": 9, "next": [0.25, None, 0.7, 0.0][:likeliest], "rest": 0.05,
         "samples": names[::-1]},
    ]  # fmt: skip
    return {"prefix": "em", "seed": 1, "checkpoint": "last", "next": symbols, "runs": runs, **more}


def test_facts_in_a_line_for_each_run_under_a_heading() -> None:
    shown = lines(facts_text(ROWS, plain(140)))
    assert shown[0].split() == [
        "run", "model", "parameters", "data", "steps", "time", "train", "dev", "best", "dev", "state",
    ]  # fmt: skip
    assert shown[1].split() == [
        "A", "wide", "mlp", "11,897", "names.txt", "2,500", "1:23", "2.1200", "2.1700", "2.1683", "done",
    ]  # fmt: skip
    assert shown[2].startswith("B  1a1b2c3d  transformer")
    assert "1,200 of 4,000" in shown[2]
    assert shown[3].startswith("C  2a1b2c3d  run.db: cannot be opened")
    assert shown[1].index("2.1200") == shown[2].index("2.0000"), "numbers stand under each other"


def test_the_less_telling_facts_go_first_where_it_is_narrow() -> None:
    wide, usual, narrow = (lines(facts_text(ROWS[:2], plain(width)))[0] for width in (120, 84, 50))
    assert "data" in wide
    assert "data" not in usual
    assert "state" in usual
    assert narrow.split() == ["run", "model", "dev", "best", "dev"]
    assert lines(names_line(NAMED, plain(60))) == ["A wide  B 李小龙\\x1b[2J  C third"]
    assert cell_len(names_line(NAMED, plain(30)).plain) <= 32


def test_steps_and_time() -> None:
    assert [steps_text(row) for row in ROWS] == ["2,500", "1,200 of 4,000", "0"]
    assert [time_text(row) for row in ROWS] == ["1:23", "1:06:40", ""]


def test_differences_have_a_column_for_each_run_and_a_dash_for_what_is_not_used() -> None:
    found = [Difference("model", ("mlp", "bigram", "mlp")), Difference("lr", (0.015, None, 0.1)),
             Difference("data", ("a", "b\x1b[2J", "c" * 200))]  # fmt: skip
    shown = lines(differences_text(found, NAMED, plain(70)))
    assert [line.split() for line in shown[1:3]] == [["model", "mlp", "bigram", "mlp"], ["lr", "0.015", "-", "0.1"]]
    assert "b\\x1b[2J" in shown[3]
    assert shown[3].endswith("cc..")
    at = [shown[0].index(letter) for letter in ("A wide", "B ", "C third")]
    assert [shown[1].index("mlp"), shown[1].index("bigram"), shown[1].rindex("mlp")] == pytest.approx(at, abs=3)
    assert lines(differences_text([], NAMED, plain(70))) == ["their configurations are the same"]


def test_next_characters_as_bars_of_one_scale() -> None:
    shown = lines(next_text(answer(), NAMED[::2], plain(60)))
    assert shown[0].split() == ["A", "wide", "B", "third"]
    bars = {line.split()[0]: line for line in shown[1:]}
    assert list(bars) == ["a", "n", ".", "x", "rest"]
    assert bars["a"].count("%") == 2
    assert "50%" in bars["a"]
    assert bars["."].count("█") > bars["a"].count("█") > bars["n"].count("█"), ".7 is the longest of all"
    assert "-" in bars["n"], "words that lack the character"
    assert bars["rest"].split()[1:] == ["10%", "5%"]


def test_what_has_no_room_is_in_the_rest_and_the_end_is_told_from_a_full_stop() -> None:
    shown = lines(next_text(answer(), NAMED[:2], plain(60, 4)))
    assert [line.split()[0] for line in shown[1:]] == ["a", "n", "rest"]
    assert shown[3].split()[1:] == ["25%", "75%"]
    told = answer()
    told["next"][3] = {"symbol": ".", "end": False}
    assert [line.split()[0] for line in lines(next_text(told, NAMED[:2], plain()))[1:5]] == ["a", "n", "end", "."]


def test_words_as_symbols_are_cut_and_spaces_are_seen() -> None:
    told = answer()
    told["next"] = [{"symbol": s, "end": False} for s in ("antidisestablishment", " ", "\x1b", "李")]
    first = [line.split()[0] for line in lines(next_text(told, NAMED[:2], plain()))[1:5]]
    assert first == ["antidisesta…", "␣", "�", "李"]
    ascii_first = [line.split()[0] for line in lines(next_text(told, NAMED[:2], plain(ascii_only=True)))[1:4]]
    assert ascii_first == ["antidisest..", "_", "?"]


def test_names_under_their_run_with_marks_and_cuts() -> None:
    shown = lines(samples_text(answer(), NAMED[::2], plain(50)))
    assert shown[0].split() == ["A", "wide", "B", "third"]
    assert shown[1].split() == ["step", "2,500", "step", "1,200"]
    assert shown[2].split()[0] == "emma="
    assert shown[2].split()[1].endswith("…~"), "cut by the column, and in dev"
    assert shown[3].split() == ["emelia", "emelia"]
    assert shown[5] == "= in train  ~ in dev or test"
    short = lines(samples_text(answer(), NAMED[::2], plain(50, 4)))
    assert len(short) == 4
    assert short[3].startswith("= in train")


def test_sentences_go_over_several_lines_beside_names() -> None:
    told = answer()
    told["runs"][1]["samples"] = [{"text": "the jury said it did find", "seen_in": "train", "ended": True}] * 2
    shown = lines(samples_text(told, NAMED[::2], plain(32, 9)))
    assert [line[16:] for line in shown[2:6]] == ["the jury said", " it did find=", "the jury said", " it did find="]
    assert [line[:16].strip() for line in shown[2:6]] == ["emma=", "", "emelia", ""]
    assert [line[:2] for line in shown[6:]] == ["em", "= "], "the third of the first run, then what the marks mean"
    assert len(lines(samples_text(told, NAMED[::2], plain(32, 6)))) == 6


def test_a_reason_stands_once_with_the_letters_it_holds_for() -> None:
    told = answer()
    reason = "'em': 'e', 'm' is not in this model's vocabulary; allowed are the characters of its words: abc"
    told["runs"] = [told["runs"][0], {"run": "1", "fault": reason}, {"run": "2", "fault": reason}]
    for draw in (next_text, samples_text):
        shown = lines(draw(told, ["one", "two", "three"], plain(60)))
        assert sum(line.startswith("B C: 'em'") for line in shown) == 1
        assert " ".join(shown).endswith("of its words: abc")
        assert " - " in shown[2] + " "
    nothing = answer(next=[], runs=[{"run": "0", "fault": "x"}, {"run": "1", "fault": "y"}])
    assert lines(next_text(nothing, NAMED[:2], plain()))[1:] == ["A: x", "B: y"]
    assert lines(samples_text(nothing, NAMED[:2], plain()))[-2:] == ["A: x", "B: y"]


@given(st.integers(20, 200), st.integers(2, 40), st.integers(2, 5), st.booleans())
def test_nothing_is_wider_or_higher_than_there_is_room(width: int, height: int, count: int, ascii_only: bool) -> None:
    look = plain(width, height, ascii_only=ascii_only)
    named = ["a", "name\x1b", "x" * 90, "last", "e"][:count]
    told = answer()
    told["runs"] = [*told["runs"] * 2, {"run": "4", "fault": "a reason of some words " * 9}][-count:]
    found = [Difference("block_size", (3, None, 10**9, 16, 2)[:count])]
    for text in (next_text(told, named, look), samples_text(told, named, look)):
        assert len(lines(text)) <= height
        assert all(cell_len(line) <= max(width, 4 * count + 18) for line in lines(text))
    for text in (differences_text(found, named, look), facts_text(ROWS, look)):
        assert all(cell_len(line) <= max(width, 60) for line in lines(text))
        assert text.plain.replace("\n", "").isprintable()
    assert not ascii_only or all(c.isascii() for c in next_text(told, named, look).plain)
