"""What keeps a run's files from being read or written, told apart in one place: by the system's codes and SQLite's."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
from pathlib import Path
from typing import Literal

from tui_mm.runs.home import RunError

Kind = Literal["full", "locked", "read-only", "gone", "damaged", "failing"]

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the limit on a file's size is reached",
}
_READ_ONLY = {
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "there is no permission to write",
    errno.EPERM: "writing is not permitted",
}
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO}
_ADVICE: dict[Kind, str] = {
    "full": "free space",
    "locked": "end that, or wait",
    "read-only": "give a home that can be written to, with --home or MAKEMORE_HOME",
    "gone": "it was deleted, moved or unmounted while it was in use",
    "damaged": "train anew; 'makemore-tui runs delete' takes the run away",
    "failing": "see to the disk",
}
_MOST_SAID = 200  # characters of what SQLite or a reader of files says
_PROBE_BYTES = 1 << 14
_NEAR_BYTES = 1 << 20  # a file that is so near to the limit on its size may be what reached it
_SHARED_MEMORY = 5386  # SQLITE_IOERR_SHMMAP: a file system on which processes share no memory


class StorageError(RunError):
    """A file of a run that cannot be read or written; ``what`` is the fault in a few words, without the file."""

    def __init__(self, path: Path, kind: Kind, what: str, detail: str = "", advice: str = "") -> None:
        detail = f" ({detail})" if detail else ""
        super().__init__(f"{path}: {what}{detail}; {advice or _ADVICE[kind]}")
        self.path = path
        self.kind = kind
        self.what = what

    @property
    def passes(self) -> bool:
        """Whether it can end by itself, so that waiting for its end is worth it."""
        return self.kind in ("full", "locked")


class StoreError(RunError):
    """A statement that the store refuses, such as a step that is there already."""


def of_system(path: Path, error: OSError) -> StorageError:
    """The fault that an OSError about a file comes to."""
    number, detail = error.errno or 0, error.strerror or str(error)
    if number in FULL:
        return StorageError(path, "full", FULL[number], detail)
    if number in _READ_ONLY:
        return StorageError(path, "read-only", _READ_ONLY[number], detail)
    if number in _GONE:
        return StorageError(path, "gone", "is not there", detail)
    return StorageError(path, "failing", "cannot be written", detail)


SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a statement raises; the latter where the message itself quotes a store that is damaged."""


def in_a_line(error: Exception) -> str:
    """What an error says, in one line and not too long: SQLite quotes what it does not understand, line by line."""
    line = " ".join(str(error).split())
    return line if len(line) <= _MOST_SAID else f"{line[: _MOST_SAID - 3]}..."


def of_sqlite(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> RunError:
    """The fault that an error of SQLite comes to. Its own code says only that reading or writing failed where a quota
    or a limit is reached or the folder is gone; a file that is written beside then tells which."""
    said = in_a_line(error)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    kind = code & 0xFF
    if kind == sqlite3.SQLITE_FULL:
        return StorageError(path, "full", FULL[errno.ENOSPC], said)
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return StorageError(path, "locked", f"another process holds {path.name}", said)
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT):
        return StorageError(path, "damaged", "is damaged", said)
    if kind in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _beside(path, kind, said)
    if isinstance(error, sqlite3.IntegrityError):
        return StoreError(f"{path}: {said}")
    # a table or a column that is not there, a text that is no text
    return StorageError(path, "damaged", "is damaged", said)


def shares_no_memory(error: Exception) -> bool:
    """Whether the file system lacks what SQLite's write-ahead log needs."""
    return getattr(error, "sqlite_errorcode", 0) == _SHARED_MEMORY


def _beside(path: Path, kind: int, detail: str) -> StorageError:
    if not path.exists():
        return StorageError(path, "gone", "is not there", detail)
    if not path.is_file():
        return StorageError(path, "damaged", "is no file", detail)
    found = _probe(path.parent)
    if found is not None:
        return of_system(path, found)
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(path.name + "-wal")
    size = max(p.stat().st_size for p in (path, log) if p.exists())
    if limit != resource.RLIM_INFINITY and size + _NEAR_BYTES > limit:
        return StorageError(path, "full", FULL[errno.EFBIG], f"ulimit -f allows {limit:,} bytes")
    if kind == sqlite3.SQLITE_READONLY or not os.access(path, os.R_OK | os.W_OK):
        return StorageError(path, "read-only", _READ_ONLY[errno.EACCES], detail)
    return StorageError(path, "failing", "cannot be read or written", detail)


def _probe(folder: Path) -> OSError | None:
    """Why a file cannot be written in a folder; None if one can."""
    path = folder / f".probe-{os.getpid()}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)  # follows no link
    except OSError as error:
        return error
    try:
        os.write(descriptor, b"\0" * _PROBE_BYTES)
        os.fsync(descriptor)
    except OSError as error:
        return error
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
    return None
