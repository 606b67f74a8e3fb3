"""What a race looks like: two lanes that move on a terminal, a line for each lap anywhere, and the result drawn to
scale."""

from __future__ import annotations

import math
import os
import sys
import textwrap
import time
from collections.abc import Sequence
from statistics import median
from types import TracebackType
from typing import IO, Any, Protocol

from tui_mm.cli.output import say
from tui_mm.config import RunConfig
from tui_mm.experiments.race import Lap, Race, Scene
from tui_mm.experiments.side import Said
from tui_mm.text import nats, printable

_PAINT_SECONDS = 0.1
_NAMES = ("notebook", "speedrun")
_COLORS = ("yellow", "cyan")
_SAID_WIDTH = 44  # columns of a lane beside its bar
_MIN_BAR = 10
_HEADINGS = ("seed", "cold start", "from words", "dev", "notebook", "it is then at", "ratio")
_WIDTHS = (4, 11, 10, 7, 9, 14, 8)


class Display(Protocol):
    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __call__(self, scene: Scene) -> None:
        """Show who is where."""

    def tell(self, line: str) -> None:
        """A line that stays."""


class Lines:
    """The lines that stay, and nothing else."""

    def __init__(self, *, err: bool) -> None:
        self._err = err

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, scene: Scene) -> None:
        return

    def tell(self, line: str) -> None:
        say(line, err=self._err)


