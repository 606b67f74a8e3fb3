"""Who watches a run: each viewer shares a lock on a file of the run's folder, which the system frees when it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tui_mm.runs.files import private_file

_FILE = "viewers"


class Presence:
    """A viewer's share in the lock, from when it is made until ``end``. Where a file system has no locks there is none:
    whoever started the worker is known to it all the same."""

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = None
        try:
            self._descriptor = private_file(folder / _FILE, os.O_RDWR)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # waits while a worker looks, which takes an instant
        except OSError:
            self.end()

    def end(self) -> None:
        """The viewer goes."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_watched(folder: Path) -> bool:
    """Whether any viewer is there."""
    try:
        descriptor = os.open(folder / _FILE, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
