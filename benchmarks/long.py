"""``python -m benchmarks.long``: a long training with the dashboard open, and whether anything grows with it."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.report import report
from benchmarks.row import Row, Target, markdown
from benchmarks.terminal import TerminalError
from benchmarks.viewer import Viewer
from tui_mm.runs.home import Home
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.run import Run, find_run

_STEPS, _FIRST = 2_000_000, 20_000
_QUICK = 2_000
_EVAL_EVERY = 10_000  # as the lecture does
_SHOWN = 20  # moments along the way
_FLAT = 1.1  # times as much at the end as at first
_POLL_S = 0.1
_STALLED_S = 120.0  # without a step
_SIZE = (120, 40)


@dataclass(frozen=True)
class Moment:
    """Resident bytes of both processes when so many steps were done; seconds since the first."""

    steps: int
    seconds: float
    worker: int
    dashboard: int


@dataclass(frozen=True)
class Long:
    """What was seen of a training. Bytes of its store (the database and its log) and of the whole run folder."""

    moments: Sequence[Moment]
    steps: int
    eval_every: int
    store_bytes: int
    run_bytes: int

    @property
    def first(self) -> Moment:
        return self.moments[0]

    @property
    def last(self) -> Moment:
        return self.moments[-1]


def watch(steps: int, first: int) -> Long:
    """Train so many steps of the lecture's model under an open dashboard; the first moment comes after ``first``.

    Raises TerminalError when the dashboard ends, or no more steps come.
    """
    eval_every = min(_EVAL_EVERY, first)
    arguments = ["--preset", "lecture", "--steps", str(steps), "--eval-every", str(eval_every)]
    with (
        tempfile.TemporaryDirectory(prefix="makemore-bench-", ignore_cleanup_errors=True) as folder,
        Viewer([*arguments, "--threads", "1", "--device", "cpu"], Path(folder), *_SIZE) as viewer,
    ):
        viewer.until_ready()
        viewer.press("t")
        run = find_run(Home(Path(folder)), "last")
        moments = _follow(viewer, run, steps, first)
        files = [path for path in run.folder.iterdir() if path.is_file()]
        sizes = {path.name: path.stat().st_size for path in files}
    kept = sum(size for name, size in sizes.items() if name.startswith("run.db"))
    return Long(moments, steps, eval_every, kept, sum(sizes.values()))


def _follow(viewer: Viewer, run: Run, steps: int, first: int) -> list[Moment]:
    moments: list[Moment] = []
    due = first
    seen, seen_at = 0, time.monotonic()
    started: float | None = None
    with run.store() as store:
        while True:
            viewer.catch_up()  # tells if the program has ended
            status = run.status_in(store)
            done = store.steps
            now = time.monotonic()
            if done > seen:
                started = now if started is None else started
                seen, seen_at = done, now
            elif now - seen_at > _STALLED_S:
                raise TerminalError(f"no step came for {_STALLED_S:g} s after {done:,}; the screen:\n{viewer.text()}")
            ended = status not in ("created", *AT_WORK)
            if started is not None and (done >= due or ended):
                if ended:
                    viewer.until_quiet(1.0)
                moments.append(Moment(done, now - started, _resident(store.get("pid")), _resident(viewer.process.pid)))
                print(f"  {done:,} of {steps:,} steps", file=sys.stderr, flush=True)
                due = max(due, done) + max(1, steps // _SHOWN)
            if ended:
                break
            time.sleep(_POLL_S)
    if done < steps:
        raise TerminalError(f"the training ended as {status} after {done:,} of {steps:,} steps")
    return moments


def _resident(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


def rows_of(found: Long) -> list[Row]:
    """The rows: memory of both at the end against that at first, the store, the time."""
    first, last = found.first, found.last
    rows = [
        Row(
            f"memory of the {name}, {found.steps:,} steps",
            "MB",
            [getattr(last, name) / 1e6],
            [getattr(first, name) / 1e6],
            Target("growth", _FLAT),
            f"resident, at the end; the reference is the same process after {first.steps:,} steps; at most "
            f"{max(getattr(each, name) for each in found.moments) / 1e6:.0f} MB on the way",
        )
        for name in ("worker", "dashboard")
    ]
    steps = last.steps - first.steps
    seconds = last.seconds - first.seconds
    rate = steps / seconds if seconds > 0 else math.nan
    return [
        *rows,
        Row(
            f"store, {found.steps:,} steps",
            "MB",
            [found.store_bytes / 1e6],
            note=f"{found.store_bytes / found.steps:.1f} bytes a step, with every step's loss, evaluations, samples "
            f"and snapshots; the whole run folder has {found.run_bytes / 1e6:.1f} MB",
        ),
        Row(
            f"time, {found.steps:,} steps",
            "s",
            [last.seconds],
            note=f"preset lecture, one thread, an evaluation every {found.eval_every:,} steps, dashboard at "
            f"120x40; {rate:,.0f} steps/s",
        ),
    ]


def way(moments: Sequence[Moment]) -> str:
    """The moments as a table."""
    headings = ("steps", "time", "worker", "dashboard")
    cells = [
        (f"{m.steps:,}", f"{m.seconds:,.0f} s", f"{m.worker / 1e6:.1f} MB", f"{m.dashboard / 1e6:.1f} MB")
        for m in moments
    ]
    return markdown(headings, cells)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 also when a target is not met, 1 when the training did not come to its end."""
    arguments = _parser().parse_args(argv)
    steps = _QUICK if arguments.quick else arguments.steps
    load_before = os.getloadavg()[0]
    print(f"training {steps:,} steps ...", file=sys.stderr, flush=True)
    try:
        found = watch(steps, min(_FIRST, steps // 4))
    except TerminalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    facts = {"load_before": load_before, "quick": arguments.quick, "moments": [vars(m) for m in found.moments]}
    about = f"; load before {load_before:.1f}"
    report(rows_of(found), facts, about, as_json=arguments.json, below=way(found.moments))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long",
        description="Trains two million steps with the dashboard open, and measures what grows. Takes ten minutes.",
    )
    parser.add_argument(
        "--steps", type=_steps, default=_STEPS, metavar="N", help=f"of the training (default: {_STEPS:,})"
    )
    parser.add_argument("--quick", action="store_true", help="a few thousand steps: to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON, with every moment")
    return parser


def _steps(text: str) -> int:
    if not text.isdecimal() or int(text) < 2 * _FIRST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed; give a whole number from {2 * _FIRST:,} on, or --quick"
        )
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
