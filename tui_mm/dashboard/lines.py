"""The head line and the foot line, as text. Pure functions of the view state."""

from __future__ import annotations

import math

from rich.cells import cell_len, set_cell_size

from tui_mm.dashboard.state import ViewState
from tui_mm.kinds import size_text
from tui_mm.text import clock, nats, printable

_ENDED_BADLY = {"crashed": "!", "failed": "!", "diverged": "!"}
_MARKS = {"running": "●", "paused": "▮▮", "waiting": "▮▮", "done": "✓", **_ENDED_BADLY}
_ASCII_MARKS = {"running": "*", "paused": "=", "waiting": "=", "done": "+", **_ENDED_BADLY}
_SAID = {"created": "not trained yet"}

_LEAST_BAR = 7
_WITH_BAR = 80  # from this width on there is a bar
_ALL_PARTS = 99  # cells of all that the foot line says, losses below 10


def head_line(state: ViewState, width: int, *, ascii_only: bool = False, title: str = "makemore-tui") -> str:
    """Data set, model, parameters, device, state; the least telling parts go first where it is narrow. ``title``: what
    stands before them."""
    follower = state.follower
    parts = [title]
    if state.words is not None:
        dot, corpus = "-" if ascii_only else "·", state.words.splits.corpus
        parts.append(f"{_short(printable(corpus.name), 32)} {dot} {len(corpus):,} {corpus.level.rows}")
    if state.parameters is not None:
        parts.append(f"{state.config.model} {size_text(state.config.model, state.parameters)}")
    if follower is not None and follower.meta.get("device"):
        parts.append(printable(str(follower.meta["device"])))
    marks = _ASCII_MARKS if ascii_only else _MARKS
    mark = marks.get(state.status, "o" if ascii_only else "○")
    steps = f" {follower.steps:,} / {state.total_steps:,}" if follower is not None and follower.steps else ""
    status = "no words" if follower is None and state.fault else _SAID.get(state.status, printable(state.status))
    if follower is not None and follower.waits_for:
        status = printable(follower.waits_for.partition(":")[0])  # the disk is full
    parts.append(f"{mark} {status}{steps}")
    while cell_len("   ".join(parts)) > width and len(parts) > 2:
        del parts[-2]
    return set_cell_size("   ".join(parts), width).rstrip()


def _short(text: str, most: int) -> str:
    """The end of a long name: of a path, that is the file."""
    while cell_len(text) > most:
        text = "~" + text[2:]
    return text


def foot_line(state: ViewState, width: int, *, ascii_only: bool = False) -> str:
    """Progress, speed, time left, rate and losses: of the last minibatches, then of the last evaluation."""
    follower = state.follower
    if follower is None or not follower.steps:
        no_words = follower is None and state.fault
        return ("no words: o chooses a list" if no_words else "no training yet: t trains")[:width]
    # What changes while it trains has a width of its own, so that what follows it stays where it is.
    done = follower.steps / state.total_steps
    parts = [f"{math.floor(100 * done):>3}%"]
    rate = follower.steps_per_second
    if rate and state.total_steps > 1:
        parts.append(f"{f'{rate:,.0f}':>5} steps/s")
    if state.status == "running" and follower.seconds:
        parts.append(f"{clock(follower.seconds / follower.steps * (state.total_steps - follower.steps))} left")
    if follower.lr:
        parts.append(f"lr {f'{follower.lr:.3g}':<8}")
    if not state.config.counts:
        parts.append(f"loss {nats(follower.recent_loss)}")
    last = follower.evaluations[-1] if follower.evaluations else None
    if last is not None and last.dev is not None:
        parts.append(f"dev {nats(last.dev)}")
    if follower.best is not None and follower.best.dev is not None:
        parts.append(f"best {nats(follower.best.dev)}")
    if last is not None:
        parts.append(f"train {nats(last.train)}")
    room = width - _LEAST_BAR - 1 if width >= _WITH_BAR else width
    while len("  ".join(parts).rstrip()) > room and len(parts) > 1:
        parts.pop()  # a number that is cut is a wrong number
    text = "  ".join(parts)
    bar = min(40, max(_LEAST_BAR, width - _ALL_PARTS), width - len(text) - 1)
    if bar < _LEAST_BAR:
        return text.rstrip()[:width]
    full, empty = ("#", "-") if ascii_only else ("━", "╌")
    filled = math.floor(min(1.0, done) * bar)
    return f"{full * filled}{empty * (bar - filled)} {text}".rstrip()