class Lanes:
    """Two lanes below the lines that stay, painted at most ten times a second; they go when the race is over."""

    def __init__(self, race: Race, stream: IO[str], *, ascii_only: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._race = race
        self._ascii_only = ascii_only
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._painted = -math.inf

    def __enter__(self) -> Lanes:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tell(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)

    def __call__(self, scene: Scene) -> None:
        if time.monotonic() - self._painted < _PAINT_SECONDS:
            return
        self._painted = time.monotonic()
        self._live.update(self._picture(scene), refresh=True)

    def _picture(self, scene: Scene) -> Any:
        from rich.text import Text

        picture = Text(no_wrap=True, overflow="crop")
        lanes = lanes_of(scene, self._race)
        width = max(_MIN_BAR, self._console.width - _SAID_WIDTH - len(_NAMES[0]) - 3)
        for name, color, (share, said) in zip(_NAMES, _COLORS, lanes, strict=True):
            full, rest = bar(share, width, ascii_only=self._ascii_only)
            picture.append(f"{name} ").append(full, color).append(rest, "dim").append(f"  {said}\n")
        picture.right_crop(1)
        return picture


def make_display(race: Race, *, as_json: bool, ascii_only: bool) -> Display:
    """Lanes if what it is written to is a terminal that can move its cursor; with --json that is standard error."""
    stream = sys.stderr if as_json else sys.stdout
    moves = stream.isatty() and os.environ.get("TERM") != "dumb"
    return Lanes(race, stream, ascii_only=ascii_only) if moves else Lines(err=as_json)


def lanes_of(scene: Scene, race: Race) -> tuple[tuple[float, str], tuple[float, str]]:
    """Of the notebook and of ours: the share of its steps that is done, and what stands beside the bar."""
    return (
        _lane(scene.notebook, race.notebook_config.steps, _notebook_time(scene.notebook, race)),
        _lane(scene.ours, race.config.total_steps, f"{scene.lap_seconds:.1f} s" if scene.seed else ""),
    )


def _notebook_time(said: Said, race: Race) -> str:
    """Of all its steps, by those of this turn; of the turns before, where it is asked for something else."""
    if said.rate:
        return f"all: {race.notebook_config.steps / said.rate:,.0f} s"
    return f"all: {race.notebook_seconds:,.0f} s" if race.turns else ""


def _lane(said: Said, steps: int, clock: str) -> tuple[float, str]:
    loss = "" if said.loss is None else f"loss {nats(said.loss)}"
    loss = loss if said.dev is None else f"dev {nats(said.dev)}"
    doing = said.doing or (f"step {said.step:,}" if said.step else "")
    return min(1.0, said.step / steps), f"{doing:<17} {loss:<11} {clock}".rstrip()


def bar(share: float, width: int, *, ascii_only: bool) -> tuple[str, str]:
    """What is full of so many columns, and the rest, in half columns where the terminal has them. What is more than
    nothing is never drawn as nothing."""
    halves = min(2 * width, max(round(2 * width * share), int(share > 0)))
    if ascii_only:
        full = "=" * ((halves + 1) // 2)
        return full, "-" * (width - len(full))
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    return full, "─" * (width - len(full))


def introduction(race: Race, words: str, why: str, how: str, width: int) -> list[str]:
    """What is raced, why to this loss, and how the notebook is timed; lines of at most ``width`` columns."""
    n, c = race.notebook_config, race.config
    sizes = f"mlp {c.block_size} letters, {c.embedding}/{c.hidden}" if c.model == "mlp" else c.model
    steps = "counted" if c.counts else f"{c.steps:,} steps of {c.batch_size or 'all'}, {c.optimizer}, lr {c.lr:g}"
    paragraphs = [
        f"First to a dev loss of {race.target:.4g}{why and f', {why}'}, on {words}.",
        f"notebook: mlp {n.block_size} letters, {n.embedding}/{n.hidden}, {_threads(n)}; {n.steps:,} steps of "
        f"{n.batch_size}, sgd, lr {n.lr:g}, then {n.lr * n.decay_factor:g}. Timed: its steps alone, {how}.",
        f"speedrun: {sizes}, {_threads(c)}; {steps}{'' if c.counts else f' {c.schedule}'}. Timed: a new process, from "
        "its start to its evaluation over the whole dev split.",
    ]
    return [line for paragraph in paragraphs for line in textwrap.wrap(printable(paragraph), width)]


def _threads(config: RunConfig) -> str:
    threads = {0: "threads by size", 1: "one thread"}.get(config.threads, f"{config.threads} threads")
    return threads if config.device == "cpu" else f"{threads}, on {config.device}"


def heading() -> str:
    return _row(_HEADINGS)


def lap_row(lap: Lap, notebook_steps: int) -> str:
    """A lap as a line of the table; where the notebook is when ours is there, too."""
    if lap.seconds is None or lap.from_words is None or lap.ratio is None:
        return _row((str(lap.seed), "not reached", "", nats(lap.dev), f"{lap.notebook:.1f} s", "", ""))
    at = min(notebook_steps, int(notebook_steps / lap.ratio))
    return _row(
        (
            str(lap.seed),
            f"{lap.seconds:.2f} s",
            f"{lap.from_words:.2f} s",
            nats(lap.dev),
            f"{lap.notebook:.1f} s",
            f"step {at:,}",
            f"{lap.ratio:.1f} x",
        )
    )


def _row(cells: Sequence[str]) -> str:
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def finish(race: Race, width: int, *, ascii_only: bool, notebook_dev: float | None) -> list[str]:
    """The times drawn to scale: the notebook's, and the median of ours."""
    reached = [lap.seconds for lap in race.laps if lap.seconds is not None]
    if not reached:
        return []
    times = (race.notebook_seconds, median(reached))
    said = [f"{seconds:.2f} s" for seconds in times]
    if notebook_dev is not None:
        said[0] += f", dev {nats(notebook_dev)}"
    columns = max(_MIN_BAR, width - len(_NAMES[0]) - 3 - max(map(len, said)))
    lines = []
    for name, seconds, text in zip(_NAMES, times, said, strict=True):
        full, _ = bar(seconds / max(times), columns, ascii_only=ascii_only)
        lines.append(f"{name} {full}  {text}")
    return lines


def verdict(race: Race, seeds: int) -> str:
    """The ratio by the median and of the worst seed, and how many reached the target."""
    ratios, run = ratios_of(race), len(race.laps)
    if not ratios:
        best = min((lap.dev for lap in race.laps), default=math.inf)
        return f"none of {_seeds(run)} reached {race.target:.4g}; the best dev loss was {nats(best)}"
    worst = min(ratios, key=lambda seed: ratios[seed])
    reached = f"all {_seeds(seeds)}" if len(ratios) == seeds else f"{len(ratios)} of {_seeds(run)}"
    return (
        f"{median(ratios.values()):.1f} x by the median, {ratios[worst]:.1f} x at worst (seed {worst}); "
        f"{reached} reached {race.target:.4g}"
    )


def _seeds(count: int) -> str:
    return f"{count} seed" if count == 1 else f"{count} seeds"


def ratios_of(race: Race) -> dict[int, float]:
    """By seed, where the target was reached. Where the notebook took all its steps, to that time; else to that of the
    turn before."""
    return {
        lap.seed: (race.notebook_seconds if race.is_whole else lap.notebook) / lap.seconds
        for lap in race.laps
        if lap.seconds is not None
    }
