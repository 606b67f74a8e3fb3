"""The clock by which a replay goes on, and the line that says where it is."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.replayed import SECONDS, STEPS, made_run
from tui_mm.cli.replay import parse_speed
from tui_mm.dashboard.replay_clock import SLOWEST, Playback, fastest, usual_speed
from tui_mm.dashboard.replay_line import bar, scrub_line, speed_text, time_text
from tui_mm.runs.home import Home
from tui_mm.runs.replay import ReplayFollower

# -- the clock


def test_it_goes_on_by_its_speed_and_stops_at_the_end() -> None:
    begun = Playback(0.0, 10.0, speed=2.0, playing=True)
    assert begun.after(1.5).position == 3.0
    ended = begun.after(5.0)
    assert (ended.position, ended.playing, ended.is_at_end) == (10.0, False, True)
    assert begun.toggled().after(3.0).position == 0.0, "paused"
    assert ended.after(3.0) == ended
    assert ended.toggled() == begun, "played again from the start"


def test_it_begins_anew_at_the_end_where_it_is_to() -> None:
    looping = Playback(9.0, 10.0, speed=4.0, playing=True).looped()
    assert looping.after(0.5).position == 1.0
    assert looping.after(0.5).playing
    assert looping.looped().after(0.5).position == 10.0


def test_the_end_of_a_run_that_goes_on_is_none() -> None:
    live = Playback(9.0, 10.0, speed=4.0, playing=True, grows=True)
    there = live.after(1.0)
    assert (there.position, there.playing) == (10.0, True)
    assert there.within(11.0, grows=True).after(0.1).position == 10.4
    assert there.toggled().toggled().position == 10.0, "from where it is, not from the start"
    assert there.within(4.0, grows=False).position == 4.0, "it went back to a checkpoint"


def test_places_are_kept_within_the_run() -> None:
    clock = Playback(0.0, 10.0)
    assert [clock.at(x).position for x in (-1.0, 3.5, 99.0)] == [0.0, 3.5, 10.0]


def test_speeds_are_doubled_and_halved_within_what_is_of_use() -> None:
    clock = Playback(0.0, 100.0, speed=1.0)
    assert clock.faster(1).speed == 2.0
    assert clock.faster(-1).speed == 0.5
    assert clock.faster(-9).speed == SLOWEST == 0.25
    assert clock.faster(20).speed == 64.0
    assert fastest(86_400.0) == 32_768.0, "a day in three seconds"


@pytest.mark.parametrize(
    ("length", "speed"), [(0.01, 0.25), (10.0, 0.25), (30.0, 1.0), (60.0, 2.0), (667.0, 16.0), (86_400.0, 2048.0)]
)
def test_the_whole_takes_about_half_a_minute(length: float, speed: float) -> None:
    assert usual_speed(length) == speed
    if length >= 30:
        assert 20 < length / speed < 45


@settings(derandomize=True)
@given(
    st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1e-3, 1e4), st.lists(st.floats(0, 100), max_size=8),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_it_is_always_within_the_run_and_never_goes_back(
    position: float, length: float, speed: float, passed: list[float], loops: bool, grows: bool
) -> None:
    clock = Playback(min(position, length), length, speed, playing=True, loops=loops, grows=grows)
    for seconds in passed:
        later = clock.after(seconds)
        assert 0 <= later.position <= length
        assert later.position >= clock.position or (loops and not grows)
        clock = later


# -- the line


def test_what_the_line_says(tmp_path: Path) -> None:
    follower = ReplayFollower(made_run(Home(tmp_path)))
    follower.show(300)
    line = scrub_line(Playback(6.0, SECONDS, 1.0, playing=True), 0.5, STEPS, follower, 80)
    assert line.text == "►  1x ━━━━━━━━━━━━━━━●╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 300/600  6.0/12.0s loss 2.4189 dev 2.4124"
    assert [line.share_at(x) for x in (5, 6, line.bar + line.cells - 1, line.bar + line.cells)] == [None, 0, 1, None]
    plain = scrub_line(Playback(12.0, SECONDS, 0.25, loops=True), 1.0, STEPS, follower, 50, ascii_only=True)
    assert plain.text == "=  1/4x loop ################O 300/600 12.0/12.0s"
    assert plain.text.isascii()
    follower.show(0)
    wide = scrub_line(Playback(0.0, SECONDS, 4.0, grows=True), 0.0, STEPS, follower, 140).text
    assert wide.endswith("  0/600 live  0.0/12.0s loss      - dev 3.3500 best 3.3500 train 3.3000 lr -")
    follower.close()


def test_a_line_fits_and_the_bar_is_where_it_says(tmp_path: Path) -> None:
    follower = ReplayFollower(made_run(Home(tmp_path)))
    try:
        for step in (0, 1, 300, STEPS):
            follower.show(step)
            for width in range(20, 220):
                line = scrub_line(Playback(3.0, 4000.0, 0.25), step / STEPS, STEPS, follower, width)
                assert cell_len(line.text) <= width
                if width >= 40:
                    assert line.text[line.bar : line.bar + line.cells] == bar(step / STEPS, line.cells)
                    assert line.cells >= 10
    finally:
        follower.close()


@settings(derandomize=True)
@given(st.floats(-1, 2), st.integers(1, 300))
def test_a_bar_has_its_handle_where_the_run_is(share: float, cells: int) -> None:
    drawn = bar(share, cells)
    assert len(drawn) == cells
    assert abs(drawn.index("●") - min(1, max(0, share)) * (cells - 1)) <= 0.5 + 1e-9


def test_speeds_and_times_in_words() -> None:
    assert [speed_text(s) for s in (0.25, 0.5, 1, 64, 0.3, 2048, 1.5)] == [
        "1/4x", "1/2x", "1x", "64x", "0.3x", "2,048x", "1.5x",
    ]  # fmt: skip
    assert time_text(0.008, 0.031) == " 8/31ms"
    assert time_text(3.21, 9.6) == "3.2/9.6s"
    assert time_text(72, 330) == "1:12/5:30"
    assert time_text(72, 7200) == "   1:12/2:00:00"


@pytest.mark.parametrize(
    ("text", "speed"), [("4", 4), ("4x", 4), ("0.5", 0.5), (".5", 0.5), ("1/4", 0.25), ("1/4x", 0.25)]
)
def test_a_speed_is_read(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "x", "0", "1/0", "-1", "nan", "inf", "1e9", "99999999", "1/2/3", "2 x"])
def test_a_wrong_speed_is_said(text: str) -> None:
    with pytest.raises(click.UsageError, match=r"--speed: .* is not allowed; give a number from 0.001 to 1000000"):
        parse_speed(text)
