"""When an app of a test has nothing left to do: known by its messages, not by an idle processor as Textual's pilot has
it, which takes 20 ms at least, three times a key, and longer where other tests run beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from textual._context import active_app
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.worker import Worker

_GIVE_UP_SECONDS = 3.0  # of this thread, whatever else the machine has to do: a screen may move for ever


async def calm(app: App[Any]) -> None:
    """Until every task waits for something from outside and nothing is to be laid out or painted. What Textual puts off
    to the next of its frames is done at once."""
    ready, give_up = _ready(), time.thread_time() + _GIVE_UP_SECONDS
    while time.thread_time() < give_up:
        await asyncio.sleep(0)
        if ready:
            continue
        screens = app.screen_stack if app.is_running else []
        if screens and app._resize_event is not None:
            app._check_resize()
        elif screens and _is_due(app.screen):
            app.screen._on_timer_update()
        else:
            return


def _ready() -> Collection[object]:
    """What the loop is to call next; empty, as seen from a task that runs, when all the others wait."""
    ready: Collection[object] = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    return ready


def _is_due(screen: Screen[Any]) -> bool:
    due = screen._layout_required, screen._scroll_required, screen._repaint_required, screen._recompose_required
    return any(due) or bool(screen._dirty_widgets or screen._callbacks)


async def settle(pilot: Pilot[Any]) -> None:
    """Until nothing is under way: no message, no layout, no thread that reads a file."""
    app = pilot.app
    await pilot.pause()
    while app.screen.size != app.size or _under_way(app):
        if under_way := _under_way(app):
            await app.workers.wait_for_complete(under_way)
        await pilot.pause()


def _under_way(app: App[Any]) -> list[Worker[Any]]:
    """Without the one by which a folder's tree awaits what it is to read next."""
    return [w for w in app.workers if not w.is_finished and w.name != "_loader"]


@contextmanager
def prompt() -> Iterator[None]:
    """In here the pilot waits by ``calm``: for apps that no thread and no process has anything to tell."""

    async def wait(*_: float) -> None:
        app = active_app.get(None)
        if app is not None:
            await calm(app)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.app.wait_for_idle", wait)
        patch.setattr("textual.pilot.wait_for_idle", wait)
        yield
