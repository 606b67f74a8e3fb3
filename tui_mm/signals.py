"""Ctrl-C and SIGTERM as a request: the training ends its block, keeps a checkpoint, and the program exits 130/143."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Which signal asked to stop; 0 while none has."""

    signal = 0

    def __call__(self) -> bool:
        return bool(self.signal)

    @property
    def exit_code(self) -> int:
        return 128 + self.signal


@contextmanager
def stop_on_signals(*numbers: signal.Signals) -> Iterator[StopRequest]:
    """The first of the signals (by default SIGINT and SIGTERM) sets the request, a second one interrupts at once."""
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request.signal:
            raise KeyboardInterrupt
        request.signal = number

    before = {number: signal.signal(number, handle) for number in numbers or (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
