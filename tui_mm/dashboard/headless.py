"""The very same app without a terminal: for tests, scripts and the pictures of the README."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tui_mm.dashboard.app import DashboardApp
from tui_mm.runs.home import RunError
from tui_mm.runs.run import Run
from tui_mm.worker.protocol import Stop

_LOOK_SECONDS = 0.02
_FONT = re.compile(r"\s*@font-face \{[^}]*\}")
_ENDED = ("done", "stopped", "diverged", "failed", "crashed", "paused")


class HeadlessError(RuntimeError):
    """The dashboard could not do what was asked of it; one line for a person, and the exit code."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code


def run_headless(
    dashboard: DashboardApp, *, size: tuple[int, int], press: Sequence[str], screenshot: Path | None
) -> Run:
    """Train in the dashboard, press the keys one after another, and end when the training has.

    ``size``: columns and rows of the terminal that is not there. The keys are pressed from the training's first step
    on; where they pause it, that is its end. ``screenshot``: where the last screen is kept as SVG.

    Returns the run. Raises HeadlessError when the app raised, the words could not be read, or the worker gave up.
    """
    seen: list[Run] = []
    faults: list[HeadlessError] = []

    async def person(pilot: Pilot[Any]) -> None:
        try:
            await _sit(dashboard, pilot, press, screenshot, seen)
        except HeadlessError as error:
            faults.append(error)
            dashboard.exit()

    dashboard.run(headless=True, size=size, auto_pilot=person)
    if faults:
        raise faults[0]
    if dashboard.return_code:
        raise HeadlessError("the dashboard raised; what it said stands above")
    if not seen:
        raise HeadlessError("the dashboard was left before a training began")
    _check_log(seen[-1])
    return seen[-1]


async def _sit(
    dashboard: DashboardApp, pilot: Pilot[Any], press: Sequence[str], screenshot: Path | None, seen: list[Run]
) -> None:
    await _until(lambda: dashboard.samples is not None and (dashboard.client or dashboard.state.fault))
    if dashboard.client is None:
        raise HeadlessError(dashboard.state.fault, code=2)
    seen.append(dashboard.client.run)
    await pilot.press("t")
    await _until(lambda: _steps(dashboard) or dashboard.state.status in _ENDED or dashboard.worker_ended)
    for key in press:
        await pilot.press(key)
        await pilot.pause()
    if not dashboard.is_running:
        return  # a key was to leave
    await _until(lambda: dashboard.state.status in _ENDED or dashboard.worker_ended)
    await _until(lambda: not dashboard.is_waiting)
    await pilot.pause()
    if screenshot is not None:
        try:
            screenshot.write_text(picture(dashboard), encoding="utf-8")
        except OSError as error:
            raise HeadlessError(f"--screenshot: {screenshot} cannot be written ({error.strerror})", code=2) from None
    if dashboard.worker_ended and dashboard.state.status == "created":
        if dashboard.client is not None and dashboard.client.fault:
            raise HeadlessError(dashboard.client.fault, code=2)
        raise HeadlessError("the worker ended before the training began: " + "; ".join(_last_lines(dashboard)))
    if dashboard.state.status == "paused":
        dashboard.send(Stop())
        await _until(lambda: dashboard.state.status != "paused")
    dashboard.leave()


def picture(dashboard: DashboardApp) -> str:
    """The screen as SVG that loads nothing from elsewhere: without it a viewer fetches Textual's font."""
    return _FONT.sub("", dashboard.export_screenshot(title="makemore-tui"))


async def _until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(_LOOK_SECONDS)


def _steps(dashboard: DashboardApp) -> int:
    return dashboard.state.follower.steps if dashboard.state.follower else 0


def _last_lines(dashboard: DashboardApp) -> list[str]:
    return dashboard.client.last_lines(3) if dashboard.client else []


def _check_log(run: Run) -> None:
    """A traceback in the worker's log is a fault, even where the training bore it."""
    try:
        raised = b"Traceback (most recent call last)" in (run.folder / "worker.log").read_bytes()
    except OSError as error:
        raise RunError(f"{run.folder}: its worker.log cannot be read ({error.strerror})") from None
    if raised:
        raise HeadlessError(f"the worker of run {run.id} raised; see {run.folder / 'worker.log'}")
