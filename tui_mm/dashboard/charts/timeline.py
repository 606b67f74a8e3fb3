"""The same seeds sampled at every evaluation, side by side: how names come to be. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from data.levels import CHARACTER, Level
from tui_mm.dashboard.charts.cells import PLAIN, Piece, fit, line, paint, rows, style, wrap
from tui_mm.dashboard.charts.look import Look
from tui_mm.text import printable

_NARROW = 60
_WIDEST, _WIDEST_NARROW = 14, 10  # cells of a name; longer ones are cut
_WIDEST_SENTENCE, _WIDEST_SENTENCE_NARROW = 36, 24
_MOST_LINES = 4  # of a sentence
_NARROWEST = 7
_HEAD = 2  # the step and the dev loss
MARKS = {"train": "=", "dev": "~", "test": "~"}


@dataclass(frozen=True)
class Snapshot:
    step: int
    names: Sequence[str]


def column_width(snapshots: Sequence[Snapshot], losses: Mapping[int, str], width: int, level: Level = CHARACTER) -> int:
    """Cells of a column in a chart of ``width``: the widest name with its mark, or the loss, and a space."""
    most = (_WIDEST, _WIDEST_NARROW) if level == CHARACTER else (_WIDEST_SENTENCE, _WIDEST_SENTENCE_NARROW)
    widest = max((cell_len(printable(name)) for s in snapshots for name in s.names), default=0)
    named = min(most[width < _NARROW], max(_NARROWEST, widest)) + 2
    return max([named, *(len(losses.get(s.step, "")) + 1 for s in snapshots)])


def evenly(total: int, count: int) -> list[int]:
    """At most ``count`` of ``total`` positions: the first, the last, and the rest evenly between them."""
    if total <= count:
        return list(range(total))
    if count <= 1:
        return [total - 1]
    return [round(i * (total - 1) / (count - 1)) for i in range(count)]


def names_over_time(
    snapshots: Sequence[Snapshot],
    losses: Mapping[int, str],
    seen_in: Callable[[str], str | None],
    shown: Sequence[int],
    note: str,
    look: Look,
    level: Level = CHARACTER,
) -> Text:
    """The snapshots at ``shown`` as columns. ``losses``: in words, by step; ``seen_in``: the split a name stands in."""
    width = column_width(snapshots, losses, look.width, level)
    columns = [snapshots[i] for i in shown]
    most = max((len(s.names) for s in columns), default=0)
    room = look.height - _HEAD - 1
    height = max(1, min(most, room))
    each = 1 if level == CHARACTER else max(1, min(_MOST_LINES, room // max(1, most)))  # lines of a sentence
    muted = paint(look, "baseline")
    named = [f"step {s.step:,}" for s in columns]
    if any(len(name) >= width for name in named):
        named = [f"{s.step:,}" for s in columns]
    steps = [(fit(name, width, ascii_only=look.ascii_only), style(bold=True)) for name in named]
    told = [(fit(losses.get(s.step, ""), width), muted) for s in columns]
    lines = [line(steps), line(told)]
    for row in range(height):
        names = [_name(s, row, width, each, seen_in, look) for s in columns]
        lines += [line(piece for name in names for piece in name[k]) for k in range(each)]
    parts = ["= in train  ~ in dev or test", note, *([f"{height} of {most} {level.samples}"] if height < most else [])]
    if len("  ".join(parts)) > look.width:
        parts[0] = "= train  ~ dev/test"
    while len("  ".join(parts)) > look.width and len(parts) > 1:
        parts.pop()
    below = fit("  ".join(parts), look.width, ascii_only=look.ascii_only).rstrip()
    return rows([*lines, line([(below, muted)])])


def _name(
    snapshot: Snapshot, row: int, width: int, each: int, seen_in: Callable[[str], str | None], look: Look
) -> list[list[Piece]]:
    """A name in ``each`` lines, its mark at the end of the last."""
    if row >= len(snapshot.names):
        return [[(" " * width, PLAIN)]] * each
    name = snapshot.names[row]
    split = seen_in(name)
    mark = MARKS.get(split or "", " ")
    room = width - 2
    parts = wrap(printable(name), room, indent=2) if each > 1 else [printable(name)]
    if len(parts) > each:
        parts[each - 1 :] = [" ".join([parts[each - 1], *(part.lstrip() for part in parts[each:])])]
    drawn = PLAIN if split is None else paint(look, "train" if split == "train" else "dev")
    lines = [fit(part, min(cell_len(part), room), ascii_only=look.ascii_only) for part in parts]
    lines[-1] += mark
    lines += [""] * (each - len(lines))
    return [[(shown, drawn), (" " * (width - cell_len(shown)), PLAIN)] for shown in lines]
