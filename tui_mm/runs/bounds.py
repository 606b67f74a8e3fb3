"""What a run's store may hold: plain tables, with values of the kinds and sizes that this program writes.

A run folder may come from elsewhere. So nothing in its store is carried out (no view, no trigger), and what is read is
refused, in one line, before it takes more than a bounded amount of memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct, ValidationError, convert

from tui_mm.config import RunConfig
from tui_mm.engine_record import MAX_CHARACTERS, PATTERN, EngineRecord
from tui_mm.runs.faults import StorageError

MAX_VALUE_BYTES = 1 << 26
"""Of one text or blob in a store."""
MAX_JSON_CHARACTERS = 1 << 23
"""Of a value that is kept as JSON; as Python's objects it may take thirty times as much."""
MAX_META_CHARACTERS = 1 << 20
"""Of one that a run says of itself."""
MAX_READ_BYTES = 1 << 28
"""Of what one look into the store brings, each row counted as ``_ROW_BYTES`` beside its texts."""

_ROW_BYTES = 200
_TEXTS = (bytes, str)  # what SQLite gives that has a length
_MAX_LINE = 4000  # characters of an event's message that are read
_MAX_EXPONENT = 300.0  # of a learning rate's power of ten
_MAX_SNAPSHOT_CHARACTERS = 1 << 21
_MAX_SNAPSHOTS = 4096  # of a kind; there are some hundreds
_NOT_OURS = ("VIRTUAL", "GENERATED", " AS (", "CHECK", "REFERENCES")  # in no table of this program

_Seconds = Annotated[float, Meta(ge=0, le=1e12)]
_Time = Annotated[float, Meta(ge=0, le=2.5e11)]  # since 1970, up to the year 9892: what a date can be made of
_Count = Annotated[int, Meta(ge=0, le=1 << 53)]
_Name = Annotated[str, Meta(max_length=4096)]


# -- the store as a whole


def restrain(db: sqlite3.Connection) -> sqlite3.Connection:
    """A connection that reads no value beyond ``MAX_VALUE_BYTES`` and trusts no function that a schema calls."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    db.execute("PRAGMA trusted_schema=OFF")
    db.execute("PRAGMA cell_size_check=ON")
    return db


def check_schema(db: sqlite3.Connection, path: Path) -> None:
    """Plain tables alone: a view could be endless, and a trigger acts when something is written. Raises StorageError,
    sqlite3.Error."""
    for kind, sql in db.execute("SELECT type, sql FROM sqlite_master"):
        text = str(sql or "").upper()
        if kind != "table" and not (kind == "index" and sql is None):
            raise StorageError(path, "damaged", f"holds a {str(kind)[:20]}, which no run store of this program does")
        if any(word in text for word in _NOT_OURS):
            raise StorageError(path, "damaged", "holds a table that this program does not make")


def fetch(cursor: sqlite3.Cursor, path: Path) -> list[tuple[Any, ...]]:
    """All rows of a statement, while they are no more than ``MAX_READ_BYTES``. Raises StorageError, sqlite3.Error."""
    found: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:  # one by one: each may be as large as MAX_VALUE_BYTES
        size += _ROW_BYTES
        for value in row:
            if value.__class__ in _TEXTS:
                size += len(value)
        if size > MAX_READ_BYTES:
            cursor.close()
            raise StorageError(path, "damaged", f"holds more than the {MAX_READ_BYTES >> 20} MiB that are read at once")
        found.append(row)
    return found


# -- what a run says of itself


class _Data(Struct):
    name: _Name = ""
    level: Annotated[str, Meta(pattern=r"\A(character|word)\Z")] = "character"
    source: _Name = ""
    words: _Count = 0
    distinct: _Count = 0
    vocabulary: _Count = 0
    examples: dict[Annotated[str, Meta(max_length=16)], _Count] = {}
    sha256: Annotated[str, Meta(max_length=64)] = ""


class _Model(Struct):
    kind: Annotated[str, Meta(max_length=64)] = ""
    parameters: Any = None  # of a table of counts, more than a float holds
    block_size: _Count = 0


class _TrainedSweep(Struct):
    steps: _Count = 0
    done: _Count = 0
    measured: Annotated[str, Meta(pattern=r"\A(train|dev)\Z")] = "train"
    is_final: bool = False


_META: dict[str, Any] = {
    "id": Annotated[str, Meta(max_length=64)],
    "name": Annotated[str, Meta(max_length=200)] | None,
    "created": Annotated[str, Meta(max_length=64)],
    "status": Annotated[str, Meta(pattern=r"\A[a-z ]{1,32}\Z")],
    "finished": Annotated[str, Meta(pattern=r"\A[a-z ]{1,32}\Z")] | None,
    "config": RunConfig,
    "data": _Data,
    "model": _Model,
    "device": Annotated[str, Meta(pattern=r"\A(cpu|mps|cuda(:\d{1,3})?)\Z")] | None,
    "threads": Annotated[int, Meta(ge=1, le=4096)] | None,
    "engines": Annotated[str, Meta(pattern=PATTERN, max_length=MAX_CHARACTERS)] | None,
    "torch": Annotated[str, Meta(max_length=200)] | None,
    "trained_sweep": _TrainedSweep,
    "generation": _Count,
    "test_evaluations": _Count,
    "pid": _Count | None,
    "server": _Count | None,
    "draft": _Count | None,
}


def check_meta(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """What a run says of itself, as it is. Raises StorageError where a value is of another kind than the program's."""
    for key, value in values.items():
        kind = _META.get(key)
        if kind is None:
            continue
        try:
            if key == "config" and isinstance(value, dict) and value.get("init") == "scaled":
                value = value | {"init": "kaiming"}  # as version 0.1 called it
            convert(value, kind)
            if key == "created":
                datetime.fromisoformat(value).astimezone()  # the first and last years have no time elsewhere
            if key == "engines" and value is not None:
                EngineRecord.parse(value)
            if key == "model" and value.get("parameters") is not None:
                _check_parameters(value["parameters"])
        except (ValueError, OverflowError, RecursionError):  # msgspec's among them
            raise StorageError(path, "damaged", f"says what no run does in {key!r}") from None
    return values


