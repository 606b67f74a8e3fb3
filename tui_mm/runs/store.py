"""The store of one run: configuration, losses, evaluations, samples, snapshots, events and commands, in SQLite.

One process trains and writes, any number read and put commands into its inbox. Losses are packed, a row a tenth of a
second and not a row a step. WAL with synchronous=NORMAL: what is committed survives the death of the process, and a
loss of power leaves the file valid.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.runs.home import RunError

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
_KEPT_COMMANDS = 200  # the newest, answered or not


@dataclass(frozen=True, eq=False)
class LossChunk:
    """Losses of consecutive steps, float32 (steps,); the rest as of the last of them."""

    first_step: int
    losses: NDArray[np.float32]
    lr: float
    train_seconds: float
    seconds: float


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


class RunStore:
    """An open ``run.db``. Use as a context manager, or ``close`` it."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Raises RunError for a file that is missing, no store, or from a newer version."""
        self.path = path
        try:
            if create:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            elif not path.exists():
                raise RunError(f"{path}: no such run store; see 'makemore-tui runs'")
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            if create:
                self._make(_SCHEMA + _SNAPSHOTS + _SENDER)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version in _UPGRADES:
                version = self._upgrade(version)
        except (sqlite3.DatabaseError, OSError) as error:
            raise RunError(
                f"{path}: cannot be opened as a run store ({error}); the file is damaged or locked"
            ) from None
        if version != SCHEMA_VERSION:
            self._db.close()
            raise RunError(
                f"{path}: is a run store of version {version}; this program reads version {SCHEMA_VERSION}, "
                "upgrade makemore-tui or train anew"
            )

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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are kept together or not at all."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement and its rows. Raises RunError for a store that is damaged, locked, or cannot be written."""
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise RunError(f"{self.path}: {error}") from None

    def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._db.executemany(sql, rows)
        except sqlite3.Error as error:
            raise RunError(f"{self.path}: {error}") from None

    # -- meta

    def get(self, key: str, default: Any = None) -> Any:
        rows = self._run("SELECT value FROM meta WHERE key = ?", (key,))
        return self._value(rows[0][0]) if rows else default

    def set(self, **values: Any) -> None:
        """Keep values that JSON can hold, each under its name."""
        self._run_many(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(key, json.dumps(value)) for key, value in values.items()],
        )

    def meta(self) -> dict[str, Any]:
        return {key: self._value(value) for key, value in self._run("SELECT key, value FROM meta")}

    def _value(self, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, TypeError, RecursionError):
            raise RunError(f"{self.path}: holds a value that is not JSON; the file is damaged") from None

    def increment(self, key: str) -> int:
        """Add 1 to a counter, counting from 0; returns it. Safe against other processes doing the same."""
        with self.transaction():
            value = int(self.get(key, 0)) + 1
            self.set(**{key: value})
        return value

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
        self._run("PRAGMA wal_checkpoint(PASSIVE)")

    def truncate(self, step: int, evaluated_at: int) -> None:
        """Forget what came after ``step`` updates and after the evaluation at ``evaluated_at``: a run that resumes
        from a checkpoint does it again, to the bit."""
        with self.transaction():
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
        return [CommandRow(id, sender, name, self._value(arguments)) for id, sender, name, arguments in rows]

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
        if commands:
            with self.transaction():
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
        columns = [b"".join(column) for column in zip(*rows, strict=True)] or [b"", b""]
        return np.frombuffer(columns[0], dtype="<f8"), np.frombuffer(columns[1], dtype="<f8")

    # -- reading

    def loss_chunks(self, after_step: int = 0) -> Iterator[LossChunk]:
        """Chunks that begin after ``after_step``, in order."""
        rows = self._run(
            "SELECT first_step, data, lr, train_seconds, seconds FROM losses WHERE first_step > ? ORDER BY first_step",
            (after_step,),
        )
        return map(self._chunk, rows)

    def losses(self) -> NDArray[np.float32]:
        """Every step's loss, (steps,). Raises RunError when steps are missing or double."""
        parts, expected = [], 1
        for chunk in self.loss_chunks():
            if chunk.first_step != expected:
                raise RunError(f"{self.path}: expected step {expected:,} and found {chunk.first_step:,}; it is damaged")
            parts.append(chunk.losses)
            expected += len(chunk.losses)
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _chunk(self, row: tuple[Any, ...]) -> LossChunk:
        try:
            return LossChunk(row[0], np.frombuffer(row[1], dtype="<f4"), *row[2:])
        except (ValueError, TypeError):
            raise RunError(f"{self.path}: the losses from step {row[0]} on cannot be read; it is damaged") from None

    def last_chunk(self) -> LossChunk | None:
        rows = self._run(
            "SELECT first_step, data, lr, train_seconds, seconds FROM losses ORDER BY first_step DESC LIMIT 1"
        )
        return self._chunk(rows[0]) if rows else None

    def last_evaluated(self) -> int | None:
        """The step of the last evaluation."""
        step: int | None = self._run("SELECT max(step) FROM evaluations")[0][0]
        return step

    def evaluations(self) -> list[EvaluationRow]:
        rows = self._run("SELECT step, train, dev, has_dev, is_best, seconds FROM evaluations ORDER BY step")
        return [
            EvaluationRow(step, _number(train), _number(dev) if has_dev else None, bool(best), seconds)
            for step, train, dev, has_dev, best, seconds in rows
        ]

    def samples(self, step: int | None = None) -> list[SampleRow]:
        """The samples of a step, by default of the last that has any."""
        rows = self._run(
            "SELECT text, seen_in FROM samples WHERE step = coalesce(?, (SELECT max(step) FROM samples)) "
            "ORDER BY position",
            (step,),
        )
        return [SampleRow(text, seen_in) for text, seen_in in rows]

    def snapshots(self, kind: str, after_step: int = -1) -> list[tuple[int, Any]]:
        """(step, value) of a kind, in order, from after a step on."""
        rows = self._run(
            "SELECT step, data FROM snapshots WHERE kind = ? AND step > ? ORDER BY step", (kind, after_step)
        )
        return [(step, self._value(data)) for step, data in rows]

    def last_snapshot(self) -> int | None:
        """The step of the last one of any kind."""
        return self._run("SELECT max(step) FROM snapshots")[0][0]  # type: ignore[no-any-return]

    def events(self, after: int = 0) -> list[EventRow]:
        rows = self._run("SELECT time, step, kind, message, sender FROM events WHERE id > ? ORDER BY id", (after,))
        return [EventRow(*row) for row in rows]


def _number(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else float(value)
