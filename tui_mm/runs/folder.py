"""Folders that one process at a time works on, of runs and of experiments: a lock in each says whether one does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tui_mm.runs.home import RunError

_LOCK_SECONDS = 2.0  # a viewer that looks whether the lock is held has it itself for an instant


class BusyError(RunError):
    """Another process works on the folder."""


def is_held(folder: Path) -> bool:
    """Whether a process works on it."""
    if not folder.is_dir():
        return False  # the lock would make it anew
    lock = _lock_of(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


@contextmanager
def hold(folder: Path, called: str, busy: str) -> Iterator[None]:
    """Held by the one process that works on it; freed by the system when that dies. ``called`` names the folder in
    messages, ``busy`` says what another process does with it. Raises RunError if held."""
    if not folder.is_dir():
        raise RunError(f"{called}: its folder {folder} is gone")
    lock = _lock_of(folder)
    try:
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout:
        raise BusyError(f"{called}: is being {busy} by another process; wait for it, or stop it") from None
    try:
        yield
    finally:
        lock.release()


def remove(folder: Path, called: str) -> None:
    """Delete it; whoever does holds it. Raises RunError when its files cannot be removed."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise RunError(
            f"{called}: {error.filename or folder} cannot be removed ({error.strerror}); see its permissions"
        ) from None


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder / "lock", mode=0o600)
