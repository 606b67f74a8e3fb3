"""`logs`: what happened to a run, and what its worker printed."""

from __future__ import annotations

import json
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click

from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option
from tui_mm.cli.output import say
from tui_mm.runs.export_jsonl import event_line
from tui_mm.runs.export_source import damage_named
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.run import Run, find_run
from tui_mm.runs.store import EventRow, RunStore
from tui_mm.signals import StopRequest, stop_on_signals
from tui_mm.text import printable
from tui_mm.worker.client import LOG

T = TypeVar("T")
_LOOK_SECONDS = 0.1
_LONGEST = 1 << 14  # bytes; a line beyond comes in parts


@click.command(
    "logs",
    cls=PagedCommand,
    short_help="What happened to a run, and what its worker printed.",
    examples=(
        ("makemore-tui logs last", "of the newest run"),
        ("makemore-tui logs baseline --follow --lines 10", "the last lines, and what comes, until the run ends"),
        ("makemore-tui logs 3f --json | jq .message", "for another program"),
    ),
)
@click.argument("reference", metavar="RUN")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the run ends or Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "most",
    type=click.IntRange(0),
    metavar="N",
    help="Begin with the last N events and the last N lines of worker.log [default: all].",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
@home_option
def logs_command(reference: str, follow: bool, most: int | None, as_json: bool, home: Home) -> int:
    """Show the events of a run with their times, then the lines of its worker.log, which have none.

    The worker's lines are its warnings and the tracebacks of its faults; with --follow they come as they are printed.
    """
    run = find_run(home, reference)
    printer = _Printer(as_json=as_json)
    try:
        with damage_named(run), run.store() as store:
            log = _WorkerLog(run.folder / LOG)
            events = store.events()
            printer.events(_last(events, most))
            printer.lines(_last(log.lines(rest=not follow), most))
            if follow:
                with stop_on_signals(signal.SIGINT) as stop:
                    _follow(run, store, log, printer, len(events), stop)
                if stop():
                    return stop.exit_code
            else:
                _tell(run, run.status_in(store))
            if not printer.has_said:
                say(f"run {run.id}: nothing has happened to it yet", err=True)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _follow(run: Run, store: RunStore, log: _WorkerLog, printer: _Printer, shown: int, stop: StopRequest) -> None:
    """Print what comes until the run ends or ``stop`` says so: an exception would be lost that comes while a lock is
    taken away. Raises RunError when the run is deleted meanwhile."""
    changes, said = -1, ""
    while not stop():
        before = said
        try:
            now = store.changes()
            # looked at before what there is to show, so that nothing that came before the end is left out
            if now != changes or run.judge(said) != said:  # a lock can come free without a word in the store: a crash
                said = run.status_in(store)
            ended = said not in AT_WORK and not (said == "created" and run.is_live())
            if now != changes or ended:
                new = store.events(after=shown)
                printer.events(new)
                shown += len(new)
            changes = now
        except (RunError, OSError):
            _require(run)
            raise
        _require(run)
        printer.lines(log.lines(rest=ended))
        if said != before:
            _tell(run, said)
        if ended:
            return
        time.sleep(_LOOK_SECONDS)


def _tell(run: Run, status: str) -> None:
    """What no event says, on standard error: that it waits or has crashed."""
    if status == "waiting" and (notice := run.notice()) is not None:
        say(f"makemore-tui: run {run.id} waits: {printable(notice.message)}", err=True)
    elif status == "crashed":
        line = f"run {run.id} has crashed: whoever trained it is gone; go on with: makemore-tui resume {run.id}"
        say(f"makemore-tui: {line}", err=True)


def _require(run: Run) -> None:
    if not (run.folder / "run.db").exists():
        raise RunError(f"run {run.id}: was deleted while its log was followed")


def _last(rows: Iterable[T], most: int | None) -> Iterable[T]:
    return rows if most is None else deque(rows, maxlen=most)


class _WorkerLog:
    """The lines of a file that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def lines(self, *, rest: bool) -> Iterator[str]:
        """Those that are new and whole; with ``rest`` the last one too, if it was begun."""
        if not self._path.is_file() or self._path.is_symlink():  # in the foreground there is none
            return
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._at:  # begun anew
                    self._at = 0
                file.seek(self._at)
                while line := file.readline(_LONGEST):
                    if not line.endswith(b"\n") and len(line) < _LONGEST and not rest:
                        return
                    self._at += len(line)
                    yield line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        except OSError as error:
            raise RunError(f"{self._path}: cannot be read ({error.strerror}); see its permissions") from None


class _Printer:
    """Lines on standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.has_said = False

    def events(self, events: Iterable[EventRow]) -> None:
        for event in events:
            if self._as_json:
                self._say(json.dumps(event_line(event), allow_nan=False))
            else:
                asked = f"{event.sender}: " if event.sender else ""
                self._say(f"{_when(event.time)}  {printable(asked + event.message)}")

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            if self._as_json:
                self._say(json.dumps({"kind": "worker_log", "line": line}))
            else:
                self._say(f"{LOG:<19}  {printable(line)}")

    def _say(self, text: str) -> None:
        self.has_said = True
        say(text)


def _when(at: float) -> str:
    """As `runs show` writes it, 19 characters."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
