"""Which runs are being trained now."""

from __future__ import annotations

from tui_mm.runs.folder import is_held
from tui_mm.runs.home import Home
from tui_mm.runs.listing import read_row
from tui_mm.runs.row import RunRow
from tui_mm.runs.run import Run, run_folders


def live_runs(home: Home) -> list[RunRow]:
    """Those in training or paused, newest first. Only stores that somebody works on are read. Raises RunError."""
    rows = [read_row(Run(folder)) for folder in run_folders(home) if is_held(folder)]
    return sorted((row for row in rows if row.is_live), key=lambda row: row.started, reverse=True)
