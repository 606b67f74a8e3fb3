"""What a worker says of itself where it cannot write to its store: that the disk is full, and that it waits.

A file of a fixed size that is made beforehand and written over in place, which takes no new space on the usual file
systems. Blank while there is nothing to say.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tui_mm.runs.files import private_file

_FILE = "notice"
_BYTES = 1024


@dataclass(frozen=True)
class Notice:
    """status: ``waiting`` or ``stopped``; message: why, for a person; pid: of who says so."""

    status: str
    message: str
    pid: int


class NoticeFile:
    """The worker's end. Where the file system takes nothing, nothing is said: the store does not say it either."""

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = None
        try:
            self._descriptor = private_file(folder / _FILE, os.O_RDWR)
            self._write("")
            os.fsync(self._descriptor)  # so that its block is there from now on
        except OSError:
            self.close()

    def say(self, status: str, message: str) -> None:
        """As much of the message as fits."""
        pid = os.getpid()
        while len(text := json.dumps(asdict(Notice(status, message, pid)))) > _BYTES:
            message = message[: len(message) * 3 // 4].rstrip() + "..."
        self._write(text)

    def clear(self) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        if self._descriptor is not None:
            try:
                os.pwrite(self._descriptor, text.ljust(_BYTES).encode("ascii"), 0)
            except OSError:
                self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_notice(folder: Path) -> Notice | None:
    """What the run's worker has said and not taken back; None where that is nothing, or is no notice."""
    try:
        descriptor = os.open(folder / _FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        text = os.read(descriptor, _BYTES).decode("ascii")
        found = json.loads(text) if text.strip() else None
    except (OSError, ValueError, RecursionError):
        return None  # half written, it will be whole at the next look
    finally:
        os.close(descriptor)
    match found:
        case {"status": str(status), "message": str(message), "pid": int(pid)}:
            return Notice(status, message, pid)
    return None
