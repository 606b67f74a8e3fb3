"""Textual's driver for a terminal that may be slow, stand still or go away: it never waits for it long."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import threading
from contextlib import AbstractContextManager, suppress
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition
from textual.message import Message

from tui_mm.dashboard.outbox import Outbox
from tui_mm.dashboard.pacing import QUERY, Paced, Pacing

_CLOSE_SECONDS = 1.5  # for what is being written when the app leaves, and the terminal's usual modes
_FORCE_SECONDS = 0.5
_END_UPDATE = "\x1b[?2026l"
_CANCEL = b"\x18" + _END_UPDATE.encode()  # ends a sequence that was cut, and a synchronized update


class PacedDriver(LinuxDriver, Paced):
    """Writes through an ``Outbox``, asks the terminal how far it is, and suspends painting where it is far behind.

    SIGTERM and SIGHUP end the app as ``q`` does, with the terminal's usual modes and the exit code 143 or 129; a second
    one ends the process at once.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._outbox: Outbox | None = None  # while the app has the terminal
        self._has_begun = False
        self._pacing = Pacing()
        self._answer = threading.Event()
        self._timer: asyncio.TimerHandle | None = None  # while an answer is to come
        self._suspended: AbstractContextManager[None] | None = None
        self._is_painting = False  # between the end of a paint and Textual's word of it
        self._held_back = False
        self._last_words: list[bytes] | None = None  # the terminal's usual modes, once the app leaves

    # -- coming and going

    def start_application_mode(self) -> None:
        if self._outbox is not None:  # going on after a SIGSTOP, of which nobody was told before
            self.suspend_application_mode()
        if self._has_begun:  # the shell has had the screen meanwhile
            self._from_thread(self._app.refresh)()
        self._has_begun = True
        self._pacing, self._last_words = Pacing(), None
        assert self._file is not None, "without standard error nothing can be painted"
        self._outbox = Outbox(self._file.fileno(), self._from_thread(self._catch_up), self._from_thread(self._hung_up))
        super().start_application_mode()  # type: ignore[no-untyped-call]
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._loop.add_signal_handler(number, self._end, number)

    def _from_thread(self, call: Any) -> Any:
        def later() -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody is there to be told
                self._loop.call_soon_threadsafe(call)

        return later

    def _end(self, number: int) -> None:
        self._loop.remove_signal_handler(number)
        self._app.exit(return_code=128 + number)

    def _hung_up(self) -> None:
        self._app.exit(return_code=128 + signal.SIGHUP)

    def stop_application_mode(self) -> None:
        self._last_words = []
        if self._outbox is not None:
            if self._outbox.discard():  # the end of a synchronized update may be among it
                self.write(_END_UPDATE)
            self._answer.wait(self._pacing.haste)
        if self._timer is not None:
            self._timer.cancel()
        if self._suspended is not None:
            self._suspended.__exit__(None, None, None)
            self._suspended = None
        super().stop_application_mode()

    def close(self) -> None:
        if self._outbox is not None:
            outbox, self._outbox = self._outbox, None
            if not outbox.close(_CLOSE_SECONDS):
                self._leave_behind(outbox)
            outbox.release()
        super().close()

    def _leave_behind(self, outbox: Outbox) -> None:
        """Leave a terminal that reads nothing, or is gone, so that nothing waits for it when the app has ended."""
        with suppress(termios.error):  # it is gone
            termios.tcflush(self.fileno, termios.TCOFLUSH)
        if not outbox.force(_CANCEL + b"".join(self._last_words or ()), _FORCE_SECONDS):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for file in (sys.__stdout__, sys.__stderr__):
                if file is not None:
                    os.dup2(nowhere, file.fileno())
            os.close(nowhere)

    # -- what is painted

    def write(self, data: str) -> None:
        assert self._outbox is not None, "Driver must be in application mode"
        encoded = data.encode("utf-8", "replace")
        if self._last_words is not None:
            self._last_words.append(encoded)
        self._pacing.give(len(encoded))
        self._outbox.put(encoded)

    def flush(self) -> None:
        """Textual calls it behind each paint."""
        if self._outbox is None or self._last_words is not None:
            return
        if self._pacing.painted():
            self._ask(self._outbox)
        if self._suspended is None and self._pacing.is_behind(self._outbox.waiting):
            self._suspended = self._app.batch_update()
            self._suspended.__enter__()
        self._is_painting = True

    def may_paint(self) -> bool:
        return self._outbox is None or self._pacing.may_paint(self._outbox.waiting)

    def held_back(self) -> None:
        self._held_back |= self._suspended is not None and not self._is_painting
        self._is_painting = False

    # -- what was taken in

    def process_message(self, message: Message) -> None:
        """Called in Textual's input thread."""
        if isinstance(message, CursorPosition):
            self._answer.set()
            self._from_thread(self._answered)()
        else:
            super().process_message(message)

    def _ask(self, outbox: Outbox) -> None:
        self._answer.clear()
        outbox.put(QUERY)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._pacing.patience, self._look)

    def _answered(self) -> None:
        outbox = self._outbox
        if outbox is None or self._last_words is not None:
            return
        if self._pacing.answered():
            self._ask(outbox)
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._catch_up()

    def _look(self) -> None:
        """The answer has not come for a while."""
        self._timer = None
        outbox = self._outbox
        if outbox is None or not self._pacing.is_waiting:
            return
        if self._pacing.is_overdue(outbox.waiting):
            outbox.put(QUERY)
        if self._pacing.is_waiting:
            self._timer = self._loop.call_later(self._pacing.patience, self._look)
        self._catch_up()

    def _catch_up(self) -> None:
        """Paint again where painting was suspended, if the terminal has taken in what was before it."""
        if self._suspended is None or self._outbox is None or self._pacing.is_behind(self._outbox.waiting):
            return
        self._suspended.__exit__(None, None, None)
        self._suspended = None
        # Textual takes what it was kept from painting for painted; anyhow, its screen has to be told to go on
        self._app.refresh(repaint=self._held_back)
        self._held_back = False
