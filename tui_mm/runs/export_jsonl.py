"""A run as JSON, an object a line: everything that is kept of it, for another program. docs/export.md has the fields.

A number that is not finite is null, since JSON has no such number, and ``not_finite`` beside it says which it was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from tui_mm.runs.export_source import RunSnapshot, Sink
from tui_mm.runs.store import EventRow, LossChunk

FORMAT = 1
"""Raised when a line of an earlier kind would be read wrongly."""

_FACTS = ("name", "created", "finished", "data", "model", "config", "device", "threads", "torch", "test_evaluations")


def write_jsonl(source: RunSnapshot, out: Sink) -> int:
    """All of a run; returns how many steps it has. ASCII alone, and never NaN, which JSON does not have."""
    steps = 0
    for line in _lines(source):
        if line["kind"] == "losses":
            steps += len(line["losses"])
        out.write(json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n")
    return steps


def _lines(source: RunSnapshot) -> Iterator[dict[str, Any]]:
    meta = source.meta()
    facts = {key: _plain(meta.get(key)) for key in _FACTS}
    yield {"kind": "run", "format": FORMAT, "run": source.run.id, "status": source.status, **facts}
    yield from map(event_line, source.events())
    for chunk in source.chunks():
        yield _losses(chunk)
    for e in source.evaluated():
        line = {"step": e.step, "train": e.train, "dev": e.dev, "is_best": e.is_best, "seconds": e.seconds}
        yield {"kind": "evaluation", **_finite(line)}
    for step, position, sample in source.drawn():
        yield {"kind": "sample", "step": step, "position": position, "text": sample.text, "seen_in": sample.seen_in}
    for step, kind, value in source.kept_snapshots():
        yield {"kind": "snapshot", "step": step, "snapshot": kind, "value": _plain(value)}
    for sweep, exponent, loss in source.swept():
        line = {"sweep": sweep, "exponent": exponent, "lr": 10.0**exponent, "loss": loss}
        yield {"kind": "sweep_point", **_finite(line)}


def event_line(event: EventRow) -> dict[str, Any]:
    """What JSON says of an event."""
    line = {"time": event.time, "step": event.step, "event": event.kind, "message": event.message}
    return {"kind": "event", **_finite(line), "sender": event.sender}


def _losses(chunk: LossChunk) -> dict[str, Any]:
    first = chunk.first_step
    losses = [float(text) for text in chunk.losses.astype(str)]  # as few digits as give the same float32
    line: dict[str, Any] = {"kind": "losses", "first_step": first}
    line["losses"] = [loss if math.isfinite(loss) else None for loss in losses]
    line |= _finite({"lr": chunk.lr, "train_seconds": chunk.train_seconds, "seconds": chunk.seconds})
    odd = {str(step): repr(loss) for step, loss in enumerate(losses, first) if not math.isfinite(loss)}
    return line | ({"not_finite": odd | line.get("not_finite", {})} if odd else {})


def _finite(line: Mapping[str, Any]) -> dict[str, Any]:
    """With what is not finite as null, and told beside it."""
    odd = {key: repr(value) for key, value in line.items() if isinstance(value, float) and not math.isfinite(value)}
    return {key: None if key in odd else value for key, value in line.items()} | ({"not_finite": odd} if odd else {})


def _plain(value: Any) -> Any:
    """What Python's JSON holds, without the numbers that JSON has not."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
