"""The replay on the screen: every key does what it says, and what would train says that it cannot."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.app import App
from textual.binding import Binding

from tests.replay_seat import Seat, play, seated
from tests.replayed import STEPS, made_run
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.replay import ReplayApp
from tui_mm.dashboard.screens.help import HelpScreen
from tui_mm.dashboard.tabs import TABS
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run

pytestmark = pytest.mark.usefixtures("prompt_pilot", "noon")
LEAST_USUAL = (100, 22)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(Home(tmp_path / "kept"))


async def playing(seat: Seat, key: str) -> None:
    """Play, pause, and from the end play again."""
    await seat.press("home", key)
    assert seat.app.playback.playing
    await seat.wait(3)
    assert seat.step == 150 * seat.app.playback.speed
    await seat.press(key)
    await seat.wait(3)
    assert seat.step == 150 * seat.app.playback.speed
    await seat.press("end", key)
    assert (seat.step, seat.app.playback.playing) == (0, True)
    await seat.press(key)


def moving(start: int, *steps: int) -> Callable[[Seat, str], Coroutine[Any, Any, None]]:
    """The key, once and again, from a step on."""

    async def scene(seat: Seat, key: str) -> None:
        seat.app.go_to(start)
        for step in steps:
            await seat.press(key)
            assert seat.step == step, key

    return scene


async def speeding(seat: Seat, key: str) -> None:
    before = seat.app.playback.speed
    await seat.press(key)
    assert seat.app.playback.speed == before * (0.5 if key == "minus" else 2)
    await seat.press("plus" if key == "minus" else "minus")


async def looping(seat: Seat, key: str) -> None:
    seat.app.go_to(STEPS - 10)
    await seat.press(key, "space")
    assert " loop " in seat.screen
    await seat.wait(1)
    assert seat.app.playback.playing
    assert 0 < seat.step < STEPS - 10
    await seat.press(key, "space")
    assert " loop " not in seat.screen


async def zooming(seat: Seat, key: str) -> None:
    shown = [p.NAME for p in seat.app.main.query(Panel) if p.display]
    await seat.press(key)
    assert [p.NAME for p in seat.app.main.query(Panel) if p.display] == ["loss"]
    await seat.press(key)
    assert [p.NAME for p in seat.app.main.query(Panel) if p.display] == shown


async def going_to_panel(seat: Seat, key: str) -> None:
    """Once shows it, twice goes into it."""
    await seat.press("escape")
    name = TABS[int(key) - 1][1]
    seat.app._current = "none"
    await seat.press(key)
    panel = seat.app.main.query_one(f"#{name}")
    assert panel.display
    assert seat.app.focused is None
    await seat.press(key)
    assert panel.has_focus_within
    await seat.press("escape")
    assert seat.app.focused is None


async def leaving_panel(seat: Seat, key: str) -> None:
    await seat.press("tab")
    assert seat.app.focused is not None
    await seat.press(key)
    assert seat.app.focused is None


async def helped(seat: Seat, key: str) -> None:
    await seat.press(key)
    assert isinstance(seat.app.screen, HelpScreen)
    await seat.press("escape")


async def refusing(seat: Seat, key: str) -> None:
    """The keys that train: one plain line, and all stays as it is."""
    before, seat.said[:] = seat.app.playback, []
    await seat.press(key)
    assert len(seat.said) == 1
    assert "this is a replay: nothing is trained or asked here" in seat.said[0]
    assert (seat.app.playback, len(seat.app.screen_stack)) == (before, 1)


KEYS: dict[str, Callable[[Seat, str], Coroutine[Any, Any, None]]] = {
    "space": playing,
    **dict.fromkeys(("left", "less_than_sign"), moving(250, 200, 100, 0, 0)),
    **dict.fromkeys(("right", "greater_than_sign"), moving(450, 500, 600, 600)),
    **dict.fromkeys(("comma", "shift+left"), moving(15, 9, 3, 0, 0)),
    **dict.fromkeys(("full_stop", "shift+right"), moving(585, 591, 597, 600, 600)),
    "home": moving(300, 0, 0),
    "end": moving(300, 600, 600),
    **dict.fromkeys(("plus", "equals_sign", "minus"), speeding),
    "o": looping,
    "z": zooming,
    **dict.fromkeys("123456789", going_to_panel),
    "escape": leaving_panel,
    "question_mark": helped,
    **dict.fromkeys("tlRsernNxLvcC", refusing),
}


def test_every_key(run: Run) -> None:
    bound = [b for b in ReplayApp.BINDINGS if isinstance(b, Binding) and b not in App.BINDINGS]
    assert {key for b in bound for key in b.key.split(",")} == {*KEYS, "q"}
    assert all(b.description and b.tooltip and b.id for b in bound if not b.system)

    async def scene() -> None:
        async with seated(run, LEAST_USUAL, at=0, speed=1.0) as seat:
            for key, tried in KEYS.items():
                await tried(seat, key)
                await seat.press("escape")

    play(scene())


def test_leaving_asks_nothing_and_keeps_nothing(run: Run) -> None:
    async def scene() -> None:
        async with seated(run, at=300, settings=None) as seat:
            await seat.press("8", "u", "q")
            assert not seat.app.is_running
            assert seat.app.return_value == ""
        assert not (run.folder.parent.parent / "settings.json").exists()

    play(scene())


def test_a_panel_has_its_own_keys_when_one_is_in_it(run: Run) -> None:
    async def scene() -> None:
        async with seated(run, at=300) as seat:
            await seat.press("5", "5", "left")
            assert seat.step == 300
            assert "snapshot 4 of 4" in seat.text_of("embedding")
            await seat.press("less_than_sign", "full_stop")
            assert seat.step == 206, "these lead on from there, too"
            await seat.press("escape", "escape", "left")  # the first is the panel's: back to the last snapshot
            assert seat.step == 200

    play(scene())


def test_what_would_train_from_a_panel_says_so(run: Run) -> None:
    with run.store() as store:
        store.add_sweep_points(1, 0, np.linspace(-3, 0, 50), np.linspace(3, 2, 50))

    async def scene() -> None:
        async with seated(run, at=300) as seat:
            await seat.press("4", "4", "left", "enter")
            assert any("this is a replay" in line for line in seat.said)

    play(scene())
