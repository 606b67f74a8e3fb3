"""The viewer's end: starts a worker for a run, and asks it for things through the run's inbox. No torch.

The worker is a session of its own (setsid), so what ends the viewer's terminal does not end it. It learns that who
started it has gone when its standard input closes, and of the others by the lock that all viewers share.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tui_mm.runs.faults import StorageError
from tui_mm.runs.files import private_file
from tui_mm.runs.home import RunError
from tui_mm.runs.plain import check_plain
from tui_mm.runs.presence import Presence
from tui_mm.runs.run import Run
from tui_mm.worker.protocol import Command, CommandError, Stop

_POLL_SECONDS = 0.01
_SIGNALLED = 0  # in the place of a command's number
LOG = "worker.log"
OUTDATED = "the worker that was asked is gone; ask again"
_LOG_BYTES = 1 << 16  # read at once
_LINE_CHARACTERS = 1000
_FAULTY = (1, 2)  # exit codes of a worker that raised, and of one that could not begin


class WorkerGoneError(RunError):
    """Who trains has ended, with the last lines that it wrote."""


class WorkerClient:
    """One viewer of one run. Use from one thread; ``close`` when done.

    ``stays``: whether it watches, so that a worker with nothing to do waits for its questions; a command that only
    leaves an order does not.
    """

    def __init__(self, run: Run, sender: str = "", *, stays: bool = True) -> None:
        self.run = run
        self.sender = sender or this_viewer()
        self._store = run.store()
        self._closed = False
        self._presence = Presence(run.folder) if stays else None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_at = self._log_size()  # up to where ``new_lines`` has read
        self._begun_line = b""

    @property
    def log(self) -> Path:
        """What the worker's warnings and prints go to."""
        return self.run.folder / LOG

    def start_worker(self) -> None:
        """Start a process for the run, unless one holds it. Returns at once; it takes a second or two to load torch,
        and commands given meanwhile are carried out then."""
        if self.is_alive():
            return
        for row in self._store.open_commands():  # of a worker that died: nobody expects them any more
            self._store.answer_command(row.id, {"error": OUTDATED})
        descriptor = private_file(self.log, os.O_WRONLY | os.O_APPEND)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tui_mm.worker", str(self.run.folder)],
                stdin=subprocess.PIPE,
                stdout=descriptor,
                stderr=descriptor,
                cwd=self.run.folder,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)

    def is_alive(self) -> bool:
        """Whether a process serves the run: ours, or another that holds its lock."""
        if self._process is not None and self._process.poll() is None:
            return True
        return self.run.is_live()

    def is_left(self) -> bool:
        """Whether there was a worker that went without a fault: the viewer before had started it, say."""
        return not self.exit_code and not self.is_alive()

    def is_served(self) -> bool:
        """Whether who holds the run looks into its inbox: an experiment does not."""
        return self.exit_code is None or self._store.get("server") is not None

    @property
    def exit_code(self) -> int | None:
        """Of the process that this client started; None while it is there. 0 if this client started none."""
        return 0 if self._process is None else self._process.poll()

    @property
    def pid(self) -> int | None:
        """The number of the process that this client started last; None if it started none."""
        return None if self._process is None else self._process.pid

    @property
    def fault(self) -> str:
        """Why the worker that this client started could not begin or go on, in a line: its last one. "" where it goes
        on, and where it was ended by a signal."""
        lines = self.last_lines(1) if self.exit_code in _FAULTY else []
        return lines[0].removeprefix("error: ") if lines else ""

    def last_lines(self, count: int = 12) -> list[str]:
        """The end of the worker's log."""
        try:
            check_plain(self.log)
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 16384))
                return file.read().decode("utf-8", "replace").splitlines()[-count:]
        except (OSError, StorageError):
            return []

    def new_lines(self) -> list[str]:
        """What the worker's log has beyond what was read, from when this client was made on: whole lines, cut to
        1,000 characters. A long log comes in parts, call by call."""
        size = self._log_size()
        if size < self._log_at:  # another file, or cut
            self._log_at, self._begun_line = 0, b""
        if size == self._log_at:
            return []
        try:
            with self.log.open("rb") as file:
                file.seek(self._log_at)
                found = file.read(_LOG_BYTES)
        except OSError:
            return []
        self._log_at += len(found)
        *lines, begun = (self._begun_line + found).split(b"\n")
        self._begun_line = begun[: 4 * _LINE_CHARACTERS]  # a character takes 4 bytes at most
        return [line.decode("utf-8", "replace").rstrip("\r")[:_LINE_CHARACTERS] for line in lines]

    def _log_size(self) -> int:
        try:
            check_plain(self.log)
            return self.log.stat().st_size
        except (OSError, StorageError):
            return 0

    def send(self, command: Command) -> int:
        """Put a command into the inbox; returns the number to ask ``answer`` with. An order to stop reaches a worker
        that waits for a disk to have space also where there is none for the order."""
        try:
            return self._store.put_command(self.sender, command.kind, command.arguments())
        except StorageError:
            if isinstance(command, Stop) and self.run.end_waiting():
                return _SIGNALLED
            raise

    def answer(self, number: int) -> dict[str, Any] | None:
        """What was answered, None while nothing was. Raises CommandError for a command that was refused."""
        found = {} if number == _SIGNALLED else self._store.answer(number)
        if found is not None and "error" in found:
            raise CommandError(str(found["error"]))
        return found

    async def ask(self, command: Command, timeout: float = 30.0) -> dict[str, Any]:
        """Send a command and await its answer.

        Raises CommandError when it is refused, WorkerGoneError when no worker is left to answer or this client was
        closed meanwhile, TimeoutError.
        """
        number = self.send(command)
        give_up = time.monotonic() + timeout
        looked = time.monotonic()
        while (found := self.answer(number)) is None:
            now = time.monotonic()
            if now - looked > 0.25:
                looked = now
                if not self.is_alive() and self.answer(number) is None:
                    lines = self.fault or "; ".join(self.last_lines(3))
                    raise WorkerGoneError(f"run {self.run.id}: its worker has ended{': ' + lines if lines else ''}")
                if not self.is_served():
                    raise CommandError(
                        f"run {self.run.id} is trained by an experiment, which takes no orders; "
                        "watch it here, or wait for its end"
                    )
            if now > give_up:
                raise TimeoutError(f"run {self.run.id}: no answer to {command.kind!r} in {timeout:g} s")
            await asyncio.sleep(_POLL_SECONDS)
            if self._closed:
                raise WorkerGoneError(f"run {self.run.id}: was left before its worker answered")
        return found

    def discard(self) -> None:
        """End the worker and delete the run: for one that was never trained. Raises RunError if it is in use."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.run.delete()

    def leave(self) -> None:
        """Let the worker see that this viewer is gone: if it was the last, it ends now if idle, at its end if it
        trains."""
        if self._presence is not None:
            self._presence.end()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def close(self) -> None:
        self._closed = True
        self.leave()
        self._store.close()


def this_viewer() -> str:
    """How others see who gives orders from this process: where it is, and its number."""
    try:
        place = os.ttyname(sys.__stdin__.fileno()).removeprefix("/dev/") if sys.__stdin__ else ""
    except (OSError, ValueError):
        place = ""
    origin = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    parts = [place or "a command", *([f"from {origin}"] if origin and place else [])]
    return f"{' '.join(parts)} ({os.getpid()})"