def _check_parameters(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or value.bit_length() > 1 << 13:
        raise ValueError("no number of parameters")


# -- rows


_LOSSES = list[
    tuple[Annotated[int, Meta(ge=1, le=1 << 53)], Annotated[bytes, Meta(min_length=4)], float, _Seconds, _Seconds]
]
_EVALUATIONS = list[tuple[_Count, float | None, float | None, int, int, _Seconds]]
_EVENTS = list[tuple[int, _Time, _Count, str, str, str]]
_SAMPLES = list[tuple[str, str | None]]


def check_losses(rows: Sequence[Any], path: Path) -> list[tuple[Any, ...]]:
    """(first step, float32 losses, rate, seconds of training, seconds) of chunks. Raises StorageError, as all of these
    do."""
    found = _checked(rows, _LOSSES, "losses", path)
    if any(len(row[1]) % 4 for row in found):
        raise _wrong("losses", path)
    return found


def check_evaluations(rows: Sequence[Any], path: Path) -> list[tuple[Any, ...]]:
    """(step, train loss, dev loss, whether there is one, whether it is the best, seconds)."""
    return _checked(rows, _EVALUATIONS, "evaluations", path)


def check_events(rows: Sequence[Any], after: int, path: Path) -> list[tuple[Any, ...]]:
    """(time, step, kind, message, sender) of the events behind the number ``after``, none of which is missing. What is
    longer than any line is cut."""
    found = _checked(rows, _EVENTS, "events", path)
    if [row[0] for row in found] != list(range(after + 1, after + 1 + len(found))):
        raise _wrong("events", path)
    return [(*row[1:4], row[4][:_MAX_LINE], row[5][:_MAX_LINE]) for row in found]


def check_samples(rows: Sequence[Any], path: Path) -> list[tuple[Any, ...]]:
    """(text, the split that holds it)."""
    return _checked(rows, _SAMPLES, "samples", path)


def sweep_columns(rows: Iterable[Any], path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Exponents and losses of a sweep, float64, from pairs of blobs."""
    try:
        columns = [b"".join(column) for column in zip(*rows, strict=True)] or [b"", b""]
        exponents, losses = (np.frombuffer(column, dtype="<f8") for column in columns)
    except (TypeError, ValueError):
        raise _wrong("sweeps", path) from None
    if len(exponents) != len(losses) or not (np.abs(exponents) <= _MAX_EXPONENT).all():
        raise _wrong("sweeps", path)
    return exponents, losses


def _checked(rows: Sequence[Any], kind: Any, what: str, path: Path) -> list[tuple[Any, ...]]:
    try:
        found: list[tuple[Any, ...]] = convert(rows, kind)
    except ValidationError:
        raise _wrong(what, path) from None
    return found


def _wrong(what: str, path: Path) -> StorageError:
    return StorageError(path, "damaged", f"holds {what} that cannot be read")


# -- snapshots


_Number = float | None


class _Embedding(Struct):
    ids: list[_Count] = []
    vectors: list[Annotated[list[_Number], Meta(min_length=1)]] = []
    step: _Count = 0


class _Activation(Struct):
    name: _Name = ""
    saturated: _Number = None
    mean: _Number = None
    std: _Number = None
    low: _Number = None
    high: _Number = None
    histogram: Annotated[list[_Number], Meta(max_length=1000)] = []


class _Parameter(Struct):
    name: _Name = ""
    shape: Annotated[list[_Count], Meta(max_length=16)] = []
    std: _Number = None
    grad_norm: _Number = None
    grad_std: _Number = None
    update_ratio: _Number = None


class _Layers(Struct):
    activations: Annotated[list[_Activation], Meta(max_length=1000)] = []
    parameters: Annotated[list[_Parameter], Meta(max_length=4096)] = []
    step: _Count = 0


_SNAPSHOTS: dict[str, Any] = {
    "names": Annotated[list[Annotated[str, Meta(max_length=1 << 16)]], Meta(max_length=1000)],
    "embedding": _Embedding,
    "layers": _Layers,
}


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_SNAPSHOTS[kind])


def check_snapshots(kind: str, rows: Sequence[tuple[Any, ...]], path: Path) -> Sequence[tuple[Any, ...]]:
    """(step, JSON) of the snapshots of a kind, as they are."""
    if len(rows) > _MAX_SNAPSHOTS:
        raise _wrong("so many snapshots", path)
    for step, text in rows:
        if not isinstance(step, int) or not isinstance(text, str) or len(text) > _MAX_SNAPSHOT_CHARACTERS:
            raise _wrong("snapshots", path)
        if kind not in _SNAPSHOTS:
            continue
        try:
            found = _decoder(kind).decode(text)
        except (ValueError, RecursionError):  # msgspec's among them
            raise _wrong("snapshots", path) from None
        if kind == "embedding" and (
            len(found.ids) != len(found.vectors) or len({len(vector) for vector in found.vectors}) > 1
        ):
            raise _wrong("snapshots", path)
    return rows
