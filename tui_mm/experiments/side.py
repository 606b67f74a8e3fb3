"""A side of the race as a process: what it is told, what it says, and how it is started and ended. No torch."""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import threading
import time
from typing import Literal

from msgspec import Struct
from msgspec.json import decode, encode

from tui_mm.config import RunConfig
from tui_mm.runs.home import RunError

DEV = "dev"
"""Asks the notebook for its loss over the dev split; a number asks for so many steps."""
_LOG_BYTES = 1 << 14  # of what it wrote on standard error, that are looked at


class RaceError(RunError):
    """A side that cannot begin or go on: one line for a person."""


class Order(Struct, frozen=True):
    """What a side's process is to do.

    cache: where downloaded sets are; target: the dev loss at which a lap of ours ends, in nats
    """

    side: Literal["notebook", "ours"]
    config: RunConfig
    cache: str
    target: float = 0.0


class Said(Struct, frozen=True, omit_defaults=True):
    """A line that a side's process writes.

    doing: what comes now, where there are no steps yet; loss: mean of the last minibatches, in nats
    seconds: of the notebook, its steps of this turn alone; of ours, from words in memory to ``dev``
    rate: steps a second of this turn; done: what was asked for is there, whether or not ``dev`` is at the target
    """

    doing: str = ""
    step: int = 0
    loss: float | None = None
    dev: float | None = None
    seconds: float | None = None
    rate: float | None = None
    done: bool = False


class Side:
    """``python -P -m tui_mm.experiments.lane``. Its lines are read by a thread, which notes when each came in.

    started: when its start was asked for, by time.perf_counter
    """

    def __init__(self, order: Order) -> None:
        self._name = order.side
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the process
        self.started = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tui_mm.experiments.lane", encode(order).decode()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for the race, which ends its sides
            )
        except OSError as error:
            self._errors.close()
            raise RaceError(
                f"the race: no process can be started ({error.strerror}); free memory, or try again"
            ) from None
        self._lines: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put((time.perf_counter(), line))
        self._lines.put((time.perf_counter(), b""))

    def ask(self, what: str) -> None:
        """A line to its standard input."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(what.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._fault() from None

    def next(self, timeout: float) -> tuple[float, Said | None]:
        """The next line and when it came in; none, and now, if none came in so many seconds. Raises RaceError when the
        process has ended."""
        try:
            at, line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return time.perf_counter(), None
        if not line:
            raise self._fault()
        return at, decode(line, type=Said)

    def _fault(self) -> RaceError:
        code = self._process.wait()
        self._errors.seek(max(0, self._errors.seek(0, 2) - _LOG_BYTES))
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return RaceError(
            f"the race: the process of {self._name} ended with code {code}: {last.removeprefix('error: ')}"
        )

    def close(self) -> None:
        """End the process, and wait for that."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._errors.close()
