"""What is on its way to the terminal: a thread writes it, and nobody waits for a terminal that does not read."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

_CHUNK = 4096
_BLOCKING_CHUNK = 512  # where a write may not return before all of it is read
_LOOK_MS = 250  # how often a terminal that reads nothing is looked at


class Outbox:
    """Bytes for a terminal, in order. Textual's own queue holds thirty writes, and then holds up the whole app.

    ``descriptor``: the terminal's. ``drained`` and ``lost`` are called in the thread: when everything that was there
    has been handed to the system, and when the terminal is gone.
    """

    def __init__(self, descriptor: int, drained: Callable[[], None], lost: Callable[[], None]) -> None:
        self._drained, self._lost = drained, lost
        self._file, self._blocks = _own(descriptor)
        self._is_released = False
        self._changed = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._rest = 0  # bytes of the one that is being written
        self._closing = False
        self._abandoned = False
        self.is_lost = False
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        with self._changed:
            if not (self.is_lost or self._abandoned):
                self._queue.append(data)
                self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Bytes that the system has not accepted yet."""
        with self._changed:
            return self._rest + sum(map(len, self._queue))

    def discard(self) -> bool:
        """Drop what is not being written yet; whether there was any."""
        with self._changed:
            dropped = bool(self._queue)
            self._queue.clear()
        return dropped

    def close(self, seconds: float) -> bool:
        """Write what there is, for at most so long; whether the terminal has got all of it. What it has not got is
        dropped, also in the middle of a sequence."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.is_lost or not (self._rest or self._queue), seconds)
            all_written = not (self.is_lost or self._rest or self._queue)
            self._abandoned = True
            self._queue.clear()
        self._thread.join(2 * _LOOK_MS / 1000)
        return all_written

    def force(self, data: bytes, seconds: float) -> bool:
        """After ``close``: try to write something all the same, for at most so long; whether that succeeded."""
        if self._is_released or self._blocks or self._thread.is_alive() or self.is_lost:
            return False
        give_up = time.monotonic() + seconds
        while data and (rest := give_up - time.monotonic()) > 0:
            select.select([], [self._file], [], rest)
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:
                continue
            except OSError:  # the terminal is gone
                return False
        return not data

    def release(self) -> None:
        """After ``close``: let go of the terminal."""
        if not (self._is_released or self._thread.is_alive()):
            os.close(self._file)
            self._is_released = True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._rest = 0
                self._changed.notify_all()
                if not (self._queue or self._closing):
                    self._drained()
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                data = self._queue.popleft()
                self._rest = len(data)
            try:
                self._write(data)
            except OSError:  # the line was cut
                with self._changed:
                    self.is_lost, self._rest = True, 0
                    self._queue.clear()
                    self._changed.notify_all()
                self._lost()
                return

    def _write(self, data: bytes) -> None:
        look = select.poll()
        look.register(self._file, select.POLLOUT)
        left = memoryview(data)
        while left and not self._abandoned:
            if not look.poll(_LOOK_MS):
                continue
            try:
                written = os.write(self._file, left[: _BLOCKING_CHUNK if self._blocks else _CHUNK])
            except BlockingIOError:
                continue
            left = left[written:]
            with self._changed:
                self._rest = len(left)


def _own(descriptor: int) -> tuple[int, bool]:
    """The same terminal opened once more, so that its writes can be made not to wait without touching the shell's; and
    whether they wait nevertheless."""
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), False
    except OSError:  # no terminal, or another user's
        return os.dup(descriptor), True
