"""Runs side by side: a column for each, under its letter. Pure functions of rows, configurations and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from tui_mm.config import text_of
from tui_mm.dashboard.charts.axis import clock
from tui_mm.dashboard.charts.bars import one_bar
from tui_mm.dashboard.charts.cells import PLAIN, Piece, fit, label, line, paint, rows, style, wrap
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.loss_canvas import color_of, letter_of
from tui_mm.dashboard.charts.timeline import MARKS
from tui_mm.runs.differences import Difference
from tui_mm.runs.row import RunRow
from tui_mm.text import nats, printable

_GAP = 2  # cells between columns
_WIDEST = 28  # cells of a run's column
_NAME = 20  # cells of a fact
_LABEL = 14  # cells of what stands at the left, at most
_PERCENT = 5  # cells of " 100%"
_LEAST_BAR = 3

Named = Sequence[str]
"""What the runs are called, in their order: a name, or an id."""


# -- what they are


def facts_text(found: Sequence[RunRow], look: Look) -> Text:
    """A line for each run under a heading: what fits, the more telling first. A damaged run's fault stands instead."""
    table = {name: [printable(show(n, row)) for n, row in enumerate(found)] for name, show in _FACTS.items()}
    widths = {name: min(_NAME, max(map(cell_len, (name, *texts)), default=0)) for name, texts in table.items()}
    for name in _EXPENDABLE:
        if sum(widths.values()) + _GAP * (len(widths) - 1) > look.width:
            del widths[name]

    def cell(name: str, text: str) -> str:
        ahead = " " * max(0, widths[name] - cell_len(text)) if name in _NUMBERS else ""
        return fit(ahead + text, widths[name], ascii_only=look.ascii_only) + " " * _GAP

    lines = [line([("".join(cell(name, name) for name in widths), style(bold=True))])]
    for n, row in enumerate(found):
        letter, called, *others = (cell(name, table[name][n]) for name in widths)
        if row.fault:
            reason = row.fault.partition(f"{row.id}/run.db: ")[2] or row.fault  # which run it is stands before it
            others = [fit(reason, max(0, look.width - cell_len(letter + called)), ascii_only=look.ascii_only)]
        lines.append(line([(letter, _of(n, look)), (called + "".join(others), PLAIN)]))
    return rows(lines)


_FACTS: dict[str, Callable[[int, RunRow], str]] = {
    "": lambda n, _: letter_of(n),
    "run": lambda _, r: r.name or r.id,
    "model": lambda _, r: r.model,
    "parameters": lambda _, r: "" if r.parameters is None else f"{r.parameters:,}",
    "data": lambda _, r: r.data.rstrip("/").rpartition("/")[2],
    "steps": lambda _, r: steps_text(r),
    "time": lambda _, r: time_text(r),
    "train": lambda _, r: _loss(r.train),
    "dev": lambda _, r: _loss(r.dev),
    "best dev": lambda _, r: _loss(r.best_dev),
    "state": lambda _, r: r.status,
}
_NUMBERS = ("parameters", "steps", "time", "train", "dev", "best dev")
_EXPENDABLE = ("data", "time", "train", "parameters", "state", "steps", "best dev")
"""What is left out first where it is narrow."""


def steps_text(row: RunRow) -> str:
    """Those done, and of how many while there are more to come."""
    return f"{row.steps:,}" + (f" of {row.total_steps:,}" if row.total_steps and row.steps != row.total_steps else "")


def time_text(row: RunRow) -> str:
    """Of training with its evaluations: 0.4 s, 3:05, 1:02:03."""
    return "" if not row.seconds else f"{row.seconds:.1f} s" if row.seconds < 60 else clock(row.seconds)


