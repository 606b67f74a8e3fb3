"""What the marks in the table of runs come to: runs laid over the chart, and runs put side by side."""

from __future__ import annotations

from collections.abc import Sequence

from tui_mm.dashboard.state import MAX_OVERLAYS
from tui_mm.runs.differences import LEAST_COMPARED, MOST_COMPARED
from tui_mm.runs.row import RunRow


def overlay_fault(row: RunRow, current: str | None, overlays: Sequence[str]) -> str:
    """Why a run cannot be laid over the chart of the one that is open; "" if it can."""
    if row.fault:
        return row.fault
    if row.id == current:
        return "this run is the one the chart is of; others can be laid over it"
    if not row.steps:
        return f"run {row.id} has no losses yet to lay over the chart"
    if len(overlays) >= MAX_OVERLAYS:
        return f"{MAX_OVERLAYS} runs are laid over the chart already; take one away first (space)"
    return ""


def to_compare(
    rows: Sequence[RunRow], current: str | None, overlays: Sequence[str], under: RunRow | None
) -> tuple[tuple[str, ...], str]:
    """The ids of the marked runs and then of the open one, if it was begun: so their letters are those on the chart.
    Where that makes less than two, the run under the cursor is the first. And why they cannot be compared, or ""."""
    own = next((row for row in rows if row.id == current), None)
    chosen = (*overlays, *([own.id] if own is not None and (own.steps or own.is_live) else []))
    if len(chosen) < LEAST_COMPARED and under is not None and under.id not in chosen:
        if under.fault or not (under.steps or under.is_live):
            return (), under.fault or f"run {under.id} was not trained yet; there is nothing to compare"
        chosen = (under.id, *chosen)
    if len(chosen) < LEAST_COMPARED:
        return (), f"one run is not enough to compare; mark {LEAST_COMPARED} to {MOST_COMPARED} (space)"
    if len(chosen) > MOST_COMPARED:
        return (), f"{len(chosen)} runs with the open one are too many to compare; take a mark away (space)"
    return chosen, ""
