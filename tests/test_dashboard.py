"""The dashboard, driven by Textual's pilot, with a real worker behind it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tui_mm.config import make_config
from tui_mm.dashboard.app import DashboardApp
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.lines import foot_line
from tui_mm.dashboard.panels.base import Panel
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.run import all_runs
from tui_mm.settings import Settings

pytestmark = pytest.mark.usefixtures("prompt_pilot")
PATIENCE_S = 60.0
SIZES = [(50, 15), (80, 24), (120, 36), (200, 60), (300, 100)]


class Seat:
    """A person at the dashboard."""

    def __init__(self, app: DashboardApp, pilot: Pilot[str]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)

    def text_of(self, selector: str) -> str:
        """All that stands in a widget and below it."""
        root = self.app.screen_stack[0].query_one(selector)
        parts = []
        for widget in (root, *root.query("*")):
            if isinstance(widget, ChartView):
                parts.append(widget.text)
            elif isinstance(widget, Static):
                parts.append(str(widget.content))
        return "\n".join(parts)

    @property
    def status(self) -> str:
        return self.app.state.status


@asynccontextmanager
async def seated(words: Path, size: tuple[int, int] = (120, 36), **flags: Any) -> AsyncIterator[Seat]:
    values = {
        "data": str(words), "block_size": 3, "embedding": 4, "hidden": 16, "batch_size": 8, "steps": 300, "threads": 1,
        "device": "cpu", **flags,
    }  # fmt: skip
    app = DashboardApp(make_config(flags=values), Home.find())
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        await seat.until(lambda: app.samples is not None)  # the panels come behind the first screen
        yield seat
        client = app.client
    if client is not None and client._process is not None:
        client.leave()
        await asyncio.to_thread(client._process.wait, PATIENCE_S)


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_the_words_are_shown_before_torch_is_there(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file) as seat:
            assert "makemore-tui" in seat.text_of("#head")
            await seat.until(lambda: "words      61" in seat.text_of("#dataset"))
            shown = seat.text_of("#dataset")
            assert "... → e" in shown
            assert "..e → m" in shown
            assert seat.status == "created"
            await seat.pilot.press("q")
        assert all_runs(Home.find()) == [], "a run that was never trained is not kept"

    play(scene())


def test_keys_that_come_before_the_panels_put_them_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it still reads its words, from a pipe that nobody writes to."""
    monkeypatch.setattr("tui_mm.dashboard.placing._WORDS_SECONDS", 3600.0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def scene() -> None:
        app = DashboardApp(make_config(flags={"data": str(pipe)}), Home.find())
        async with app.run_test(size=(120, 36)) as pilot:
            seat = Seat(app, pilot)
            await seat.until(lambda: app.query("#dataset"))
            assert len(app.query(Panel)) == 1
            assert app.samples is None
            await pilot.press("s", "e", "m")
            await seat.until(lambda: app.samples is not None and app.query_one("#prefix", Input).value == "em")
            assert len(app.query(Panel)) == 9
            with pipe.open("w"):  # opens when the other end is opened, too
                pass
            await seat.until(lambda: "no words" in seat.text_of("#head"))

    play(scene())


def test_a_training_is_watched_sampled_swept_paused_and_kept(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file, steps=4000) as seat:
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("t")
            await seat.until(lambda: seat.status == "running")
            await seat.pilot.press("space")
            await seat.until(lambda: seat.status in ("paused", "done"))
            await seat.pilot.press("l")
            follower = seat.app.state.follower
            assert follower is not None
            await seat.until(lambda: len(follower.sweep_losses) == 1000)
            await seat.until(lambda: "valley" in seat.text_of("#sweep"))
            await seat.pilot.press("space")
            await seat.pilot.press("s", "e", "m")
            await seat.until(lambda: "em" in seat.text_of("#names").split("\n")[0][:2])
            assert all(line.startswith("em") for line in seat.text_of("#names").split("\n"))
            assert "bigram" in seat.text_of("#next")
            await seat.pilot.press("escape")
            await seat.until(lambda: seat.status == "done")
            await seat.until(lambda: "dev" in seat.text_of("#foot"))
            await seat.until(lambda: "bigram counts" in seat.text_of("#loss"))
            await seat.pilot.press("9")
            await seat.until(lambda: "done at step 4,000" in seat.text_of("#log"))
            await seat.pilot.press("q")
        (run,) = all_runs(Home.find())
        assert run.status() == "done"

    play(scene())


def test_the_result_is_the_same_to_the_bit_without_the_dashboard(words_file: Path, cli: Any) -> None:
    async def scene() -> None:
        async with seated(words_file) as seat:
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("s", "a", "b", "escape", "l", "t")
            await seat.until(lambda: seat.status == "done")
            await seat.pilot.press("q")

    play(scene())
    flags = ("--block-size", 3, "--embedding", 4, "--hidden", 16, "--batch-size", 8, "--steps", 300, "--threads", 1)
    assert cli("train", "--data", words_file, *flags, "--device", "cpu").code == 0
    watched, plain = (load_checkpoint(run.checkpoint("last")).arrays for run in all_runs(Home.find()))
    assert watched.keys() == plain.keys()
    assert all(np.array_equal(watched[name], plain[name]) for name in plain)


@pytest.mark.parametrize(("key", "status", "steps"), [("s", "stopped", 10_000_000), ("k", "done", 8_000)])
def test_quitting_while_it_trains_asks(key: str, status: str, steps: int, words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file, steps=steps) as seat:
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("t")
            await seat.until(lambda: seat.status == "running")
            await seat.pilot.press("q")
            await seat.pilot.press("escape")
            assert seat.app.is_running
            await seat.pilot.press("q")
            await seat.pilot.press(key)
            await seat.until(lambda: not seat.app.is_running)
            (run,) = all_runs(Home.find())
            await seat.until(lambda: run.status() == status)

    play(scene())


def test_words_that_cannot_be_used_are_said_and_every_key_still_works(tmp_path: Path) -> None:
    async def scene() -> None:
        async with seated(tmp_path / "none\x1b[2J.txt") as seat:
            await seat.until(lambda: "no such file" in " ".join(seat.text_of("#dataset").split()))
            assert "\x1b" not in seat.text_of("#dataset")
            await seat.pilot.press("t", "space", "l", *"123456789", "s", "e", "escape", "tab", "enter", "q")

    play(scene())


@pytest.mark.parametrize("size", SIZES[-1:])  # the keys: test_keys.py
def test_every_size_and_key_is_borne_with_and_without_a_training(size: tuple[int, int], words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file, size, steps=200) as seat:
            await seat.pilot.press("2", "4", "s", "escape")
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("t")
            for other in SIZES:
                await seat.pilot.resize_terminal(*other)
                await seat.pilot.press("1", "5", "9", "2")
            await seat.pilot.resize_terminal(*size)
            await seat.until(lambda: seat.status == "done")
            await seat.until(lambda: "train" in seat.text_of("#loss"))
            await seat.pilot.press("t", "space")
            assert seat.app.is_running

    play(scene())


def test_nan_is_seen(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file, optimizer="sgd", lr=1e30, schedule="constant") as seat:
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("t")
            await seat.until(lambda: seat.status == "diverged")
            await seat.until(lambda: "not finite" in seat.text_of("#loss"))
            await seat.pilot.press("9")
            await seat.until(lambda: "not a finite number" in seat.text_of("#log"))

    play(scene())


def test_scripts_of_the_world_and_escape_sequences_in_the_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(["李小龙", "👩‍👩‍👧", "zoë", "\x1b[2Jred", "[bold]m", "a.b"] * 10))

    async def scene() -> None:
        async with seated(path, steps=50) as seat:
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("t")
            await seat.until(lambda: seat.status == "done")
            await seat.until(lambda: seat.text_of("#names"))
            for panel in ("#dataset", "#names", "#next", "#log"):
                assert "\x1b" not in seat.text_of(panel)

    play(scene())


