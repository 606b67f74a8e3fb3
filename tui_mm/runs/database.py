"""A run's SQLite file: how it is opened, brought to the newest version, written to and brought to the disk.

WAL with synchronous=NORMAL: what is committed survives the death of the process; a loss of power leaves the file valid
and takes at most what came after the last ``sync``. Where the file system has no memory that processes share, and so no
WAL, there is a rollback journal, and every commit is on the disk.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from tui_mm.runs import bounds, faults
from tui_mm.runs.faults import StorageError
from tui_mm.runs.files import private_file
from tui_mm.runs.home import RunError
from tui_mm.runs.plain import check_journal, check_plain

T = TypeVar("T")

SCHEMA_VERSION = 3
_BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE losses (
    first_step INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL,     -- float32, little endian
    lr REAL NOT NULL, train_seconds REAL NOT NULL, seconds REAL NOT NULL            -- at the last of these steps
);
CREATE TABLE evaluations (
    step INTEGER PRIMARY KEY, train REAL, dev REAL, has_dev INTEGER NOT NULL,       -- NULL: not a number
    is_best INTEGER NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE samples (
    step INTEGER NOT NULL, position INTEGER NOT NULL, text TEXT NOT NULL, seen_in TEXT,
    PRIMARY KEY (step, position)
) WITHOUT ROWID;
CREATE TABLE commands (                                                             -- the inbox of who trains
    id INTEGER PRIMARY KEY, time REAL NOT NULL, sender TEXT NOT NULL, name TEXT NOT NULL, arguments TEXT NOT NULL,
    answer TEXT                                                                     -- NULL: not answered yet
);
CREATE TABLE sweeps (
    sweep INTEGER NOT NULL, first INTEGER NOT NULL, exponents BLOB NOT NULL, losses BLOB NOT NULL,  -- float64
    PRIMARY KEY (sweep, first)
) WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, step INTEGER NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL
);
"""
_SENDER = """
ALTER TABLE events ADD COLUMN sender TEXT NOT NULL DEFAULT '';                      -- since version 3: who asked for it
"""
_SNAPSHOTS = """
CREATE TABLE IF NOT EXISTS snapshots (                                              -- since version 2
    step INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, step)
);
"""
_UPGRADES = {1: _SNAPSHOTS + _SENDER, 2: _SENDER}  # from a version to the newest


class Bear(Protocol):
    """Carries an action out, and decides what a StorageError of it means: to wait and try again, or to raise it."""

    def __call__(self, action: Callable[[], T], /) -> T: ...


def _at_once(action: Callable[[], T], /) -> T:
    return action()


