"""``python -m benchmarks.ssh``: what the dashboard sends through OpenSSH on the loopback interface, while it trains and
while it does not."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import report
from benchmarks.row import Row, Target
from benchmarks.sshd import Line, Server, missing
from benchmarks.terminal import TerminalError
from benchmarks.viewer import Viewer

_ENDLESS = ("--preset", "lecture", "--eval-every", "10000", "--steps", "10000000", "--threads", "1", "--device", "cpu")
_SIZES = ((80, 24), (120, 40), (200, 60))
_NARROW_PANELS = "27"  # Loss and Layers, one at a time


@dataclass(frozen=True)
class Plan:
    """Seconds."""

    training: float = 20.0
    idle: float = 10.0
    warm_up: float = 5.0
    quiet: float = 3.0
    """Without a byte, before a window in which none is to come."""


@dataclass(frozen=True)
class _Carried:
    """Bytes: of the terminal's text, and of TCP's payload to the person and to the server."""

    text: int
    down: int
    up: int

    def since(self, before: _Carried) -> _Carried:
        return _Carried(self.text - before.text, self.down - before.down, self.up - before.up)


class _Watched:
    """The dashboard at the end of a line."""

    def __init__(self, viewer: Viewer, line: Line) -> None:
        self.viewer, self._line = viewer, line

    def carried(self) -> _Carried:
        return _Carried(self.viewer.received, self._line.down, self._line.up)

    def within(self, seconds: float) -> _Carried:
        before = self.carried()
        time.sleep(seconds)
        return self.carried().since(before)


def measure(plan: Plan, size: tuple[int, int], *, compressed: bool) -> list[Row]:
    """One dashboard's life over a line."""
    rows: list[Row] = []
    name = "{}x{}".format(*size) + (", ssh -C" if compressed else "")
    with _watch(size, compressed=compressed) as watched:
        viewer = watched.viewer
        viewer.until_ready()
        viewer.until_quiet(plan.quiet)
        rows += _bytes("opening", name, watched.carried(), "until all panels are there; with ssh's own handshake")
        quiet = watched.within(plan.idle)
        rows += _none(f"before a training, {name}", quiet, plan)
        viewer.press("t")
        viewer.until_running()
        time.sleep(plan.warm_up)
        carried = watched.within(plan.training)
        for what, count in (("text", carried.text), ("to the person", carried.down), ("to the server", carried.up)):
            note = f"preset lecture, {plan.training:g} s from {plan.warm_up:g} s on"
            rows.append(Row(f"training: {what}, {name}", "KB/s", [count / plan.training / 1000], note=note))
        viewer.press(" ")
        viewer.until_says("▮▮ paused")
        viewer.until_quiet(plan.quiet)
        rows += _none(f"paused, {name}", watched.within(plan.idle), plan)
        before = watched.carried()
        for key in _NARROW_PANELS:
            viewer.press(key)
            viewer.until_quiet(plan.quiet)
        rows += _bytes("two panel keys", name, watched.carried().since(before), "and what they show")
        viewer.press("x")
        viewer.until_says("stopped")
    return rows


def _bytes(what: str, name: str, carried: _Carried, note: str) -> list[Row]:
    counts = (("text", carried.text), ("to the person", carried.down), ("to the server", carried.up))
    return [Row(f"{what}: {which}, {name}", "bytes", [count], note=note) for which, count in counts]


def _none(name: str, carried: _Carried, plan: Plan) -> list[Row]:
    note = f"both ways, in {plan.idle:g} s after {plan.quiet:g} s without a byte"
    return [Row(name, "bytes", [carried.down + carried.up], target=Target("limit", 0), note=note)]


@contextmanager
def _watch(size: tuple[int, int], *, compressed: bool) -> Iterator[_Watched]:
    with (
        tempfile.TemporaryDirectory(prefix="makemore-bench-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="makemore-bench-", ignore_cleanup_errors=True) as home,
        Server(Path(folder)) as server,
        Line(server.port) as line,
    ):
        program = server.program(Path(home), port=line.port, options=("-C",) if compressed else ())
        with Viewer(_ENDLESS, Path(home), *size, program=program) as viewer:
            yield _Watched(viewer, line)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 also when a target is not met, 1 when the dashboard did not do what it should, 2 when
    OpenSSH is not there."""
    arguments = _parser().parse_args(argv)
    if fault := missing():
        print(f"error: {fault}", file=sys.stderr)
        return 2
    plan = Plan(0.5, 0.5, 0.2, 0.3) if arguments.quick else Plan(arguments.seconds)
    load_before = os.getloadavg()[0]
    rows: list[Row] = []
    try:
        for size in _SIZES[:1] if arguments.quick else _SIZES:
            for compressed in (False, True):
                print(f"measuring {size[0]}x{size[1]}{' -C' * compressed} ...", file=sys.stderr, flush=True)
                rows += measure(plan, size, compressed=compressed)
    except TerminalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    facts = {"load_before": load_before, "quick": arguments.quick}
    notes = dict.fromkeys(f"{row.name.split(':')[0].split(',')[0]}: {row.note}" for row in rows)
    report(rows, facts, f"; load before {load_before:.1f}", as_json=arguments.json, notes=notes)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ssh",
        description="Drives the dashboard through ssh on this machine and counts the bytes. Takes some five minutes.",
    )
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of training (default: 20)")
    parser.add_argument("--quick", action="store_true", help="short and few: to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
