"""The screen of an experiment and the list of those that are kept, over prepared folders; and a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from tests.still import held
from tui_mm.config import make_config
from tui_mm.dashboard.app import DashboardApp
from tui_mm.dashboard.screens.ask import AskScreen
from tui_mm.dashboard.screens.experiment import ExperimentScreen
from tui_mm.dashboard.screens.experiments import ExperimentsScreen
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.figures import LECTURE_SHA256
from tui_mm.experiments.kept import KeptExperiment, WordFacts, all_experiments, create_experiment
from tui_mm.experiments.result import ExperimentResult, Row, bar_chart, line_chart
from tui_mm.runs.home import Home

pytestmark = pytest.mark.usefixtures("prompt_pilot")
PATIENCE_S = 60.0
SIZES = [(50, 15), (80, 24), (120, 36), (200, 60)]
ROWS: list[Row] = [
    {"smoothing": 0.03, "train": 2.1843, "dev": 2.2264},
    {"smoothing": 0.15, "train": 2.1895, "dev": 2.2221, "test": 2.2234},
    {"smoothing": 1.0, "train": 2.2156, "dev": 2.2365},
    {"smoothing": 10.0, "train": 2.3562, "dev": 2.3637},
]


class Tiny(App[None]):
    AUTO_FOCUS = None

    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"  # as the dashboard has it
        self.said: list[str] = []

    def notify(self, message: str, **_: Any) -> None:
        self.said.append(message)


class Seat:
    def __init__(self, app: Tiny, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.answers: list[Any] = []

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    @property
    def text(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)


@asynccontextmanager
async def before(screen: Screen[Any], size: tuple[int, int] = (100, 36)) -> AsyncIterator[Seat]:
    app = Tiny()
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        app.push_screen(screen, seat.answers.append)
        await pilot.pause()
        await pilot.pause()
        yield seat


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def make(name: str = "part1-e03", data: str = "words.txt") -> KeptExperiment:
    return create_experiment(Home.find(), name, make_config(flags={"data": data, "seed": 7}))


def fill(kept: KeptExperiment, rows: int, **changes: Any) -> None:
    """So many rows are done, on the lecture's words."""
    record = kept.read()
    taken = ROWS[:rows]
    result = ExperimentResult(
        EXPERIMENTS[record.name].columns,
        tuple(taken),
        line_chart(taken, "smoothing", [("train", "train"), ("dev", "dev")], ("added", "loss"), log_x=True),
    )
    answer = changes.pop("answer", "")
    words = WordFacts("/somewhere/names.txt", LECTURE_SHA256, 32033, 27)
    changes = {
        "status": "running",
        "words": words,
        "seconds": 3.0,
        "doing": "",
        "result": replace(result, answer=answer),
        **changes,
    }
    kept.write(replace(record, **changes))


def test_rows_chart_and_answer_are_seen_as_they_come() -> None:
    kept = make()

    async def scene() -> None:
        async with before(ExperimentScreen(kept)) as seat:
            assert EXPERIMENTS["part1-e03"].asks[:40] in seat.text
            assert "starting" in seat.text
            with kept.lock():
                fill(kept, 1, doing="0.15 added: step 1 of 1")
                await seat.until(lambda: "2.2264" in seat.text)
                assert "running, names.txt, 3 s" in seat.text
                assert "0.15 added: step 1 of 1" in seat.text
                assert "loss over added" not in seat.text, "one row makes no chart"
                fill(kept, 3)
                await seat.until(lambda: "2.2365" in seat.text)
                assert "(2.1895) (2.2221) (2.2234)" in seat.text
                await seat.until(lambda: "loss over added" in seat.text)
                assert "step 1 of 1" not in seat.text
            fill(kept, 4, status="done", answer="Least with 0.15.")
            await seat.until(lambda: "Least with 0.15." in seat.text)
            assert "✓ done" in seat.text
            await seat.press("x")
            assert seat.app.said == ["it is not running"]
            await seat.press("escape")
            assert seat.answers == [None]

    play(scene())


def test_nothing_is_drawn_when_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = make()

    async def scene() -> None:
        screen = ExperimentScreen(kept)
        async with before(screen) as seat:
            with kept.lock():
                fill(kept, 2)
                await seat.until(lambda: "2.2221" in seat.text)
                drawn: list[int] = []
                monkeypatch.setattr(screen, "_draw", lambda: drawn.append(1))
                for _ in range(3):
                    screen.look_again()
                assert drawn == []
                fill(kept, 3)
                screen.look_again()
                assert drawn == [1]

    play(scene())


def test_stop_is_a_signal_to_the_process_that_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = make()
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, number: told.append((pid, number)))

    async def scene() -> None:
        async with before(ExperimentScreen(kept)) as seat:
            with kept.lock():
                fill(kept, 2, pid=4321)
                await seat.until(lambda: "running" in seat.text)
                await seat.press("x")
                assert told == [(4321, 2)]
                assert "stopping" in seat.text
            await seat.until(lambda: "crashed" in seat.text)

    play(scene())


@pytest.mark.parametrize("ascii_only", [False, True], ids=["unicode", "ascii"])
def test_it_looks_as_it_should(ascii_only: bool, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "0a1b2c3d")
    kept = make()
    fill(kept, 4, status="done", answer="Least on dev with 0.15 added.")

    async def scene() -> None:
        async with before(ExperimentScreen(kept, ascii_only=ascii_only, color=False), (80, 30)) as seat:
            assert seat.text == snapshot
            assert seat.text.isascii() or not ascii_only

    play(scene())


