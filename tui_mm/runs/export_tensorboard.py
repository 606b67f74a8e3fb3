"""A run as TensorBoard reads it, by TensorBoard's own record writer. It does not load torch or TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from tui_mm.runs.export_source import RunSnapshot, Sink, Steps
from tui_mm.runs.home import RunError
from tui_mm.text import printable

FILE = "events.out.tfevents.makemore-tui"
"""TensorBoard takes the files of a folder with "tfevents" in their names."""

_MARKUP = set("&<>|`*_[]()#!\\~")  # what Markdown or HTML would take for its own


def require_tensorboard() -> None:
    """Raises RunError where the package is missing."""
    try:
        import tensorboard.compat.proto.event_pb2
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ImportError as error:
        raise RunError(
            f"--to tensorboard: needs the package tensorboard ({error}); get it with: "
            "pip install 'makemore-tui[tensorboard]'"
        ) from None


def write_tensorboard(source: RunSnapshot, out: Sink) -> int:
    """Scalars ``loss`` and ``lr`` of every step, ``evaluation/train`` and ``evaluation/dev``; texts ``names`` (what the
    same seeds gave at each snapshot), ``samples``, ``configuration`` and ``events``. Returns how many steps there were.

    Raises RunError without the package.
    """
    require_tensorboard()
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.text.summary_v2 import text_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    records = RecordWriter(out)
    began = datetime.fromisoformat(str(source.get("created"))).timestamp()
    records.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())

    def keep(summary: Any, step: int, seconds: float) -> None:
        records.write(Event(wall_time=began + seconds, step=step, summary=summary).SerializeToString())

    def scalars(**values: float) -> Any:
        named = [(tag.replace("_", "/"), value) for tag, value in values.items()]
        return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in named])

    keep(text_pb("configuration", _table(source)), 0, 0.0)
    keep(text_pb("events", _preformatted(event.message for event in source.events())), 0, 0.0)
    names = _names(source)
    steps, seconds = 0, 0.0
    for item in source.history():
        if isinstance(item, Steps):
            rows = zip(item.losses.tolist(), item.lr.tolist(), item.seconds.tolist(), strict=True)
            for steps, (loss, lr, seconds) in enumerate(rows, item.first):
                keep(scalars(loss=loss, lr=lr), steps, seconds)
            continue
        seconds = item.seconds
        losses = {"evaluation_train": item.train} | ({} if item.dev is None else {"evaluation_dev": item.dev})
        keep(scalars(**losses), item.step, seconds)
        if item.step in names:
            keep(text_pb("names", names[item.step]), item.step, seconds)
    for step, drawn in groupby(source.drawn(), key=lambda row: row[0]):
        marked = (f"{s.text}  ({f'in {s.seen_in}' if s.seen_in else 'new'})" for _, _, s in drawn)
        keep(text_pb("samples", _preformatted(marked)), step, seconds)
    return steps


def _names(source: RunSnapshot) -> dict[int, str]:
    """By step; some hundreds at most."""
    return {
        step: _preformatted(str(each) for each in value)
        for step, kind, value in source.kept_snapshots()
        if kind == "names"
    }


def _table(source: RunSnapshot) -> str:
    """A table in Markdown: what TensorBoard makes one of."""
    meta = source.meta()
    facts = {"run": source.run.id, "name": meta.get("name"), "status": source.status}
    parts: tuple[Mapping[str, Any], ...] = (facts, meta["data"], meta["model"], meta["config"])
    rows = [(key, value) for part in parts for key, value in part.items() if value is not None]
    return "\n".join(["| | |", "|---|---|", *(f"| {_cell(key)} | {_cell(value)} |" for key, value in rows)])


def _cell(value: Any) -> str:
    return "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in printable(str(value)))


def _preformatted(lines: Iterator[str]) -> str:
    """Lines that Markdown leaves alone, whatever they hold."""
    return "\n".join(f"    {printable(line)}" for line in lines)
