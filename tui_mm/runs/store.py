"""The store of one run: configuration, losses, evaluations, samples, snapshots, events and commands, in SQLite.

One process trains and writes, any number read and put commands into its inbox. Losses are packed, a row a tenth of a
second and not a row a step. WAL with synchronous=NORMAL: what is committed survives the death of the process; a loss
of power leaves the file valid and takes at most what came after the last ``sync``. Where the file system has no memory
that processes share, and so no WAL, there is a rollback journal, and every commit is on the disk.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

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
_BLOCK_ROWS = 4096  # of losses, read at once: a few megabytes
_KEPT_COMMANDS = 200  # the newest, answered or not


@dataclass(frozen=True, eq=False)
class LossChunk:
    """Losses of consecutive steps, float32 (steps,); the rest as of the last of them."""

    first_step: int
    losses: NDArray[np.float32]
    lr: float
    train_seconds: float
    seconds: float


@dataclass(frozen=True, eq=False)
class LossBlock:
    """Losses of consecutive chunks, float32 (steps,); the last step of each, and the times as of then, (chunks,)."""

    first_step: int
    losses: NDArray[np.float32]
    ends: NDArray[np.int64]
    lr: float
    train_seconds: NDArray[np.float64]
    seconds: NDArray[np.float64]


@dataclass(frozen=True)
class EvaluationRow:
    step: int
    train: float
    dev: float | None
    is_best: bool
    seconds: float


@dataclass(frozen=True)
class SampleRow:
    text: str
    seen_in: str | None


@dataclass(frozen=True)
class CommandRow:
    id: int
    sender: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class EventRow:
    time: float  # seconds since 1970
    step: int
    kind: str
    message: str
    sender: str = ""  # the viewer that asked for it, where one did


class Bear(Protocol):
    """Carries an action out, and decides what a StorageError of it means: to wait and try again, or to raise it."""

    def __call__(self, action: Callable[[], T], /) -> T: ...


def _at_once(action: Callable[[], T], /) -> T:
    return action()


class RunStore:
    """An open ``run.db``. Use as a context manager, or ``close`` it.

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

    def __enter__(self) -> RunStore:
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

    # -- meta

    def get(self, key: str, default: Any = None) -> Any:
        rows = self._run("SELECT value FROM meta WHERE key = ?", (key,))
        return self._said({key: rows[0][0]})[key] if rows else default

    def set(self, **values: Any) -> None:
        """Keep values that JSON can hold, each under its name."""
        self._run_many(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(key, json.dumps(value)) for key, value in values.items()],
        )

    def meta(self) -> dict[str, Any]:
        found = self._run("SELECT key, value FROM meta")
        return self._said(dict(found))

    def _said(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """What a run says of itself, by its JSON."""
        values = {key: self._value(text, bounds.MAX_META_CHARACTERS) for key, text in texts.items()}
        return bounds.check_meta(values, self.path)

    def _value(self, text: str, most: int = bounds.MAX_JSON_CHARACTERS) -> Any:
        try:
            if len(text) > most:
                raise ValueError("larger than any value of a run")
            return json.loads(text)
        except (ValueError, TypeError, RecursionError):
            raise RunError(f"{self.path}: holds a value that is not JSON; the file is damaged") from None

    def increment(self, key: str) -> int:
        """Add 1 to a counter, counting from 0; returns it. Safe against other processes doing the same."""

        def count() -> int:
            value = int(self.get(key, 0)) + 1
            self.set(**{key: value})
            return value

        return self.write(count)

    # -- writing

    def add_losses(self, chunk: LossChunk) -> None:
        data = np.ascontiguousarray(chunk.losses, dtype="<f4").tobytes()
        self._run(
            "INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?)",
            (chunk.first_step, len(chunk.losses), data, chunk.lr, chunk.train_seconds, chunk.seconds),
        )

    def add_evaluation(self, row: EvaluationRow) -> None:
        self._run(
            "INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?)",
            (row.step, row.train, row.dev, row.dev is not None, row.is_best, row.seconds),
        )

    def set_samples(self, step: int, samples: Sequence[SampleRow]) -> None:
        """The samples drawn after ``step`` updates; replaces earlier ones of that step."""
        self._run("DELETE FROM samples WHERE step = ?", (step,))
        self._run_many(
            "INSERT INTO samples VALUES (?, ?, ?, ?)",
            [(step, i, s.text, s.seen_in) for i, s in enumerate(samples)],
        )

    def add_event(self, step: int, kind: str, message: str, sender: str = "") -> None:
        self._run(
            "INSERT INTO events (time, step, kind, message, sender) VALUES (?, ?, ?, ?, ?)",
            (time.time(), step, kind, message, sender),
        )

    def add_snapshot(self, step: int, kind: str, value: Any) -> None:
        """Something to look at later, as JSON without NaN; one of a kind at a step."""
        self._run("INSERT INTO snapshots VALUES (?, ?, ?)", (step, kind, json.dumps(value, allow_nan=False)))

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

    def truncate(self, step: int, evaluated_at: int) -> None:
        """Forget what came after ``step`` updates and after the evaluation at ``evaluated_at``: a run that resumes
        from a checkpoint does it again, to the bit."""

        def forget() -> None:
            kept = self._run(
                "SELECT first_step, data FROM losses WHERE first_step <= ? AND first_step + count - 1 > ?", (step, step)
            )
            for first, data in kept:  # at most one
                count = step - first + 1
                self._run(
                    "UPDATE losses SET count = ?, data = ? WHERE first_step = ?", (count, data[: 4 * count], first)
                )
            self.set(generation=int(self.get("generation", 0)) + 1)  # whoever follows the run must look anew
            self._run("DELETE FROM losses WHERE first_step > ?", (step,))
            self._run("DELETE FROM evaluations WHERE step > ?", (evaluated_at,))
            self._run("DELETE FROM samples WHERE step > ?", (step,))
            self._run("DELETE FROM snapshots WHERE step > ?", (evaluated_at,))  # they come with evaluations

        self.write(forget)

    # -- commands

    def changes(self) -> int:
        """A number that differs from the last one if another connection has written since: a cheap wake-up."""
        return int(self._run("PRAGMA data_version")[0][0])

    def put_command(self, sender: str, name: str, arguments: Mapping[str, Any]) -> int:
        """Ask who trains for something; returns the number under which the answer will stand."""
        rows = self._run(
            "INSERT INTO commands (time, sender, name, arguments) VALUES (?, ?, ?, ?) RETURNING id",
            (time.time(), sender, name, json.dumps(dict(arguments))),
        )
        return int(rows[0][0])

    def open_commands(self) -> list[CommandRow]:
        """Those without an answer, oldest first."""
        rows = self._run("SELECT id, sender, name, arguments FROM commands WHERE answer IS NULL ORDER BY id")
        return [CommandRow(id, sender, name, self._arguments(text)) for id, sender, name, text in rows]

    def _arguments(self, text: Any) -> Any:
        """Of a command; None for what is no JSON, which no command takes: it must not end somebody's training."""
        try:
            return self._value(text)
        except RunError:
            return None

    def answer_command(self, command: int, answer: Mapping[str, Any]) -> None:
        self._run("UPDATE commands SET answer = ? WHERE id = ?", (json.dumps(dict(answer)), command))

    def outdated_commands(self) -> list[int]:
        """Those that are answered and not among the newest."""
        rows = self._run(
            "SELECT id FROM commands WHERE id <= (SELECT max(id) FROM commands) - ? AND answer IS NOT NULL",
            (_KEPT_COMMANDS,),
        )
        return [int(id) for (id,) in rows]

    def delete_commands(self, commands: Sequence[int]) -> None:
        self._run_many("DELETE FROM commands WHERE id = ?", [(id,) for id in commands])

    def answer(self, command: int) -> dict[str, Any] | None:
        """What was answered; None while nothing was. Raises RunError for a number that was never given."""
        rows = self._run("SELECT answer FROM commands WHERE id = ?", (command,))
        if not rows:
            raise RunError(f"{self.path}: has no command {command}")
        found = rows[0][0]
        if found is None:
            return None
        value = self._value(found)
        return value if isinstance(value, dict) else {"value": value}

    # -- sweeps

    def next_sweep(self) -> int:
        return int(self._run("SELECT coalesce(max(sweep), 0) + 1 FROM sweeps")[0][0])

    def add_sweep_points(self, sweep: int, first: int, exponents: NDArray[Any], losses: NDArray[Any]) -> None:
        data = [np.ascontiguousarray(a, dtype="<f8").tobytes() for a in (exponents, losses)]
        self._run("INSERT INTO sweeps VALUES (?, ?, ?, ?)", (sweep, first, *data))

    def sweep_points(self, sweep: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exponents and losses of a sweep so far, by default of the last one."""
        rows = self._run(
            "SELECT exponents, losses FROM sweeps WHERE sweep = coalesce(?, (SELECT max(sweep) FROM sweeps)) "
            "ORDER BY first",
            (sweep,),
        )
        return bounds.sweep_columns(rows, self.path)

    # -- reading

    def loss_chunks(self, after_step: int = 0, most: int = -1) -> Iterator[LossChunk]:
        """Chunks that begin after ``after_step``, in order; ``most``: at most so many, all below 0."""
        return map(self._chunk, self._loss_rows(after_step, most))

    def loss_blocks(self, after_step: int = 0) -> Iterator[LossBlock]:
        """The same, some thousands at a time and put together: takes a third of the time, and no memory beyond a
        block's. Raises RunError when steps are missing or double."""
        while rows := self._loss_rows(after_step, _BLOCK_ROWS):
            first, data, rates, train_seconds, seconds = zip(*rows, strict=True)
            try:
                losses = np.frombuffer(b"".join(data), dtype="<f4")
                starts = np.array(first, np.int64)
                ends = starts + np.fromiter(map(len, data), np.int64, len(data)) // 4 - 1
                times = np.array(train_seconds, np.float64), np.array(seconds, np.float64)
                block = LossBlock(int(first[0]), losses, ends, float(rates[-1]), *times)
            except (ValueError, TypeError):
                raise self._unreadable(after_step + 1) from None
            expected = np.concatenate(([after_step], ends[:-1])) + 1
            if (wrong := np.flatnonzero(starts != expected)).size:
                raise RunError(
                    f"{self.path}: expected step {expected[wrong[0]]:,} and found {starts[wrong[0]]:,}; it is damaged"
                )
            yield block
            if len(rows) < _BLOCK_ROWS:
                return
            after_step = int(ends[-1])

    def _loss_rows(self, after_step: int, most: int) -> list[tuple[Any, ...]]:
        rows = self._run(
            "SELECT first_step, data, lr, train_seconds, seconds FROM losses WHERE first_step > ? ORDER BY first_step "
            "LIMIT ?",
            (after_step, most),
        )
        return bounds.check_losses(rows, self.path)

    def losses(self) -> NDArray[np.float32]:
        """Every step's loss, (steps,). Raises RunError when steps are missing or double."""
        parts = [block.losses for block in self.loss_blocks()]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _chunk(self, row: tuple[Any, ...]) -> LossChunk:
        try:
            return LossChunk(row[0], np.frombuffer(row[1], dtype="<f4"), *row[2:])
        except (ValueError, TypeError):
            raise self._unreadable(row[0]) from None

    def _unreadable(self, step: int) -> RunError:
        return RunError(f"{self.path}: the losses from step {step} on cannot be read; it is damaged")

    def last_chunk(self) -> LossChunk | None:
        rows = self._run(
            "SELECT first_step, data, lr, train_seconds, seconds FROM losses ORDER BY first_step DESC LIMIT 1"
        )
        return self._chunk(bounds.check_losses(rows, self.path)[0]) if rows else None

    def last_evaluated(self) -> int | None:
        """The step of the last evaluation."""
        step: int | None = self._run("SELECT max(step) FROM evaluations")[0][0]
        return step

    def evaluations(self, after_step: int = -1) -> list[EvaluationRow]:
        """In order, from after a step on."""
        rows = self._run(
            "SELECT step, train, dev, has_dev, is_best, seconds FROM evaluations WHERE step > ? ORDER BY step",
            (after_step,),
        )
        return [
            EvaluationRow(step, _number(train), _number(dev) if has_dev else None, bool(best), seconds)
            for step, train, dev, has_dev, best, seconds in bounds.check_evaluations(rows, self.path)
        ]

    def samples(self, step: int | None = None) -> list[SampleRow]:
        """The samples of a step, by default of the last that has any."""
        rows = self._run(
            "SELECT text, seen_in FROM samples WHERE step = coalesce(?, (SELECT max(step) FROM samples)) "
            "ORDER BY position",
            (step,),
        )
        return [SampleRow(text, seen_in) for text, seen_in in bounds.check_samples(rows, self.path)]

    def snapshots(self, kind: str, after_step: int = -1) -> list[tuple[int, Any]]:
        """(step, value) of a kind, in order, from after a step on."""
        rows = self._run(
            "SELECT step, data FROM snapshots WHERE kind = ? AND step > ? ORDER BY step", (kind, after_step)
        )
        return [(step, self._value(data)) for step, data in bounds.check_snapshots(kind, rows, self.path)]

    def last_snapshot(self) -> int | None:
        """The step of the last one of any kind."""
        return self._run("SELECT max(step) FROM snapshots")[0][0]  # type: ignore[no-any-return]

    def events(self, after: int = 0) -> list[EventRow]:
        rows = self._run("SELECT id, time, step, kind, message, sender FROM events WHERE id > ? ORDER BY id", (after,))
        return [EventRow(*row) for row in bounds.check_events(rows, after, self.path)]


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


def _number(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else float(value)
