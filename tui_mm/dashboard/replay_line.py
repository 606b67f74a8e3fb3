"""The line under a replay: whether it plays, how fast, where it is, and the losses there. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from tui_mm.dashboard.charts.axis import clock
from tui_mm.dashboard.losses import is_counted
from tui_mm.dashboard.replay_clock import Playback
from tui_mm.runs.follow import RunFollower
from tui_mm.text import nats

_LEAST_BAR = 10  # cells with which a bar is worth its place
_USUAL_BAR = 24  # that it has before losses are said


@dataclass(frozen=True)
class ScrubLine:
    """What stands there, and the cells of the bar in it: its first and how many."""

    text: str
    bar: int
    cells: int

    def share_at(self, x: int) -> float | None:
        """How far into the run a cell of the line is, 0 to 1; None for one that is not on the bar."""
        if not self.cells or not self.bar <= x < self.bar + self.cells:
            return None
        return (x - self.bar) / max(1, self.cells - 1)


def scrub_line(
    playback: Playback, share: float, total: int, follower: RunFollower, width: int, *, ascii_only: bool = False
) -> ScrubLine:
    """The line in ``width`` cells; the bar takes what is left. ``share``: how much of the ``total`` steps is behind.

    What changes has a width of its own, so that what follows it stays where it is.
    """
    marks = (">", "=") if ascii_only else ("►", "▮▮")
    head = f"{marks[0] if playback.playing else marks[1]:<2} {speed_text(playback.speed)}"
    if playback.loops:
        head += " loop"
    least = [f"{follower.steps:>{len(f'{total:,}')},}/{total:,}{' live' if playback.grows else ''}"]
    told = [time_text(playback.position, playback.length), *_losses(follower)]
    room = width - cell_len(head) - 2
    parts = [*least, *told]
    while len(parts) > 1 and room - _length(parts) < (_LEAST_BAR if len(parts) == 2 else _USUAL_BAR):
        parts.pop()
    cells = room - _length(parts)
    tail = "".join(f" {part}" for part in parts)
    if cells < _LEAST_BAR:
        return ScrubLine(f"{head}{tail}"[:width].rstrip(), 0, 0)
    return ScrubLine(f"{head} {bar(share, cells, ascii_only=ascii_only)} {tail[1:]}".rstrip(), cell_len(head) + 1,
                     cells)  # fmt: skip


def bar(share: float, cells: int, *, ascii_only: bool = False) -> str:
    """Where a replay is: the handle stands at the left at 0 and at the right at 1."""
    full, handle, empty = ("#", "O", "-") if ascii_only else ("━", "●", "╌")
    at = min(cells - 1, math.floor(min(1.0, max(0.0, share)) * (cells - 1) + 0.5))
    return full * at + handle + empty * (cells - 1 - at)


def speed_text(speed: float) -> str:
    """``1/4x``, ``1x``, ``64x``."""
    if speed < 1 and (1 / speed).is_integer():
        return f"1/{1 / speed:.0f}x"
    return f"{speed:,.4g}x" if speed < 1000 else f"{speed:,.0f}x"


def time_text(position: float, length: float) -> str:
    """``0:12/5:30``, ``3.2/9.6s`` of what took less than a minute, ``8/31ms`` of what took less than a second."""
    if length < 1:
        of = f"{1000 * length:.0f}"
        return f"{1000 * position:>{len(of)}.0f}/{of}ms"
    if length < 60:
        of = f"{length:.1f}"
        return f"{position:>{len(of)}.1f}/{of}s"
    of = clock(length)
    return f"{clock(position):>{len(of)}}/{of}"


def _losses(follower: RunFollower) -> list[str]:
    """What foot lines of dashboards say, those first that one looks for first."""
    last, best = follower.evaluations[-1] if follower.evaluations else None, follower.best
    parts = []
    if not is_counted(follower):
        parts.append(f"loss {nats(follower.recent_loss) if follower.steps else '-':>6}")
    if last is not None and last.dev is not None:
        parts.append(f"dev {nats(last.dev)}")
    if best is not None and best.dev is not None:
        parts.append(f"best {nats(best.dev)}")
    if last is not None:
        parts.append(f"train {nats(last.train)}")
    if not is_counted(follower):
        parts.append(f"lr {f'{follower.lr:.3g}' if follower.lr else '-':<8}")
    return parts


def _length(parts: Sequence[str]) -> int:
    return sum(cell_len(part) + 1 for part in parts)
