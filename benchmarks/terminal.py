"""The program in a pseudo-terminal, read as a person reads it: from the screen that its bytes draw. Not on Windows."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pyte
from ptyprocess import PtyProcess

_REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAM = (sys.executable, "-P", "-m", "tui_mm")
PATIENCE_S = 60.0
_QUESTION, _ANSWER = b"\x1b[6n", b"\x1b[1;1R"  # where is your cursor?


class TerminalError(RuntimeError):
    """The program ended, or did not show in time what was waited for; with what the screen showed."""


class Terminal:
    """A child process on a screen of its own. A thread reads, so that the child never waits for us.

    What was read is drawn only when the screen is looked at: counting bytes takes no processor from what is measured.
    As a context manager, kills at its end the child and all that the child has started.

    ``program``: what is started instead of our own. ``answers``: whether it tells, as every usual terminal does, where
    its cursor is when it is asked; as soon as the question is read.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        home: Path,
        columns: int,
        rows: int,
        *,
        program: Sequence[str] | None = None,
        answers: bool = True,
    ) -> None:
        self.started = time.monotonic()
        self._child = PtyProcess.spawn(
            [*(program or PROGRAM), *arguments], cwd=str(home), env=environment(home), dimensions=(rows, columns)
        )
        self._answers = answers
        self._unread = b""  # the end of what was read: a question may come in two parts
        self.process = psutil.Process(self._child.pid)
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._arrivals: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self.received = 0  # bytes
        self._last_arrival = self.started
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        kill(self.process)
        self._reader.join(PATIENCE_S)
        self._child.close()

    def _take(self, most: int = 1 << 16) -> bytes:
        """What comes next from the child, at most so many bytes; nothing when it has ended."""
        try:
            return os.read(self._child.fd, most)
        except OSError:  # Linux: the last process on the terminal has ended
            return b""

    def _read(self) -> None:
        while True:
            data = self._take()
            at = time.monotonic()
            self.received += len(data)
            self._last_arrival = at
            self._arrivals.put((at, data))
            if not data:
                return
            if self._answers:
                self._answer(data)

    def _answer(self, data: bytes) -> None:
        questions = (self._unread + data).split(_QUESTION)
        self._unread = questions[-1][1 - len(_QUESTION) :]
        try:
            for _ in questions[1:]:
                self._child.write(_ANSWER)
        except OSError:  # the child has ended meanwhile
            return

    # -- looking

    def row(self, y: int) -> str:
        """A row of the screen as it was last drawn."""
        cells = self._screen.buffer[y]
        return "".join(cells[x].data for x in range(self._screen.columns))

    def reversed(self, y: int) -> list[bool]:
        """Which cells of a row are in reverse."""
        cells = self._screen.buffer[y]
        return [cells[x].reverse for x in range(self._screen.columns)]

    @property
    def rows(self) -> int:
        return int(self._screen.lines)

    def text(self) -> str:
        return "\n".join(self.row(y) for y in range(self.rows))

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column."""
        return self._screen.cursor.y, self._screen.cursor.x

    def _draw(self, timeout: float | None = None) -> float | None:
        """Draw the next of what was read; when it came in, None for nothing. Without a timeout, waits for nothing."""
        try:
            at, data = self._arrivals.get(block=timeout is not None, timeout=timeout)
        except queue.Empty:
            return None
        if not data:
            raise TerminalError(f"the program has ended; its screen:\n{self.text()}")
        self._stream.feed(data)
        return at

    def until(self, seen: Callable[[], bool], what: str, timeout: float = PATIENCE_S) -> float:
        """Draw what comes until ``seen``; when the bytes that show it came in. Raises TerminalError."""
        give_up = time.monotonic() + timeout
        at = self.started
        while not seen():
            drawn = self._draw(timeout=0.05)
            at = at if drawn is None else drawn
            if time.monotonic() > give_up:
                raise TerminalError(f"waited {timeout:g} s for {what}; the screen:\n{self.text()}")
        return at

    def until_quiet(self, seconds: float, timeout: float = PATIENCE_S) -> bool:
        """Whether it came to send nothing for so many seconds from now on, within the timeout."""
        called = time.monotonic()
        give_up = called + timeout
        while (rest := max(called, self._last_arrival) + seconds - time.monotonic()) > 0:
            if time.monotonic() > give_up:
                return False
            time.sleep(rest)
        self.catch_up()
        return True

    def bytes_in(self, seconds: float) -> int:
        """How many come in within so many seconds."""
        before = self.received
        time.sleep(seconds)
        return self.received - before

    def catch_up(self) -> None:
        """Draw all that was read so far."""
        while self._draw() is not None:
            pass

    # -- doing

    def press(self, keys: str) -> None:
        self._child.write(keys.encode())

    def latency(self, key: str, seen: Callable[[], bool], what: str) -> float:
        """Seconds from a key to the bytes that show its effect. Raises TerminalError when it shows already."""
        self.catch_up()
        if seen():
            raise TerminalError(f"{what}: on the screen before its key; the screen:\n{self.text()}")
        pressed = time.monotonic()
        self.press(key)
        return self.until(seen, what) - pressed

    def resize(self, columns: int, rows: int) -> None:
        self.catch_up()
        self._screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)


_NOT_USUAL = ("NO_COLOR", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")  # without bytecode a start compiles anew


def environment(home: Path) -> dict[str, str]:
    """A usual terminal's, with a home of its own; also for the program without a terminal."""
    usual = {k: v for k, v in os.environ.items() if k not in _NOT_USUAL and "TEXTUAL" not in k}
    return usual | {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "MAKEMORE_HOME": str(home),
        "PYTHONPATH": str(_REPOSITORY),
    }


@contextmanager
def without_terminal(arguments: Sequence[str], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program with its output thrown away, killed at the end."""
    child = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def kill(process: psutil.Process) -> None:
    """A process and all that it has started, also what left its session. The process itself is still to be waited
    for."""
    try:
        process.suspend()  # so that it starts no more
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for each in family:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue  # ended by itself
    psutil.wait_procs(family[:-1], timeout=PATIENCE_S)