class Database:
    """An open file of a run. Use as a context manager, or ``close`` it.

    bear: what every statement outside a transaction, and every ``write``, is carried out by
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Raises RunError for a file that is missing, no store, or from a newer version. One that cannot be written,
        on a disk that is full or read-only, is opened for reading."""
        self.path = path
        self.bear: Bear = _at_once
        self._directory_synced = False
        try:
            if create:
                os.close(private_file(path, os.O_WRONLY | os.O_EXCL))
            elif not path.exists():
                raise RunError(f"{path}: no such run store; see 'makemore-tui runs'")
            elif not path.stat().st_size:
                raise StorageError(path, "damaged", "is empty, not a run store")
            self._place = _place_of(path)
            check_journal(path)
        except OSError as error:
            raise faults.of_system(path, error) from None
        self._db = self._connect()
        try:
            version = self._open(create)
        except faults.SQLITE_ERRORS as error:
            self._db.close()
            raise faults.of_sqlite(path, error) from None
        except BaseException:
            self._db.close()
            raise
        if version != SCHEMA_VERSION:
            self._db.close()
            raise RunError(
                f"{path}: is a run store of version {version}; this program reads version {SCHEMA_VERSION}, "
                "upgrade makemore-tui or train anew"
            )

    def _connect(self, options: str = "") -> sqlite3.Connection:
        if not options:
            return bounds.restrain(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None))
        uri = f"{self.path.absolute().as_uri()}?{options}"
        return bounds.restrain(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None))

    def _open(self, create: bool) -> int:
        """The version of the store, brought to the newest where that is possible. Raises sqlite3.Error, RunError."""
        try:
            if create:
                self._db.execute("PRAGMA journal_mode=WAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        except faults.SQLITE_ERRORS as error:
            self._db.close()
            if faults.shares_no_memory(error):
                self._do_without_shared_memory()
            else:
                self._open_for_reading(error)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        bounds.check_schema(self._db, self.path)
        self._db.execute("PRAGMA temp_store=MEMORY")
        # A rollback journal that reappears after a loss of power takes a commit back; EXTRA leaves none behind.
        self.has_log = self._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        self._db.execute(f"PRAGMA synchronous={'NORMAL' if self.has_log else 'EXTRA'}")
        if create:
            self._make(_SCHEMA + _SNAPSHOTS + _SENDER)
            version = SCHEMA_VERSION
        return self._upgrade(version) if version in _UPGRADES else int(version)

    def _do_without_shared_memory(self) -> None:
        """From the write-ahead log to a rollback journal; only one that nobody else has open can go over."""
        self._db = self._connect()
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")  # needs no shared memory for the log
        self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()
        self.path.with_name(self.path.name + "-shm").unlink(missing_ok=True)
        self._db = self._connect()

    def _open_for_reading(self, error: sqlite3.Error | UnicodeDecodeError) -> None:
        """As a file that does not change: where nothing can be written, nobody writes. Raises RunError where it may
        yet, or where a log holds what the file itself lacks."""
        fault = faults.of_sqlite(self.path, error)
        log = self.path.with_name(self.path.name + "-wal")
        if not isinstance(fault, StorageError) or fault.kind not in ("full", "read-only"):
            raise fault
        if log.exists() and log.stat().st_size:
            raise fault
        self._db = self._connect("mode=ro&immutable=1")

    def _make(self, tables: str) -> None:
        self._db.executescript(f"BEGIN IMMEDIATE; {tables} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")

    def _upgrade(self, version: int) -> int:
        """Bring an older store to the newest version, unless another process does at this moment."""
        try:
            self._make(_UPGRADES[version])
        except sqlite3.OperationalError:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if self._db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                raise
        return SCHEMA_VERSION

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def write(self, action: Callable[[], T]) -> T:
        """Carry out a function whose writes are kept together or not at all; it may be called more than once."""

        def attempt() -> T:
            with self.transaction():
                return action()

        return self.bear(attempt)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are kept together or not at all."""
        self._now("BEGIN IMMEDIATE")
        try:
            yield
            self._now("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._now("ROLLBACK")
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read inside is of one moment, whatever is written meanwhile."""
        self._run("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")  # nothing was written

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement and its rows. Raises RunError for a store that is damaged, locked, or cannot be written."""
        if self._db.in_transaction:
            return self._now(sql, values)  # what is tried again is the whole of it
        return self.bear(lambda: self._now(sql, values))

    def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """One statement for each row, all of them or none."""
        if self._db.in_transaction:
            try:
                self._db.executemany(sql, rows)
            except faults.SQLITE_ERRORS as error:
                raise faults.of_sqlite(self.path, error) from None
        elif rows:
            self.write(lambda: self._run_many(sql, rows))

    def _now(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if not self._db.in_transaction:
            self.check_place()
        try:
            return bounds.fetch(self._db.execute(sql, values), self.path)
        except faults.SQLITE_ERRORS as error:
            raise faults.of_sqlite(self.path, error) from None

    def check_place(self) -> None:
        """Raises StorageError where the file is not the one that was opened: its folder was deleted or replaced, and
        what is written would be lost."""
        try:
            found = _place_of(self.path)
        except OSError as error:
            raise faults.of_system(self.path, error) from None
        if found != self._place:
            raise StorageError(self.path, "gone", "is another file than before")

    def sync(self) -> None:
        """Bring all that is committed to the disk, so that no checkpoint is ever ahead of the store."""
        if not self.has_log:
            return  # every commit is there already
        self.bear(self._sync_log)

    def _sync_log(self) -> None:
        """What is committed stands in the log, or was brought from there into the file, and on the disk, by SQLite. Its
        own checkpoint of the log syncs three times, and nothing at all while a reader holds it up."""
        log = self.path.with_name(self.path.name + "-wal")
        try:
            _sync(log)
            if not self._directory_synced:
                _sync(self.path.parent)  # the log's name
                self._directory_synced = True
        except OSError as error:
            raise faults.of_system(log, error) from None


def _place_of(path: Path) -> tuple[int, int]:
    """Which file it is. Raises OSError, StorageError for a link or what is no file."""
    check_plain(path)
    found = path.stat()
    return found.st_dev, found.st_ino


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
