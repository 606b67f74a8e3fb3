"""Every key there is, made from the bindings themselves so that a new one is pressed too, in every state."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.widgets import Input, Static

from tests.still import CONFIG, STATUS, Moment, Seat, StillApp, held
from tui_mm.dashboard.app import DashboardApp
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.screens.help import HelpScreen, help_lines, help_sections
from tui_mm.runs.home import Home
from tui_mm.training.trials import usual_steps
from tui_mm.worker.protocol import (
    Checkpoint,
    Command,
    Configure,
    EndSweep,
    Evaluate,
    Inspect,
    Pause,
    Sample,
    SetLr,
    Start,
    Step,
    Stop,
    Sweep,
    TrainedSweep,
)

MOMENTS: list[Moment] = ["no words", "untrained", "training", "paused", "done", "not finite"]
OFTEN: list[Moment] = ["no words", "untrained", "training"]
"""Where every run of the tests presses the app's keys; the other moments are of the long ones."""
PLACES = [("no words", (50, 15)), ("training", (120, 36)), ("not finite", (50, 15))]
"""Where the panels' keys are pressed; all moments at both sizes would take a minute more and show nothing else."""
NOTHING: list[Command] = []
SENT: dict[str, dict[Moment, list[Command]]] = {
    "t": {"untrained": [Start()], "training": NOTHING, "paused": [Start()], "done": NOTHING, "not finite": [Start()]},
    "space": {
        "untrained": NOTHING, "training": [Pause()], "paused": [Start()], "done": NOTHING, "not finite": NOTHING,
    },
    "n": {
        "untrained": [Step(1)], "training": [Step(1)], "paused": [Step(1)], "done": NOTHING, "not finite": [Step(1)],
    },
    "N": {
        "untrained": [Step(100)], "training": [Step(100)], "paused": [Step(100)], "done": NOTHING,
        "not finite": [Step(100)],
    },
    "x": {"untrained": NOTHING, "training": [Stop()], "paused": [Stop()], "done": NOTHING, "not finite": NOTHING},
    "l": {moment: [Sweep()] for moment in STATUS},
    "R": {moment: [TrainedSweep(steps=usual_steps(CONFIG))] for moment in STATUS},
    "X": {moment: [EndSweep()] for moment in STATUS},
    "v": {moment: [Evaluate("dev")] for moment in STATUS},
    "c": {moment: [Checkpoint()] for moment in STATUS},
}  # fmt: skip
"""What a key of the app sends at each moment, panels' own questions left out. All others send nothing."""
ASKED_BY_PANELS = (Sample, Inspect)


def ordered(app: StillApp) -> list[Command]:
    """What was sent, without what panels ask for when they are drawn."""
    return [command for command in app.sent if not isinstance(command, ASKED_BY_PANELS)]


pytestmark = pytest.mark.usefixtures("noon")


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def given(holder: type[App[Any]] | type[Panel]) -> list[Binding]:
    """As they were written: one that has several keys stays one."""
    return [b for b in vars(holder).get("BINDINGS", ()) if isinstance(b, Binding)]


def keys_of(holder: type[App[Any]] | type[Panel]) -> list[str]:
    return [b.key for b in Binding.make_bindings(given(holder))]


def panels(app: StillApp) -> list[type[Panel]]:
    return [type(panel) for panel in app.main.query(Panel)]


async def back(seat: Seat) -> None:
    """From whatever a key opened."""
    while len(seat.app.screen_stack) > 1:
        before = len(seat.app.screen_stack)
        await seat.press("escape")
        assert len(seat.app.screen_stack) < before, f"escape does not close {seat.app.screen}"


# -- nothing raises


@pytest.mark.parametrize("moment", [pytest.param(m, marks=() if m in OFTEN else pytest.mark.faults) for m in MOMENTS])
def test_every_key_of_the_app_is_borne_and_sends_what_it_should(moment: Moment, tmp_path: Path) -> None:
    async def scene() -> None:
        async with held(moment, (50, 15), home=Home(tmp_path / "kept")) as seat:
            app = seat.app
            for key in keys_of(DashboardApp):
                if key != "q":
                    app.sent.clear()
                    await seat.press(key)
                    await back(seat)
                    if isinstance(app.focused, Input):
                        await seat.press("escape")
                    assert ordered(app) == SENT.get(key, {}).get(moment, NOTHING), key
            await seat.press("q")
            assert app.is_running is (moment in ("training", "paused")), "q asks while a training goes on"

    play(scene())


@pytest.mark.parametrize(("moment", "size"), PLACES, ids=lambda v: v if isinstance(v, str) else f"{v[0]}x{v[1]}")
def test_every_key_of_the_panels_is_borne(moment: Moment, size: tuple[int, int], tmp_path: Path) -> None:
    async def scene() -> None:
        async with held(moment, size, home=Home(tmp_path / "kept")) as seat:
            app = seat.app
            app.sent.clear()
            for number, kind in enumerate(panels(app), start=1):
                panel = app.main.query_one(kind)
                await seat.press(str(number))
                assert app.focused is panel
                for key in keys_of(kind):
                    panel.focus()  # escape leaves it
                    await seat.press(key)
                    assert app.is_running
                    await back(seat)
            assert all(isinstance(command, SetLr | Configure) for command in ordered(app)), "the sweep's enter alone"

    play(scene())


# -- what is said of them


