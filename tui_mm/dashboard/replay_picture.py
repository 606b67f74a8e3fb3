"""A picture of a replay, without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tui_mm.dashboard.headless import HeadlessError, picture
from tui_mm.dashboard.replay import ReplayApp

_LOOK_SECONDS = 0.02


def take_picture(app: ReplayApp, *, size: tuple[int, int], press: Sequence[str], screenshot: Path) -> None:
    """Open a replay, press the keys one after another, and keep the screen as SVG. ``size``: columns and rows of the
    terminal that is not there. Raises HeadlessError when the app raised or was left, or the file cannot be written."""
    drawn: list[str] = []

    async def person(pilot: Pilot[Any]) -> None:
        while app.samples is None or (app.state.words is None and not app.state.fault):
            await asyncio.sleep(_LOOK_SECONDS)
        await pilot.pause()
        for key in press:
            await pilot.press(key)
            await pilot.pause()
        if app.is_running:
            app.show_all()
            await pilot.pause()
            drawn.append(picture(app))
            app.leave()

    app.run(headless=True, size=size, auto_pilot=person)
    if app.return_code:
        raise HeadlessError("the replay raised; what it said stands above")
    if not drawn:
        raise HeadlessError("the replay was left before its picture was taken")
    try:
        screenshot.write_text(drawn[0], encoding="utf-8")
    except OSError as error:
        raise HeadlessError(f"--screenshot: {screenshot} cannot be written ({error.strerror})", code=2) from None
