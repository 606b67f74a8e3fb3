"""Workers that a test leaves in training: they have sessions of their own, and outlive their viewers as they should."""

from __future__ import annotations

from pathlib import Path

import psutil


def end_workers(home: Path) -> None:
    """Kill those that train a run of this home, and wait until they are gone."""
    left = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "tui_mm.worker" in line and any(part.startswith(f"{home}/") for part in line):
            process.kill()
            left.append(process)
    psutil.wait_procs(left, timeout=10)
