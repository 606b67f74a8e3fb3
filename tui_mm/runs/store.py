"""The store of one run: configuration, losses, evaluations, samples, snapshots, events and commands, in SQLite.

One process trains and writes, any number read and put commands into its inbox. Losses are packed, a row a tenth of a
second and not a row a step.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.runs import bounds
from tui_mm.runs.database import Database
from tui_mm.runs.home import RunError

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

    @property
    def last_step(self) -> int:
        return self.first_step + len(self.losses) - 1


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


class RunStore(Database):
    """An open ``run.db``: what is in its tables."""

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

    def set_trained_sweep(
        self, sweep: int, exponents: NDArray[Any], losses: NDArray[Any], plan: Mapping[str, Any]
    ) -> None:
        """All points of a sweep, in place of what there is of it, and how far it is: ``steps``, ``done``, ``measured``,
        ``is_final``."""

        def replace() -> None:
            self._run("DELETE FROM sweeps WHERE sweep = ?", (sweep,))
            self.add_sweep_points(sweep, 0, exponents, losses)
            self.set(trained_sweep=dict(plan))

        self.write(replace)

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

    @property
    def steps(self) -> int:
        """How many steps have their loss here."""
        last = self.last_chunk()
        return 0 if last is None else last.last_step

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


def _number(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else float(value)
