"""``python -m benchmarks.dashboard``: the dashboard in a real terminal, against what it has to keep."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.report import report
from benchmarks.row import Row, Target
from benchmarks.terminal import TerminalError, without_terminal
from benchmarks.timing import interleaved
from benchmarks.viewer import Title, Viewer, steps_done, steps_per_second, wait_for_steps
from data.catalog import load
from tui_mm.compiler.cxx import has_compiler

_ENDLESS = ("--steps", "10000000", "--threads", "1", "--device", "cpu", "--engine", "eager")
_COMPILED = ("lecture", "compiled")  # the fastest there is
_USUAL, _NARROW, _WIDE = (120, 40), (80, 24), (200, 60)
_PRESETS = ("lecture", "default")
_LETTERS = "abcdefghijklmnoprstuvwxyz"
_WORD = 5  # letters typed in a row, then deleted
_BACKSPACE = "\x7f"
_SEED = 7
_TURNS = 4


@dataclass(frozen=True)
class Plan:
    """How often and how long; seconds."""

    repeats: int
    seconds: float
    """Of a window of training at full speed."""
    keys: int = 100
    warm_up: float = 3.0
    settle: float = 1.0
    """Between a dashboard that opens or closes, and a window."""
    byte_window: float = 20.0
    idle_window: float = 10.0
    quiet: float = 3.0
    """Without a byte, before a window in which none is to come."""
    turns: int = _TURNS
    """Of the cost, in a repeat."""
    presets: tuple[str, ...] = _PRESETS
    compiles: bool = True
    """Where there is a C++ compiler."""

    @property
    def trainings(self) -> list[tuple[str, str]]:
        """Presets and engines."""
        compiled = [_COMPILED] if self.compiles and has_compiler() else []
        return [*((preset, "eager") for preset in self.presets), *compiled]


def starts(plan: Plan) -> list[Row]:
    words = f"{len(load('names', cache=Path())):,}"
    painted, counted = [], []
    for number in range(plan.repeats + 1):
        with _home() as home, Viewer([], home, *_USUAL) as viewer:
            paint = viewer.until_painted() - viewer.started
            count = viewer.until_shows(words) - viewer.started
        if number:  # the first one compiles and fills the page cache
            painted.append(paint)
            counted.append(count)
    how = f"from before the program is executed, {plan.repeats} starts, each a process and a home of its own"
    return [
        Row("first paint", "s", painted, target=Target("limit", 0.6), note=f"the head line is on the screen; {how}"),
        Row("words counted", "s", counted, target=Target("limit", 1.0), note=f"{words} in the Dataset panel; {how}"),
    ]


def keys(plan: Plan) -> list[Row]:
    rows = []
    for preset in plan.presets:
        for name, latencies in (("letter", _typed(plan, preset)), ("panel key", _switched(plan, preset))):
            note = f"preset {preset} at full speed; {len(latencies)} keys at random moments, from the key to the bytes"
            title = f"{name} to screen, {preset}"
            rows += [
                Row(f"{title}, p50", "s", latencies, note=note, quantile=0.5),
                Row(f"{title}, p95", "s", latencies, target=Target("limit", 0.1), note=note, quantile=0.95),
            ]
    return rows


def _typed(plan: Plan, preset: str) -> list[float]:
    """Letters into the sampling console and backspaces, at 120x40."""
    draw = random.Random(_SEED)
    typed = "m"
    latencies: list[float] = []
    with _home() as home, Viewer(["--preset", preset, *_ENDLESS], home, *_USUAL) as viewer:
        viewer.until_ready()
        y, x = viewer.find_input(typed)
        viewer.train_by_inbox()
        grows = True
        while len(latencies) < plan.keys:
            key = draw.choice([c for c in _LETTERS if c != typed[-1]]) if grows else _BACKSPACE
            typed = typed + key if grows else typed[:-1]
            _wait(draw)
            latencies.append(viewer.latency(key, partial(_reads, viewer, y, x, f"{typed} "), f"{typed!r} in the input"))
            grows = len(typed) <= 1 or (grows and len(typed) <= _WORD)
    return latencies


def _switched(plan: Plan, preset: str) -> list[float]:
    """From panel to panel at 80x24, where one is shown at a time."""
    draw = random.Random(_SEED)
    latencies: list[float] = []
    with _home() as home, Viewer(["--preset", preset, *_ENDLESS], home, *_NARROW) as viewer:
        viewer.until_ready()
        titles = viewer.panel_titles()
        viewer.press("t")
        viewer.until_running()
        while len(latencies) < plan.keys:
            _wait(draw)
            viewer.catch_up()
            key, title = draw.choice([(k, t) for k, t in titles.items() if t != viewer.panel_title()])
            latencies.append(viewer.latency(key, partial(_shows, viewer, title), f"the panel of key {key}"))
    return latencies


def _reads(viewer: Viewer, y: int, x: int, text: str) -> bool:
    return viewer.row(y)[x:].startswith(text)


def _shows(viewer: Viewer, title: Title) -> bool:
    return viewer.panel_title() == title


def _wait(draw: random.Random) -> None:
    """A moment that no timer of the dashboard knows: 50 to 400 ms."""
    time.sleep(min(0.4, 0.05 + draw.expovariate(1 / 0.12)))


def cost(plan: Plan) -> list[Row]:
    """One training without the dashboard, to which one is opened and closed again and again: windows a few seconds
    apart have the same process and much the same machine."""
    rows = []
    turns = plan.repeats * plan.turns
    for preset, engine in plan.trainings:
        arguments = ["--preset", preset, *_ENDLESS, "--engine", engine]
        with _home() as home, without_terminal(["train", "--json", *arguments], home) as training:
            wait_for_steps(home, training)
            time.sleep(plan.warm_up)
            pair = interleaved(partial(_alone, plan, home), partial(_watched, plan, home), turns)
        ratios = sorted(a / b for a, b in zip(pair.ours, pair.reference, strict=True))
        low, high = ratios[turns // 4], ratios[-1 - turns // 4]
        note = (
            f"preset {preset}, {engine} engine, one thread, 120x40; steps by the wall clock in {turns} windows of "
            f"{plan.seconds:g} s, 'makemore-tui attach' to a 'makemore-tui train' that is alone in the windows "
            f"between; half of the turns are from {low:.3f} to {high:.3f}"
        )
        title = f"training while watched, {preset}{'' if engine == 'eager' else ' compiled'}"
        rows.append(Row(title, "steps/s", pair.ours, pair.reference, Target("ratio", 0.97), note))
    return rows


def _alone(plan: Plan, home: Path) -> float:
    return steps_per_second(home, plan.seconds, plan.settle)


def _watched(plan: Plan, home: Path) -> float:
    with Viewer(["attach", "last"], home, *_USUAL) as viewer:
        viewer.until_running()
        return steps_per_second(home, plan.seconds, plan.settle)


def sent(plan: Plan) -> list[Row]:
    """Bytes to the terminal while it trains, and what the two processes take."""
    # the lecture's way of evaluating, without an end
    arguments = ["--preset", "lecture", "--eval-every", "10000", *_ENDLESS]
    rows, processes = [], []
    for size, limit in ((_NARROW, None), (_USUAL, 10), (_WIDE, 20)):
        name = "{}x{}".format(*size)
        with _home() as home, Viewer(arguments, home, *size) as viewer:
            viewer.until_ready()
            viewer.press("t")
            viewer.until_running()
            time.sleep(plan.warm_up)
            before, first = _cpu_seconds(viewer), steps_done(home)
            pace = viewer.bytes_in(plan.byte_window) / plan.byte_window / 1000
            busy = (_cpu_seconds(viewer) - before) / plan.byte_window
            done = steps_done(home) - first
            worker = max(viewer.process.children(recursive=True), key=lambda child: child.memory_info().rss)
            memory = [process.memory_info().rss / 1e6 for process in (viewer.process, worker)]
        window = f"preset lecture, {plan.byte_window:g} s ({done:,} steps) from {plan.warm_up:g} s on"
        target = None if limit is None else Target("limit", limit)
        rows.append(Row(f"to the terminal, {name}", "KB/s", [pace], target=target, note=f"{window}; KB are 1,000 B"))
        processes.append(
            Row(f"dashboard's processor, {name}", "%", [100 * busy], note=f"of one core, user and system; {window}")
        )
        if size == _WIDE:
            for process, resident in zip(("dashboard", "worker"), memory, strict=True):
                processes.append(Row(f"memory of the {process}, {name}", "MB", [resident], note=f"resident; {window}"))
    return rows + processes


def idle(plan: Plan) -> list[Row]:
    """Bytes to the terminal when nothing goes on."""
    counts = {}
    with _home() as home, Viewer(["--preset", "lecture", *_ENDLESS], home, *_USUAL) as viewer:
        viewer.until_ready()
        counts["before a training"] = _quiet_bytes(plan, viewer)
        viewer.press("t")
        viewer.until_running()
        time.sleep(plan.warm_up)
        viewer.press(" ")
        viewer.until_says("▮▮ paused")
        counts["paused"] = _quiet_bytes(plan, viewer)
    with _home() as home, Viewer(["--preset", "lecture", *_ENDLESS, "--steps", "500"], home, *_USUAL) as viewer:
        viewer.until_ready()
        viewer.press("t")
        viewer.until_says("✓ done")
        counts["done"] = _quiet_bytes(plan, viewer)
    return [
        Row(
            f"to the terminal, {when}",
            "bytes",
            [count],
            target=Target("limit", 0),
            note=f"120x40, in {plan.idle_window:g} s after {plan.quiet:g} s without a byte",
        )
        for when, count in counts.items()
    ]


def _quiet_bytes(plan: Plan, viewer: Viewer) -> float:
    viewer.until_quiet(plan.quiet)  # if it never is, the window tells
    return viewer.bytes_in(plan.idle_window)


def _cpu_seconds(viewer: Viewer) -> float:
    times = viewer.process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="makemore-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


GROUPS = {"starts": starts, "keys": keys, "cost": cost, "sent": sent, "idle": idle}


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 also when a target is not met, 1 when the dashboard did not do what it should."""
    arguments = _parser().parse_args(argv)
    plan = Plan(arguments.repeats, arguments.seconds)
    if arguments.quick:
        plan = Plan(1, 0.5, 4, 0.2, 0.1, 0.5, 0.5, 0.3, 2, ("lecture",), compiles=False)
    load_before = os.getloadavg()[0]
    rows: list[Row] = []
    try:
        for name in arguments.only or GROUPS:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            rows += GROUPS[name](plan)
    except TerminalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    facts = {"load_before": load_before, "repeats": plan.repeats, "quick": arguments.quick}
    report(rows, facts, f"; load before {load_before:.1f}", as_json=arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard",
        description="Drives the dashboard in a real terminal and measures it. Takes twenty minutes.",
    )
    parser.add_argument(
        "--repeats", type=int, choices=range(1, 100), default=5, metavar="N", help="of starts and of cost (default: 5)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=4.0,
        metavar="S",
        help=f"of a window of cost, {_TURNS} a repeat (default: 4)",
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="short and few: to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON, with what every repeat measured")
    return parser


if __name__ == "__main__":
    sys.exit(main())
