"""The progress of a training: a bar on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import IO, Protocol

import numpy as np

from tui_mm.cli.output import say
from tui_mm.text import clock, nats, printable
from tui_mm.training.events import (
    Compiling,
    EngineChanged,
    EngineKept,
    Evaluating,
    Evaluation,
    Event,
    StepBlock,
    Warned,
)

_LINE_SECONDS = 2.0
_SMOOTHING_SECONDS = 2.0


class Display(Protocol):
    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __call__(self, event: Event) -> None:
        """Show an event."""

    def tell(self, line: str) -> None:
        """A line of its own."""

    def drop(self) -> None:
        """Nobody looks any more: show nothing from now on."""


class Meter:
    """What a line of progress says, gathered from the events."""

    def __init__(self, total: int, step: int = 0) -> None:
        self.total = total
        self.step = step
        self.loss = math.nan
        self.dev: float | None = None
        self.rate = math.nan  # steps a second of training, without evaluations
        self.note = ""
        self._first_step = step
        self._started = time.monotonic()
        self._train_seconds: float | None = None

    def take(self, event: Event) -> None:
        self.note = ""
        if isinstance(event, StepBlock):
            if self._train_seconds is not None and event.train_seconds > self._train_seconds:
                elapsed = event.train_seconds - self._train_seconds
                weight = 1 - math.exp(-elapsed / _SMOOTHING_SECONDS)
                mean = float(np.mean(event.losses))
                rate = len(event.losses) / elapsed
                self.loss = _blend(self.loss, mean, weight)
                self.rate = _blend(self.rate, rate, weight)
            self._train_seconds = event.train_seconds
            self.step = event.last_step
        elif isinstance(event, Evaluation):
            self.dev = event.dev
        elif isinstance(event, Evaluating):
            self.note = f"evaluating {event.split} {100 * event.done // event.total}%"
        elif isinstance(event, Compiling):
            self.note = "compiling"

    @property
    def seconds_left(self) -> float:
        """By the steps done so far, evaluations included."""
        done = self.step - self._first_step
        return (time.monotonic() - self._started) / done * (self.total - self.step) if done else math.nan

    def fields(self, *, brief: bool = False) -> str:
        """Loss, dev loss, speed, time left; ``brief`` leaves out the speed."""
        parts = [f"loss {nats(self.loss)}"] if math.isfinite(self.loss) else []
        parts += [f"dev {nats(self.dev)}"] if self.dev is not None else []
        parts += [f"{self.rate:,.0f} steps/s"] if math.isfinite(self.rate) and not brief else []
        parts += [f"{clock(self.seconds_left)} left"] if math.isfinite(self.seconds_left) else []
        return "  ".join([*parts, *([self.note] if self.note and not brief else [])])


class Lines:
    """At most one line every two seconds, and one at the end."""

    def __init__(self, meter: Meter, *, err: bool) -> None:
        self._meter = meter
        self._err = err
        self._told = -math.inf
        self._line = ""
        self._dropped = False

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._dropped:
            self._tell()

    def tell(self, line: str) -> None:
        say(printable(line), err=self._err)

    def drop(self) -> None:
        self._dropped = True

    def __call__(self, event: Event) -> None:
        self._meter.take(event)
        if line := _line_of(event):
            self.tell(line)
        elif time.monotonic() - self._told >= _LINE_SECONDS and math.isfinite(self._meter.rate):
            self._tell()

    def _tell(self) -> None:
        m = self._meter
        line = f"step {m.step:,}/{m.total:,} {100 * m.step // max(1, m.total)}%  {m.fields()}"
        if line != self._line:
            say(line, err=self._err)
        self._told, self._line = time.monotonic(), line


class Bar:
    """A progress bar, repainted at most five times a second."""

    def __init__(self, meter: Meter, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            TaskProgressColumn,
            TextColumn,
        )

        console = Console(file=stream, highlight=False)
        self._meter = meter
        self._width = console.width
        columns: list[ProgressColumn] = [
            BarColumn(bar_width=None, complete_style="cyan", finished_style="cyan"),
            TaskProgressColumn(),
            TextColumn("{task.fields[line]}", markup=False),
        ]
        if self._width >= 100:
            columns.insert(0, MofNCompleteColumn())
        self._progress = Progress(*columns, console=console, auto_refresh=False, expand=True)
        self._task = self._progress.add_task("", total=meter.total, completed=meter.step, line="")
        self._painted = -math.inf
        self._dropped = False

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._dropped:
            self._paint()
            self._progress.stop()

    def tell(self, line: str) -> None:
        self._progress.console.print(printable(line), markup=False)

    def drop(self) -> None:
        self._dropped = True

    def __call__(self, event: Event) -> None:
        self._meter.take(event)
        if line := _line_of(event):
            self.tell(line)
        if time.monotonic() - self._painted >= 0.2:
            self._paint()

    def _paint(self) -> None:
        self._progress.update(self._task, completed=self._meter.step, line=self._meter.fields(brief=self._width < 80))
        self._progress.refresh()
        self._painted = time.monotonic()


def _line_of(event: Event) -> str:
    """What is told of an event in a line of its own; "" for most."""
    if isinstance(event, Warned):
        return f"warning: {event.message}"
    if isinstance(event, EngineChanged | EngineKept) or (isinstance(event, Compiling) and event.is_first):
        return event.message
    return ""


def make_display(total: int, step: int, *, as_json: bool) -> Display:
    """A bar if what it is written to is a terminal; with --json that is standard error."""
    import sys

    meter = Meter(total, step)
    stream = sys.stderr if as_json else sys.stdout
    return Bar(meter, stream) if stream.isatty() else Lines(meter, err=as_json)


def _blend(old: float, new: float, weight: float) -> float:
    return new if math.isnan(old) else old + weight * (new - old)