@pytest.mark.parametrize("size", [SIZES[0], SIZES[-1]])
def test_every_size_is_borne(size: tuple[int, int]) -> None:
    kept = make("ladder")
    rows = (
        {"preset": "gru", "model": "gru", "dev": 2.0, "samples": ["em\x1b[2Jma", "[b]x"]},
        {"preset": "lstm", "dev": 1.9},
    )
    chart = bar_chart(rows, "preset", "dev", ("", "dev loss"))
    result = ExperimentResult(EXPERIMENTS["ladder"].columns, rows, chart, "An answer.")
    kept.write(replace(kept.read(), status="done", result=result))

    async def scene() -> None:
        async with before(ExperimentScreen(kept), size) as seat:
            for other in [*SIZES, size]:
                await seat.pilot.resize_terminal(*other)
                await seat.pilot.pause()
                assert "done" in seat.text
                assert "\x1b" not in seat.text
            for key in ("down", "end", "right", "home", "pagedown"):
                await seat.press(key)
            await seat.press("end")
            await seat.until(lambda: "An answer." in seat.text)
            await seat.press("home")
            await seat.until(lambda: "em\\x1b[2Jma  [b]x" in seat.text or size[1] < 20)

    play(scene())


def test_a_damaged_file_and_a_process_that_ended_early_are_said() -> None:
    class Ended:
        returncode = 3

        def poll(self) -> int:
            return self.returncode

    bad, early = make(), make()
    (bad.folder / "experiment.json").write_bytes(b"{")
    early.log.write_text("a line\nmakemore-tui: error: no such file\x1b[2J\n")

    async def scene() -> None:
        async with before(ExperimentScreen(bad)) as seat:
            assert "cannot be used" in seat.text
            await seat.press("x")
            assert "cannot be used" in seat.app.said[-1]
        async with before(ExperimentScreen(early, Ended())) as seat:  # type: ignore[arg-type]
            assert "its process ended before it began: a line; makemore-tui: error: no such file" in seat.text
            assert "\x1b" not in seat.text

    play(scene())


def test_the_list_opens_one_and_deletes_one() -> None:
    first, second = make(), make("overfit", "a\x1b[2J[b].txt")
    fill(first, 4, status="done")

    async def scene() -> None:
        async with before(ExperimentsScreen(Home.find()), (80, 24)) as seat:
            lines = [line for line in seat.text.split("\n") if first.id in line or second.id in line]
            assert second.id in lines[0], "the newest first"
            assert "created" in lines[0] and "done" in lines[1]
            assert "\x1b" not in seat.text
            await seat.press("down", "enter")
            assert seat.answers == [first]
        async with before(ExperimentsScreen(Home.find()), (80, 24)) as seat:
            await seat.press("d", "n")
            assert len(all_experiments(Home.find())) == 2
            await seat.press("d")
            assert isinstance(seat.app.screen, AskScreen)
            with second.lock():
                await seat.press("y")
                assert "is running" in seat.text
            await seat.press("d", "y")
            assert all_experiments(Home.find()) == [first]
            await seat.press("d", "y")
            assert "none yet" in seat.text
            await seat.press("enter", "d", "escape")
            assert seat.answers == [None]

    play(scene())


def test_the_palette_has_each_and_the_list() -> None:
    async def scene() -> None:
        async with held("training") as seat:
            app = seat.app
            titles = {command.title for command in app.get_system_commands(app.screen)}
            assert {f"Experiment: {experiment.title}" for experiment in EXPERIMENTS.values()} <= titles
            assert "Experiments kept" in titles

    play(scene())


def test_one_is_run_from_the_dashboard_in_a_process_of_its_own(words_file: Path) -> None:
    """On the words that are shown, with a seed of its configuration; stopped by a key, then seen in the list."""

    async def scene() -> None:
        values = {"data": str(words_file), "threads": 1, "device": "cpu", "seed": 7}
        app = DashboardApp(make_config(flags=values), Home.find())
        async with app.run_test(size=(120, 36)) as pilot:
            seat = Seat(app, pilot)  # type: ignore[arg-type]
            await seat.until(lambda: app.client)
            app.action_experiment("part2-e02")
            await seat.until(lambda: isinstance(app.screen, ExperimentScreen))
            screen = app.screen
            assert isinstance(screen, ExperimentScreen)
            await seat.until(lambda: screen.record is not None and len(screen.record.result.rows) > 1)
            await seat.press("x")
            await seat.until(lambda: screen.record is not None and screen.record.status == "stopped")
            record = screen.record
            assert record is not None and record.words is not None
            assert (record.words.words, record.seed, record.data) == (61, 7, str(words_file))
            await seat.press("escape")
            app.action_experiments()
            await seat.until(lambda: isinstance(app.screen, ExperimentsScreen))
            await seat.press("enter")
            await seat.until(lambda: isinstance(app.screen, ExperimentScreen))
            await seat.until(lambda: "stopped" in seat.text)
            await seat.press("escape", "q")
            assert screen._process is not None
            await asyncio.to_thread(screen._process.wait, PATIENCE_S)

    play(scene())


def test_words_that_cannot_be_read_are_said_on_the_screen(tmp_path: Path) -> None:
    async def scene() -> None:
        app = DashboardApp(make_config(flags={"data": str(tmp_path / "none.txt")}), Home.find())
        async with app.run_test(size=(120, 36)) as pilot:
            seat = Seat(app, pilot)  # type: ignore[arg-type]
            await seat.until(lambda: app.state.fault)
            app.action_experiment("part1-e02")
            await seat.until(lambda: "no such file" in " ".join(seat.text.split()))
            await seat.until(lambda: "failed" in seat.text)

    play(scene())
