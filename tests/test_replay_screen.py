"""The replay on the screen: at every size, going on, and what it says where something is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from benchmarks.terminal import Terminal, TerminalError
from data.levels import WORD
from tests.replay_seat import USUAL, play, seated
from tests.replayed import SECONDS, STEPS, made_run
from tests.still import CONFIG
from tui_mm.dashboard.replay import Scrubber
from tui_mm.dashboard.replay_panels import REPLAY_PANELS
from tui_mm.dashboard.screens.help import HelpScreen
from tui_mm.dashboard.tabs import TABS
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run
from tui_mm.runs.store import LossChunk

pytestmark = pytest.mark.usefixtures("prompt_pilot", "noon")
SMALL = (80, 24)
SIZES = [(50, 15), SMALL, USUAL, (200, 60)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(Home(tmp_path / "kept"))


# -- how it looks


@pytest.mark.parametrize("ascii_only", [False, True], ids=["unicode", "ascii"])
def test_at_every_size(ascii_only: bool, run: Run, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with seated(run, SIZES[-1], at=300, ascii_only=ascii_only) as seat:
            for size in SIZES:
                await seat.pilot.resize_terminal(*size)
                await seat.settle()
                assert seat.screen == snapshot(name=f"{size[0]}x{size[1]}")
                assert not ascii_only or seat.screen.isascii()

    play(scene())


def test_each_panel_alone(run: Run, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with seated(run, SMALL, at=250) as seat:
            for number, name, _ in TABS:
                await seat.press(str(number))
                assert seat.screen == snapshot(name=name)

    play(scene())


def test_at_the_start_and_at_the_end(run: Run, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with seated(run, USUAL, at=0) as seat:
            assert seat.screen == snapshot(name="start")
            await seat.press("end")
            assert seat.screen == snapshot(name="end")

    play(scene())


def test_the_help(run: Run, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with seated(run, USUAL, at=0) as seat:
            await seat.press("question_mark")
            assert seat.screen == snapshot
            await seat.press("escape")
            assert not isinstance(seat.app.screen, HelpScreen)

    play(scene())


def test_no_color_is_no_color(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene() -> None:
        async with seated(run, at=300) as seat:
            colors = {
                color
                for strip in seat.app.screen._compositor.render_strips()
                for segment in strip
                if segment.style is not None
                for color in (segment.style.color, segment.style.bgcolor)
                if color is not None and color.triplet is not None
            }
            assert all(len({c.triplet.red, c.triplet.green, c.triplet.blue}) == 1 for c in colors if c.triplet)

    play(scene())


def test_the_panels_are_those_of_the_dashboard() -> None:
    assert [panel.NAME for panel in REPLAY_PANELS] == [name for _, name, _ in TABS]


# -- going on


def test_it_plays_from_the_start_and_stops_at_the_end(run: Run) -> None:
    async def scene() -> None:
        async with seated(run, SMALL, speed=2.0) as seat:
            assert seat.app.playback.playing
            seen = []
            for _ in range(7):
                seen.append(seat.step)
                await seat.wait(1)
            assert seen == [0, 100, 200, 300, 400, 500, 600]
            assert not seat.app.playback.playing
            assert "✓ done 600 / 1,000" in seat.screen
            assert f"{SECONDS:.1f}/{SECONDS:.1f}s" in seat.screen

    play(scene())


def test_a_screen_that_was_held_up_skips_nothing(run: Run) -> None:
    async def scene() -> None:
        async with seated(run, speed=1.0) as seat:
            seat.time += 3600
            seat.app._poll()
            assert seat.step == 50

    play(scene())


def test_names_embedding_and_layers_are_those_of_the_moment(run: Run) -> None:
    with run.store() as store:
        names = dict(store.snapshots("names"))

    async def scene() -> None:
        async with seated(run, (200, 60), at=STEPS) as seat:
            for step in (500, 100, 0):
                seat.app.go_to(step + 50)
                await seat.settle()
                shown = seat.text_of("samples")
                assert all(name in shown for name in names[step]), step
                assert f"step {step:,}" in str(seat.app.main.query_one("#samples").border_subtitle)
                assert f"step {step:,}, the last evaluation" in seat.text_of("embedding")
                assert f"step {step:,}" in seat.text_of("timeline").split("\n")[0]
                assert f"step {step + 100:,}" not in seat.text_of("timeline")

    play(scene())


def test_the_mouse_goes_along_the_bar(run: Run) -> None:
    async def scene() -> None:
        async with seated(run, at=0) as seat:
            line = seat.app.main.query_one(Scrubber)._line
            middle, last = line.bar + (line.cells - 1) // 2, line.bar + line.cells - 1
            await seat.pilot.click(Scrubber, offset=(middle, 0))
            await seat.settle()
            assert abs(seat.step - 300) <= STEPS / line.cells
            await seat.pilot.mouse_down(Scrubber, offset=(middle, 0))
            await seat.pilot.hover(Scrubber, offset=(last + 5, 0))
            assert seat.step == STEPS, "dragged beyond its end"
            await seat.pilot.mouse_up(Scrubber, offset=(last + 5, 0))
            await seat.pilot.hover(Scrubber, offset=(line.bar, 0))
            assert seat.step == STEPS, "let go of"
            await seat.pilot.click(Scrubber, offset=(0, 0))
            assert seat.step == STEPS, "beside the bar"

    play(scene())


def test_a_run_that_is_being_trained_is_replayed_as_far_as_it_is(run: Run) -> None:
    async def scene() -> None:
        with run.training_lock(), run.store() as store:
            store.set(status="running")
            async with seated(run, speed=64.0) as seat:
                await seat.wait(1)
                assert seat.step == STEPS
                assert f"{STEPS}/{STEPS} live" in seat.screen
                store.add_losses(LossChunk(STEPS + 1, np.full(100, 2.0, np.float32), 0.01, 12.0, 14.0))
                await seat.wait(1)
                assert seat.step == STEPS + 100, "it goes on with it"
                assert seat.app.playback.playing

    play(scene())


# -- what is not there


def test_without_its_words_it_is_replayed_all_the_same(run: Run) -> None:
    (run.folder / "words.txt").write_bytes(b"\xff\xfe\x00")

    async def scene() -> None:
        async with seated(run, (200, 60), at=300) as seat:
            assert "cannot be used" in seat.app.state.fault
            assert seat.app.state.notes[-1][1].endswith("the replay goes without them")
            assert "train mean" in seat.text_of("loss")
            assert "tanh" in seat.text_of("layers")
            assert "?" in seat.text_of("samples")
            assert "o chooses" not in seat.screen

    play(scene())


def test_a_run_that_kept_nothing_says_so(run: Run) -> None:
    with run.store() as store:
        store._run("DELETE FROM snapshots")

    async def scene() -> None:
        async with seated(run, (200, 60), at=300) as seat:
            for panel in ("samples", "timeline"):
                assert "no names were kept of this run" in seat.text_of(panel)
            assert "no embedding was kept of this run" in seat.text_of("embedding")
            assert "no diagnostics of its layers were kept of this run" in seat.text_of("layers").replace("\n", " ")

    play(scene())


def test_a_text_is_replayed_by_its_sentences(run: Run) -> None:
    with run.store() as store:
        store._run("DELETE FROM snapshots WHERE kind = 'names'")
        store.add_snapshot(0, "names", ["once upon a time there was a very long sentence"])

    async def scene() -> None:
        async with seated(run, SMALL, at=0) as seat:
            seat.app.state.words = None
            seat.app.state.config = CONFIG.but(level=WORD.name)
            await seat.press("3")
            assert "?  once upon a time there was a very long sentence" in seat.text_of("samples")

    play(scene())


def test_a_store_that_breaks_is_said_once(run: Run) -> None:
    async def scene() -> None:
        async with seated(run, at=100) as seat:
            with run.store() as store:
                store._run("DELETE FROM losses WHERE first_step > 200")
            await seat.press("end", "home", "end")
            assert [line for line in seat.said if "damaged" in line] == seat.said
            assert len(seat.said) == 1
            assert seat.app.is_running

    play(scene())


def test_nothing_trains_beside_a_replay(run: Run) -> None:
    async def scene() -> None:
        async with seated(run, SMALL, at=300) as seat:
            await seat.press(*"3568")
            assert seat.app.client is None
            assert not seat.app.is_waiting
            titles = [c.title for c in seat.app.get_system_commands(seat.app.screen)]
            assert any(title.startswith("play/pause") for title in titles)
            assert not any(title.startswith("Experiment") for title in titles)
        assert sorted(path.name for path in run.folder.iterdir() if path.suffix == ".log") == []

    play(scene())


def test_names_from_the_store_reach_no_terminal_raw(run: Run) -> None:
    with run.store() as store:
        store.set(name="a\x1b[31m[b]")
        store._run("UPDATE snapshots SET data = ? WHERE kind = 'names'", ('["\\u001b]0;x\\u0007[red]"]',))

    async def scene() -> None:
        async with seated(run, at=300) as seat:
            assert "replay of a\\x1b[31m[b]" in seat.screen
            assert "\\x1b]0;x\\x07[red]" in seat.text_of("samples")

    play(scene())


def test_in_a_real_terminal(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    arguments = ["replay", "last", "--home", str(run.folder.parent.parent), "--speed", "8"]
    with Terminal(arguments, home, *USUAL) as terminal:
        terminal.until(lambda: "✓ done 600 / 1,000" in terminal.text(), "its end")
        terminal.press("\x1b[D")
        terminal.until(lambda: "500/600" in terminal.text(), "an evaluation before")
        terminal.press("q")
        with pytest.raises(TerminalError, match="has ended"):
            terminal.until(lambda: False, "its end")
        assert terminal._child.wait() == 0
