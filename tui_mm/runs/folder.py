"""Folders that one process at a time works on, of runs and of experiments: a lock in each says whether one does."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tui_mm.runs.faults import of_system
from tui_mm.runs.home import RunError

_LOCK = "lock"
_LOCK_SECONDS = 2.0  # a viewer that looks whether the lock is held has it itself for an instant
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)


class BusyError(RunError):
    """Another process works on the folder."""


def is_held(folder: Path) -> bool:
    """Whether a process works on it. Raises RunError where the file system has no locks that tell."""
    if not folder.is_dir():
        return False  # the lock would make it anew
    lock = _lock_of(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            return _is_held_by_a_writer(folder)
        raise _fault(f"{folder}", folder, error) from None
    lock.release()
    return False


def _is_held_by_a_writer(folder: Path) -> bool:
    """The same where the lock's file cannot be made or opened for writing: a lock does not need that."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # nobody has ever held it, or it is another's
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise _fault(f"{folder}", folder, error) from None
    finally:
        os.close(descriptor)
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
    except OSError as error:
        raise _fault(called, folder, error) from None
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


def send_signal(pid: int, number: signal.Signals, called: str) -> bool:
    """To the process that works on the folder ``called`` so; whether it is there. Raises RunError for one of another
    user."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, OverflowError):  # the number stands in a file, which may say anything
        return False
    except PermissionError:
        raise RunError(f"{called}: is worked on by another user; it cannot be stopped from here") from None
    return True


def _fault(called: str, folder: Path, error: OSError) -> RunError:
    if error.errno in _NO_LOCKS:
        return RunError(
            f"{called}: the file system of {folder} has no locks ({error.strerror}), so two processes could train one "
            "run; give a home on another, with --home or MAKEMORE_HOME"
        )
    return of_system(folder, error)


def _lock_of(folder: Path) -> FileLock:
    """Without the library's own way out where there are no locks: a file that stays behind when its maker dies, so that
    a crash would look like a training."""
    return FileLock(folder / _LOCK, mode=0o600, fallback_to_soft=False)
