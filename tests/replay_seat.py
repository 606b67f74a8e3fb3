"""A person before a replay on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from tests.calm import settle
from tests.still import CONFIG
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.replay import ReplayApp
from tui_mm.runs.home import Home
from tui_mm.runs.replay import ReplayFollower
from tui_mm.runs.run import Run
from tui_mm.settings import Settings

USUAL = (120, 36)


class Seat:
    """A person before a replay whose clock stands still unless it is told otherwise."""

    def __init__(self, run: Run, **options: Any) -> None:
        self.time = 100.0
        self.said: list[str] = []
        home = Home(run.folder.parent.parent)
        config = options.pop("config", CONFIG)
        options.setdefault("settings", Settings())
        self.app = ReplayApp(ReplayFollower(run), config, home, now=lambda: self.time, **options)
        self.app.notify = lambda message, **_: self.said.append(message)  # type: ignore[method-assign]
        self.pilot: Pilot[str]

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def wait(self, seconds: float) -> None:
        """Let the clock go on, by less than a second at a time as the app looks at it."""
        while seconds > 1e-9:
            passed = min(0.5, seconds)
            seconds -= passed
            self.time += passed
            self.app._poll()
        await self.settle()

    @property
    def step(self) -> int:
        return self.app.followed.steps

    @property
    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        rows = [strip.text.rstrip() for strip in strips]
        assert len(rows) == self.app.size.height
        assert all(row.isprintable() for row in rows)
        return "\n".join(rows)

    def text_of(self, panel: str) -> str:
        return "\n".join(view.text for view in self.app.main.query_one(f"#{panel}").query(ChartView))


@asynccontextmanager
async def seated(run: Run, size: tuple[int, int] = USUAL, **options: Any) -> AsyncIterator[Seat]:
    seat = Seat(run, **options)
    async with seat.app.run_test(size=size) as pilot:
        seat.pilot = pilot
        async with asyncio.timeout(60):
            while seat.app.samples is None or (seat.app.state.words is None and not seat.app.state.fault):
                await asyncio.sleep(0.01)
        seat.app._poll()
        await seat.settle()
        yield seat


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)