def test_every_key_has_an_id_and_a_tooltip_and_stands_for_one_thing() -> None:
    async def scene() -> None:
        async with held("no words") as seat:
            holders = [DashboardApp, *panels(seat.app)]
        bindings = [binding for holder in holders for binding in given(holder)]
        assert len(bindings) > 50
        assert [b.key for b in bindings if not (b.id and b.tooltip and b.description)] == []
        idents = [b.id for b in bindings]
        assert [i for i in idents if idents.count(i) > 1] == []
        everywhere = set(keys_of(DashboardApp)) | {"tab", "shift+tab", App.COMMAND_PALETTE_BINDING}
        for panel in holders[1:]:
            own = keys_of(panel)
            assert everywhere.isdisjoint(own), panel
            assert len(own) == len(set(own)), panel

    play(scene())


def test_the_help_and_the_palette_have_every_key() -> None:
    async def scene() -> None:
        async with held("training") as seat:
            app = seat.app
            display = app.get_key_display
            sections = help_sections(DashboardApp.BINDINGS, panels(app))
            lines = [line for _, bindings in sections for line in help_lines(bindings, display)]
            for number, panel in enumerate(panels(app), start=1):
                await seat.press(str(number))
                listed = list(app.get_system_commands(app.screen))
                commands = {command.title: command.help for command in listed}
                assert len(commands) == len(listed)
                others = {title for title in commands if "(" not in title and not title.startswith("Experiment")}
                assert others == {"Theme", "Screenshot"}
                holder = app.main.query_one(panel)
                for binding in Binding.make_bindings([*given(DashboardApp), *given(panel)]):
                    if holder.check_action(binding.action, ()) is False:
                        continue  # such as escape, which has nothing to leave
                    assert commands[f"{binding.description} ({display(binding)})"] == binding.tooltip
                for binding in Binding.make_bindings(given(panel)):
                    assert any(display(binding) in keys and binding.description == short for keys, short, _ in lines)
            for binding in Binding.make_bindings(given(DashboardApp)):
                told = [keys for keys, short, long in lines if binding.description in (short, *long.split(", "))]
                assert any(display(binding) in keys or " to " in keys for keys in told), binding
            await seat.press("question_mark")
            assert isinstance(app.screen, HelpScreen)
            assert len(app.screen.query(Static)) == 2

    play(scene())


# -- what they ask for


def test_every_key_says_something_where_it_can_do_nothing() -> None:
    async def scene() -> None:
        async with held("no words") as seat:
            for key in SENT:
                seat.app.said.clear()
                await seat.press(key)
                assert seat.app.said, key
        async with held("done") as seat:
            for key in (k for k, at in SENT.items() if not at["done"]):
                seat.app.said.clear()
                await seat.press(key)
                assert seat.app.said, key

    play(scene())


@pytest.mark.parametrize(
    ("moment", "is_sent"), [("untrained", False), ("training", True), ("paused", True), ("done", False)]
)
def test_a_rate_goes_to_the_training_or_into_the_configuration(moment: Moment, is_sent: bool) -> None:
    async def scene() -> None:
        async with held(moment) as seat:
            app = seat.app
            app.sent.clear()
            await seat.press("L", *"0.25", "enter")
            await seat.press("4", "end", "up", "enter")  # the sweep's suggestion
            rates = [c.lr if isinstance(c, SetLr) else c.values["lr"] for c in ordered(app)
                     if isinstance(c, SetLr | Configure)]  # fmt: skip
            if moment == "done":
                assert ordered(app) == NOTHING
                assert [c.lr for c in app.begun[1:]][:1] == [0.25], "a run that is done keeps its rate; another begins"
            elif moment == "untrained":
                assert rates == [0.25], "there is no sweep yet to choose of"
            else:
                assert rates[0] == 0.25
                assert len(rates) == 2
                assert 0.001 < rates[1] < 1
            assert all(isinstance(c, SetLr) is is_sent for c in ordered(app))

    play(scene())


def test_the_panels_own_keys_ask_anew() -> None:
    async def scene() -> None:
        async with held("done") as seat:
            app = seat.app
            await seat.press("3")
            for key, name, value in (
                ("right_square_bracket", "temperature", 1.1),
                ("left_square_bracket", "temperature", 1.0),
                ("k", "top_k", 1),
                ("K", "top_k", 0),
                ("p", "top_p", 0.95),
                ("P", "top_p", 1.0),
            ):
                app.sent.clear()
                await seat.press(key)
                asked = [c for c in app.sent if isinstance(c, Sample)]
                assert getattr(asked[-1], name) == value, key
            seeds = []
            for key in ("g", "g", "G"):
                await seat.press(key)
                seeds.append(next(c.seed for c in reversed(app.sent) if isinstance(c, Sample)) - app.state.config.seed)
            assert seeds == [11, 12, 10]
            await seat.press("s", "e", "l")
            assert next(c.prefix for c in reversed(app.sent) if isinstance(c, Sample)) == "el"
            await seat.press("escape", "6")
            while Inspect("bigrams") not in app.sent:  # when the panel has found its place
                await seat.settle()
            app.sent.clear()
            await seat.press("m")
            assert app.sent == [Inspect("bigrams", average=True)]

    play(scene())


def test_keys_typed_into_the_prefix_are_letters() -> None:
    async def scene() -> None:
        async with held("training") as seat:
            app = seat.app
            await seat.press("s")
            app.sent.clear()
            await seat.press("t", "x", "n")
            assert ordered(app) == NOTHING
            assert app.main.query_one("#prefix").value == "txn"  # type: ignore[attr-defined]

    play(scene())