def names_line(named: Named, look: Look) -> Text:
    """All letters and names in one line, for where there is no room for more."""
    each = max(1, look.width // max(1, len(named)) - 4)
    pieces: list[Piece] = []
    for n, name in enumerate(named):
        text = fit(name, min(each, cell_len(printable(name))), ascii_only=look.ascii_only)
        pieces += [(letter_of(n), _of(n, look)), (f" {text}  ", PLAIN)]
    return line(pieces)


# -- their configurations


def differences_text(found: Sequence[Difference], named: Named, look: Look) -> Text:
    """A line for each hyperparameter that differs; a ``-`` where a run does not use it."""
    if not found:
        return Text(fit("their configurations are the same", look.width).rstrip())
    first = min(_LABEL, max(len(each.field) for each in found)) + _GAP
    width = _column(look, first, len(named))
    lines = [_heading("", first, width, named, look)]
    for field, values in found:
        texts = ["-" if value is None else text_of(value, field) for value in values]
        cells = [fit(text, width - _GAP, ascii_only=True) for text in texts]
        lines.append(
            line([(fit(field, first, ascii_only=True), PLAIN), *((cell + " " * _GAP, PLAIN) for cell in cells)])
        )
    return rows(lines)


# -- what they say


def next_text(answer: Mapping[str, Any], named: Named, look: Look) -> Text:
    """What follows the prefix: a line for each of the likeliest characters, the rest, and why a run has no column."""
    columns, shown = answer["runs"], answer["next"]
    faults = _faults(columns, look)
    labels = [symbol_name(each, shown, ascii_only=look.ascii_only) for each in shown]
    first = max(map(cell_len, ("rest", *labels))) + _GAP
    width = _column(look, first, len(named))
    lines = [_heading("", first, width, named, look)]
    kept = max(0, look.height - len(faults) - 2)
    full = max((share for c in columns for share in c.get("next", ())[:kept] if share is not None), default=0.0)
    for k, called in enumerate(labels[:kept]):
        pieces: list[Piece] = [(fit(called, first), PLAIN)]
        for n, column in enumerate(columns):
            pieces += _share(column["next"][k] if "next" in column else None, full or 1.0, width, n, look)
        lines.append(line(pieces))
    if shown:
        pieces = [(fit("rest", first), paint(look, "baseline"))]
        for column in columns:
            rest = None
            if "next" in column:
                rest = column["rest"] + sum(share for share in column["next"][kept:] if share is not None)
            text = "-" if rest is None else f"{rest:>{width - _GAP}.0%}"
            pieces.append((fit(text, width), paint(look, "baseline")))
        lines.append(line(pieces))
    return rows([*lines, *faults][: max(1, look.height)])


def symbol_name(entry: Mapping[str, Any], shown: Sequence[Mapping[str, Any]], *, ascii_only: bool = False) -> str:
    """How a next character is called; the end of a word ``end`` where a full stop is among them too."""
    symbol = str(entry["symbol"])
    if entry["end"] and any(other["symbol"] == symbol and not other["end"] for other in shown):
        return "end"
    return label(symbol, ascii_only=ascii_only)


def samples_text(answer: Mapping[str, Any], named: Named, look: Look) -> Text:
    """The names that one seed gives in every run, with the step they are from and a mark where words hold them."""
    columns, muted = answer["runs"], paint(look, "baseline")
    faults = _faults(columns, look)
    width = _column(look, 0, len(named))
    lines = [_heading("", 0, width, named, look)]
    steps = [f"step {c['step']:,}" if "step" in c else "" for c in columns]
    lines.append(line([(fit(text, width - 1, ascii_only=look.ascii_only) + " ", muted) for text in steps]))
    most = max((len(c.get("samples", ())) for c in columns), default=0)
    room = max(0, look.height - len(faults) - 3)
    for k in range(most):
        cells = [_sample(c.get("samples", ()), k, width, look) for c in columns]
        for row in range(max(len(cell) for cell in cells) if room else 0):
            lines.append(line(cell[row] if row < len(cell) else (" " * width, PLAIN) for cell in cells))
        del lines[room + 2 :]
        if len(lines) >= room + 2:
            break
    told = fit("= in train  ~ in dev or test", look.width, ascii_only=look.ascii_only).rstrip()
    return rows([*lines, *([line([(told, muted)])] if most else []), *faults][: max(1, look.height)])


def _sample(samples: Sequence[Mapping[str, Any]], k: int, width: int, look: Look) -> list[Piece]:
    """The k-th of a run's samples in its column, over several lines if it is a sentence."""
    if k >= len(samples):
        return [(fit("" if samples else "-", width), PLAIN)]
    seen, ended = samples[k]["seen_in"], samples[k]["ended"]
    text = (printable(samples[k]["text"]) or "(empty)") + ("" if ended else "..")
    mark = MARKS.get(seen or "", " ")
    drawn = PLAIN if seen is None else paint(look, "train" if seen == "train" else "dev")
    if " " in text and cell_len(text) > width - 2:
        told = wrap(text + mark.rstrip(), width - 1, indent=1)
    else:
        told = [fit(text, min(cell_len(text), width - 2), ascii_only=look.ascii_only) + mark]
    return [(part + " " * (width - cell_len(part)), drawn) for part in told]


def _share(share: float | None, full: float, width: int, n: int, look: Look) -> list[Piece]:
    """A bar and its number in a column; a ``-`` where the run's words lack the character, or it was not asked."""
    if share is None:
        return [(fit("-", width), paint(look, "baseline"))]
    bar = width - _GAP - _PERCENT
    percent = f"{share:>{_PERCENT}.0%}"
    if bar < _LEAST_BAR:
        return [(fit(percent.strip(), width), PLAIN)]
    drawn = one_bar(share / full, bar, ascii_only=look.ascii_only)
    return [(drawn, style(color_of(look, n))), (percent + " " * _GAP, PLAIN)]


def _faults(columns: Sequence[Mapping[str, Any]], look: Look) -> list[Text]:
    """Why runs could not be asked, a line or two for each reason, with the letters of those that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for n, column in enumerate(columns):
        if "fault" in column:
            by_reason.setdefault(str(column["fault"]), []).append(letter_of(n))
    told = [printable(f"{' '.join(letters)}: {reason}") for reason, letters in by_reason.items()]
    broken = [part for each in told for part in wrap(each, look.width)]
    return [line([(part, paint(look, "warning"))]) for part in broken[: max(1, look.height // 2)]]


# -- columns


def _heading(first: str, left: int, width: int, named: Named, look: Look) -> Text:
    pieces: list[Piece] = [(fit(first, left), PLAIN)]
    for n, name in enumerate(named):
        pieces += [(letter_of(n), _of(n, look)), (fit(f" {name}", width - 2, ascii_only=look.ascii_only) + " ", PLAIN)]
    return line(pieces)


def _column(look: Look, first: int, count: int) -> int:
    """Cells of a run's column, with the gap behind it."""
    return max(4, min(_WIDEST, (look.width - first) // max(1, count)))


def _of(n: int, look: Look) -> Style:
    """Of the n-th run's letter: its colour, and bold, which is seen without colours."""
    return style(color_of(look, n), bold=True)


def _loss(value: float | None) -> str:
    return "" if value is None else nats(value)
