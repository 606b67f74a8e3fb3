"""The sweep panel alone, under a hand-made view state: what it shows, what it posts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from textual.app import App, ComposeResult

from tui_mm.config import make_config
from tui_mm.dashboard.charts.sweep import shown_rate
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.messages import RateChosen
from tui_mm.dashboard.panels.sweep import SweepPanel, planned_exponents
from tui_mm.dashboard.state import ViewState
from tui_mm.training.suggestions import smooth, suggest

pytestmark = pytest.mark.usefixtures("prompt_pilot")

X = np.linspace(-3, 0, 1000)
Y = 2.5 + 8 / (1 + np.exp((X + 1.6) * 5)) + 6 / (1 + np.exp(-(X + 0.2) * 12))
FOUND = suggest(X, smooth(Y))
assert FOUND.valley


class Seat(App[None]):
    """An app of one panel that keeps what is posted to it."""

    CSS = "SweepPanel { border: round $border; padding: 0 1; }"

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.panel = SweepPanel(state)
        self.chosen: list[float] = []
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_rate_chosen(self, message: RateChosen) -> None:
        self.chosen.append(message.lr)

    def notify(self, message: str, **_: Any) -> None:
        self.told.append(message)

    @property
    def text(self) -> str:
        return self.panel.query_one(ChartView).text


def swept(count: int = 1000, losses: Any = Y, **flags: Any) -> ViewState:
    """A state with a sweep so far on."""
    state = ViewState(make_config(flags=flags), color=False)
    state.follower = SimpleNamespace(sweep_exponents=X[:count], sweep_losses=losses[:count])  # type: ignore[assignment]
    return state


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_before_a_sweep_it_says_how_to_begin_and_enter_does_nothing_else() -> None:
    async def scene() -> None:
        app = Seat(ViewState(make_config()))
        async with app.run_test(size=(50, 12)) as pilot:
            app.panel.focus()
            assert app.text.startswith("press l to sweep")
            assert all(len(line) <= 46 for line in app.text.splitlines())
            await pilot.press("left", "up", "enter", "escape")
            await pilot.click(SweepPanel)
            assert app.chosen == []
            assert app.told == ["press l to sweep first"] * 3

    play(scene())


def test_a_model_that_counts_has_no_rate_to_find() -> None:
    async def scene() -> None:
        app = Seat(ViewState(make_config(flags={"model": "bigram"})))
        async with app.run_test(size=(50, 12)) as pilot:
            app.panel.focus()
            assert "no learning rate" in app.text.replace("\n", " ")
            await pilot.press("enter")
            assert "no learning rate" in app.told[0]

    play(scene())


def test_enter_applies_the_valley_or_the_rate_under_the_cursor() -> None:
    async def scene() -> None:
        app = Seat(swept(lr=0.123))
        async with app.run_test(size=(90, 24)) as pilot:
            app.panel.focus()
            assert "V valley" in app.text
            assert "N now" in app.text
            assert "0.123" in app.text
            await pilot.press("enter")
            assert app.chosen == [shown_rate(FOUND.valley or 0)]
            await pilot.press("right")
            assert app.panel.cursor == pytest.approx(math.log10(FOUND.valley or 0)), "first at the valley"
            assert "│ 10**" in app.text
            before = app.panel.cursor
            await pilot.press("right", "right", "left")
            assert app.panel.cursor - before == pytest.approx(3 / 78, rel=0.6), "a column on"
            await pilot.press("enter")
            assert app.chosen[1:] == [shown_rate(10**app.panel.cursor)]
            assert app.chosen[1] > app.chosen[0]
            await pilot.press("escape")
            assert app.panel.cursor is None
            assert "│ 10**" not in app.text
            await pilot.press("escape")
            assert app.told == []

    play(scene())


def test_up_and_down_go_through_the_suggestions() -> None:
    async def scene() -> None:
        app = Seat(swept())
        async with app.run_test(size=(90, 24)) as pilot:
            app.panel.focus()
            stops = sorted(math.log10(rate) for rate in (FOUND.valley, FOUND.steepest, FOUND.minimum) if rate)
            await pilot.press("up")
            seen = {app.panel.cursor}
            for _ in range(2):
                await pilot.press("up")
                seen.add(app.panel.cursor)
            assert sorted(e for e in seen if e is not None) == pytest.approx(stops)
            app.panel.cursor = stops[-1]
            await pilot.press("down")
            assert app.panel.cursor == pytest.approx(stops[-2])

    play(scene())


def test_a_click_puts_the_cursor_and_it_stays_among_what_was_tried() -> None:
    async def scene() -> None:
        app = Seat(swept(500))
        async with app.run_test(size=(90, 24)) as pilot:
            await pilot.click(ChartView, offset=(6, 5))
            assert app.panel.cursor == -3.0
            assert app.panel.has_focus
            await pilot.press("left")
            assert app.panel.cursor == -3.0
            await pilot.click(ChartView, offset=(84, 5))
            assert app.panel.cursor == X[499]
            await pilot.press("right", "enter")
            assert app.chosen == [shown_rate(10 ** X[499])]
            await pilot.click(ChartView, offset=(2, 5))  # the labels
            assert app.panel.cursor == X[499]

    play(scene())


def test_a_sweep_under_way_has_its_progress_and_no_suggestions_yet() -> None:
    async def scene() -> None:
        app = Seat(swept(612))
        async with app.run_test(size=(90, 24)) as pilot:
            app.panel.focus()
            assert "612 of 1,000 rates" in app.text
            assert "valley" not in app.text
            await pilot.press("enter", "up")
            assert len(app.told) == 2
            assert app.chosen == []
            app.panel.state.follower = swept().follower
            app.panel.draw()
            assert "valley" in app.text
            await pilot.press("right")
            app.panel.state.follower = swept(20).follower
            app.panel.draw()
            assert app.panel.cursor is None, "a new sweep"
            assert "20 of 1,000" in app.text

    play(scene())


def test_a_sweep_that_blew_up_has_suggestions_and_says_where_it_stopped() -> None:
    async def scene() -> None:
        losses = np.where(X < -0.4, Y, np.nan)
        count = int(np.isfinite(losses).sum()) + 1
        app = Seat(swept(count, losses))
        async with app.run_test(size=(90, 24)) as pilot:
            assert "stopped at 10**-0.4: the loss is not finite" in app.text
            assert "V valley" in app.text
            app.panel.focus()
            app.panel.cursor = float(X[count - 20])
            await pilot.press("right", "right", "right")
            assert app.panel.cursor == X[count - 2]

    play(scene())


def test_a_chart_is_built_again_only_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []

    def count(*_: Any, **__: Any) -> str:
        built.append(1)
        return "chart"

    monkeypatch.setattr("tui_mm.dashboard.panels.sweep.sweep_chart", count)

    async def scene() -> None:
        app = Seat(swept())
        async with app.run_test(size=(90, 24)):
            before = len(built)
            app.panel.draw()
            app.panel.draw()
            assert len(built) == before
            app.panel.state.config = make_config(flags={"lr": 0.02})
            app.panel.draw()
            assert len(built) == before + 1

    play(scene())


def test_every_key_is_borne_with_short_flat_and_empty_sweeps() -> None:
    async def scene() -> None:
        app = Seat(swept())
        async with app.run_test(size=(30, 9)) as pilot:
            app.panel.focus()
            bad, flat = np.full(1000, np.nan), np.full(1000, 3.0)
            for count, losses in ((0, Y), (1, Y), (3, Y), (1, bad), (3, flat)):
                app.panel.state.follower = swept(count, losses).follower
                app.panel.draw()
                assert app.text
                await pilot.press("left", "up", "down", "enter", "escape", "enter")
            await pilot.resize_terminal(3, 2)
            await pilot.press("left", "enter")

    play(scene())


RATES = np.linspace(-3, 0, 7)
LOSSES = np.array([[3.3, 3.2], [2.9, 3.0], [2.6, 2.5], [2.3, 2.4], [2.35, 2.37], [2.9, np.nan], [np.nan, np.nan]])


def trained(done: int = 200) -> ViewState:
    """A state with rates that were trained at, so many of 200 steps."""
    state = ViewState(make_config(flags={"lr": 0.0123}), color=False)
    plan = {"steps": 200, "done": done, "measured": "dev" if done == 200 else "train", "is_final": done == 200}
    losses = LOSSES if done else np.full_like(LOSSES, np.nan)
    state.follower = SimpleNamespace(  # type: ignore[assignment]
        sweep_exponents=np.repeat(RATES, 2), sweep_losses=losses.flatten(), meta={"trained_sweep": plan}
    )
    return state


def test_rates_that_were_trained_at_have_a_cursor_that_goes_from_one_to_the_next() -> None:
    async def scene() -> None:
        app = Seat(trained())
        async with app.run_test(size=(90, 24)) as pilot:
            app.panel.focus()
            assert "dev loss over the exponent" in app.text
            assert "B best 10**-1.50" in app.text
            assert "x diverged" in app.text
            await pilot.press("enter")
            assert app.chosen == [shown_rate(10**-1.5)]
            await pilot.press("right")
            assert app.panel.cursor == -1.5, "first at the best"
            await pilot.press("right")
            assert app.panel.cursor == -1.0
            assert "10**-1.00 = 0.1, 2.360 (2.350 to 2.370)" in app.text
            await pilot.press("right", "right", "right")
            assert app.panel.cursor == -0.5, "where all diverged there is nothing to choose"
            assert "1 of 2 diverged" in app.text
            await pilot.press("left", "left", "enter")
            assert app.chosen[1:] == [shown_rate(10**-1.5)]
            await pilot.press("up")
            assert app.panel.cursor == -1.0, "the greatest that is as good"

    play(scene())


@pytest.mark.parametrize("size", [(90, 24), (80, 22), (50, 13), (30, 9), (3, 2)])
def test_rates_under_way_say_how_far_they_are_and_suggest_nothing_yet(size: tuple[int, int]) -> None:
    async def scene() -> None:
        app = Seat(trained(0))
        async with app.run_test(size=size) as pilot:
            app.panel.focus()
            if size[0] > 40:
                assert "no finite losses to draw: 0 of 200 steps" in app.text
            await pilot.press("left", "up", "enter", "escape")
            app.panel.state.follower = trained(80).follower
            app.panel.draw()
            if size[0] > 20:
                assert "80 of 200 steps" in app.text
            assert "best" not in app.text
            await pilot.press("up", "enter")
            assert app.chosen == []
            app.panel.state.follower = trained().follower
            app.panel.draw()
            await pilot.press("enter")
            assert app.chosen == [shown_rate(10**-1.5)]
            app.panel.state.follower = swept().follower
            app.panel.draw()
            assert app.panel.cursor is None, "another sweep"

    play(scene())


def test_what_is_planned_goes_on_evenly_to_the_end() -> None:
    assert planned_exponents(X[:100]) == pytest.approx(X)
    assert planned_exponents(X) is X
    assert len(planned_exponents(np.array([-3.0]))) == 1
    beyond = np.linspace(-1, 2, 50)
    assert planned_exponents(beyond) is beyond
