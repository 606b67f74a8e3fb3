"""A disk that is full, or a store that another process holds: the training waits, says so, and goes on by itself.

Nothing is trained meanwhile, so what is not kept yet is a tenth of a second's worth, in memory. All that a worker
writes goes through ``Patience.bear``; a fault that does not pass is raised.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from tui_mm.runs.faults import StorageError
from tui_mm.runs.home import RunError
from tui_mm.runs.notice import NoticeFile
from tui_mm.runs.run import Run
from tui_mm.text import clock

T = TypeVar("T")

_LOOK_SECONDS = 0.05  # between looks whether the wait is to end
_TRY_SECONDS = 0.5  # between tries
_UNTIL = {"full": "there is space", "locked": "it lets go"}


class WaitEndedError(RunError):
    """The training was to end while it waited."""


class Patience:
    """Waits out the faults of one run's files. Use from one thread.

    should_end: asked while it waits, some twenty times a second
    tell: told a line when a wait begins and when it ends
    waited: told of a wait that is over, in a line for the run's log
    """

    def __init__(self, run: Run, waited: Callable[[str], None]) -> None:
        self.should_end: Callable[[], bool] = lambda: False
        self.tell: Callable[[str], None] = write_line
        self._run = run
        self._waited = waited
        self._notice = NoticeFile(run.folder)
        self._is_waiting = False

    def bear(self, action: Callable[[], T], /) -> T:
        """What ``action`` returns, as soon as it can be carried out; it may be called many times. Raises
        WaitEndedError, and what it raises itself where that does not pass."""
        if self._is_waiting:
            return action()  # a look of whoever is asked whether to end
        try:
            return action()
        except StorageError as error:
            if not error.passes:
                raise
            fault = error
        began = time.monotonic()
        self._is_waiting = True
        try:
            self._announce(fault)
            result = self._outlast(action, fault)
        finally:
            self._is_waiting = False
        self._notice.clear()
        line = f"{fault.what}: waited {_duration(time.monotonic() - began)} ({fault.path.parent})"
        self.tell(line)
        self._waited(line)
        return result

    def _announce(self, fault: StorageError) -> None:
        line = f"{fault.what}: {fault.path.parent}; the training waits, and goes on when {_UNTIL[fault.kind]}"
        self._notice.say("waiting", line)
        self.tell(line)

    def _outlast(self, action: Callable[[], T], fault: StorageError) -> T:
        while True:
            self._wait(fault)
            try:
                return action()
            except StorageError as error:
                if not error.passes:
                    self._notice.clear()
                    raise
                if error.what != fault.what:
                    fault = error
                    self._announce(fault)

    def _wait(self, fault: StorageError) -> None:
        again = time.monotonic() + _TRY_SECONDS
        while time.monotonic() < again:
            if self.should_end():
                line = (
                    f"run {self._run.id}: stopped while {fault.what}; what was trained since its last checkpoint is "
                    f"trained again by 'makemore-tui resume {self._run.id}'"
                )
                self._notice.say("stopped", line)
                raise WaitEndedError(line)
            threading.Event().wait(_LOOK_SECONDS)

    def close(self) -> None:
        self._notice.close()


def write_line(line: str) -> None:
    """To the log. That may stand on the disk that is the trouble, and is then the poorer for this line; the notice and
    the exit code say it, too."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")


def log_exception() -> None:
    """The exception that is handled, with its lines, to the log."""
    write_line(traceback.format_exc().rstrip())


def _duration(seconds: float) -> str:
    """0.8 s, 59 s, 1:02:03."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return clock(seconds)
