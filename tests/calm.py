"""When an app of a test has nothing left to do: known by its messages, not by an idle processor as Textual's pilot has
it, which takes 20 ms at least, three times a key, and longer where other tests run beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from textual._context import active_app
from textual.app import App
from textual.screen import Screen

_ROUNDS = 12  # of all tasks, in which nothing is to be done: a message may be passed on by several
_GIVE_UP_SECONDS = 3.0  # of this thread, whatever else the machine has to do: a screen may move for ever


async def calm(app: App[Any]) -> None:
    """Until no widget has a message to read and nothing is to be laid out or painted. What Textual puts off to the next
    of its frames is done at once."""
    quiet, give_up = 0, time.thread_time() + _GIVE_UP_SECONDS
    while quiet < _ROUNDS and time.thread_time() < give_up:
        await asyncio.sleep(0)
        screens = app.screen_stack if app.is_running else []
        pumps = [app, *(node for screen in screens for node in screen.walk_children(with_self=True))]
        is_due = False
        if screens and app._resize_event is not None:
            is_due = True
            app._check_resize()
        if screens and _is_due(app.screen):
            is_due = True
            app.screen._on_timer_update()
        quiet = 0 if is_due or any(pump.message_queue_size for pump in pumps) else quiet + 1
    if quiet < _ROUNDS:
        import os
        open("/tmp/giveup.log","a").write(os.environ.get("PYTEST_CURRENT_TEST","?")+"\n")


def _is_due(screen: Screen[Any]) -> bool:
    due = screen._layout_required, screen._scroll_required, screen._repaint_required, screen._recompose_required
    return any(due) or bool(screen._dirty_widgets or screen._callbacks)


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