def test_a_worker_that_dies_is_seen_and_t_goes_on(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file, steps=3_000) as seat:
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("t")
            await seat.until(lambda: seat.status == "running" and seat.app.state.follower.steps > 10)
            seat.app.client._process.kill()
            await seat.until(lambda: seat.status == "crashed")
            assert "crashed" in seat.text_of("#head")
            await seat.pilot.press("9")
            await seat.until(lambda: "t goes on from the last checkpoint" in seat.text_of("#log"))
            await seat.pilot.press("t")
            await seat.until(lambda: seat.status == "done")

    play(scene())


def test_only_rows_that_change_are_painted(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file) as seat:
            view = seat.app.query_one("#loss ChartView", ChartView)
            view.show("a\nb\nc")
            assert view.show("a\nB\nc") == 1
            assert view.show("a\nB\nc") == 0
            assert view.show("a") == 2
            assert view.text == "a"

    play(scene())


def test_what_a_person_chose_is_there_at_the_next_start_even_if_the_dashboard_is_killed(words_file: Path) -> None:
    def kept() -> tuple[str, str, str]:
        settings, _ = Settings.load(Home.find())
        return settings.theme, settings.loss_scale, settings.panel

    async def scene() -> None:
        async with seated(words_file) as seat:
            seat.app.theme = "textual-light"
            await seat.pilot.press("2", "y", "6")
            await seat.until(lambda: kept() == ("textual-light", "linear", "bigrams"))  # it has not been left
        async with seated(words_file) as seat:
            assert seat.app.theme == "textual-light"
            assert seat.app.state.settings.loss_scale == "linear"

    play(scene())


def test_the_cursor_does_not_blink(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file) as seat:
            assert not seat.app.query_one("#prefix", Input).cursor_blink

    play(scene())


def test_a_run_folder_that_vanishes_is_said_and_the_dashboard_lives_on(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file) as seat:
            await seat.until(lambda: seat.app.client)
            client = seat.app.client
            assert client is not None
            assert client._process is not None
            client._process.kill()
            client._process.wait()
            shutil.rmtree(client.run.folder)
            await seat.pilot.press("t", "l", "space", "s", "e", "escape", "9")
            await seat.until(lambda: "start:" in seat.text_of("#log"))
            await seat.pilot.press("q")
            await seat.until(lambda: not seat.app.is_running)

    play(scene())


def test_the_foot_line_cuts_no_number(words_file: Path) -> None:
    async def scene() -> None:
        async with seated(words_file, steps=50) as seat:
            await seat.until(lambda: seat.app.client)
            await seat.pilot.press("t")
            await seat.until(lambda: seat.status == "done")
            whole = foot_line(seat.app.state, 300).split("  ")
            for width in (30, 50, 80, 120):
                cut = foot_line(seat.app.state, width)
                assert len(cut) <= width
                assert cut.split("  ")[-1] in whole

    play(scene())
