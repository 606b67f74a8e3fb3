"""A terminal that goes away while a training runs in it, with its line or its window: the training goes on."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Terminal:
    """The terminal that a command was started in, as long as it is there."""

    def __init__(self, log: Path, on_loss: Callable[[], None]) -> None:
        self.is_gone = False
        self._log = log
        self._on_loss = on_loss

    def lose(self) -> None:
        """What is written from now on goes to the log: to write where no terminal is would end the training."""
        if self.is_gone:
            return
        self.is_gone = True
        self._on_loss()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, stream in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, stream)
        os.close(nothing)
        os.close(log)

    def shown(self, show: Callable[[T], None]) -> Callable[[T], None]:
        """``show`` for as long as there is a terminal."""

        def observe(what: T) -> None:
            if self.is_gone:
                return
            try:
                show(what)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self.lose()  # before the signal that tells of it

        return observe


@contextmanager
def outliving_terminal(log: Path, on_loss: Callable[[], None]) -> Iterator[Terminal]:
    """A SIGHUP ends nothing in here; what would have been written to the terminal goes to ``log``."""
    terminal = Terminal(log, on_loss)

    def handle(_number: int, _frame: FrameType | None) -> None:
        terminal.lose()

    before = signal.signal(signal.SIGHUP, handle)
    try:
        yield terminal
    finally:
        signal.signal(signal.SIGHUP, before)
