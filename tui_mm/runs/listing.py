"""All runs at a glance: what a list of them shows, read with few queries and only where something changed."""

from __future__ import annotations

import math
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tui_mm.kinds import learns_by_counting
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.row import RunRow
from tui_mm.runs.run import Run, run_folders

_SETTLED_SECONDS = 2.0  # a file's time is coarse: two writes soon after each other may have the same
_Stamp = tuple[tuple[int, int], ...]


class RunList:
    """The runs of a home. ``read`` opens only those stores whose files changed since it was last called."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._known: dict[str, tuple[_Stamp, RunRow]] = {}

    def read(self) -> list[RunRow]:
        """Newest first, damaged ones at the end. Raises RunError where the home cannot be read."""
        known: dict[str, tuple[_Stamp, RunRow]] = {}
        for folder in run_folders(self.home):
            stamp = _stamp(folder)
            found = self._known.get(folder.name)
            # a lock can come free without a word in the store, so a run at work is looked at each time
            if found is None or found[0] != stamp or found[1].is_live or not _is_settled(stamp):
                found = (stamp, read_row(Run(folder)))
            known[folder.name] = found
        self._known = known
        return sorted((row for _, row in known.values()), key=lambda row: row.started, reverse=True)


def list_runs(home: Home) -> list[RunRow]:
    """Every run, newest first, damaged ones at the end with their fault. Raises RunError for an unreadable home."""
    return RunList(home).read()


def read_row(run: Run) -> RunRow:
    """One run's row, from one look at its store; a row with the fault for a run that is damaged."""
    try:
        return _read(run)
    except RunError as error:
        return RunRow(run.id, fault=str(error))
    except OSError as error:
        return RunRow(run.id, fault=f"{run.folder}: cannot be read ({error.strerror}); see its permissions")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return RunRow(run.id, fault=f"run {run.id}: its store lacks what a run has ({error!r}); it is damaged")


def _read(run: Run) -> RunRow:
    with run.store() as store:
        meta = store.meta()
        evaluations = store.evaluations()
        last = store.last_chunk()
        status = run.status_in(store)
    config, data, model = meta["config"], meta["data"], meta["model"]
    started = str(meta["created"])
    datetime.fromisoformat(started)  # or it is damaged
    devs = [e.dev for e in evaluations if e.is_best and e.dev is not None]
    return RunRow(
        id=run.id,
        name=None if meta.get("name") is None else str(meta["name"]),
        status=status,
        data=str(data["name"]),
        model=str(model["kind"]),
        parameters=_whole(model.get("parameters")),
        steps=0 if last is None else last.last_step,
        total_steps=1 if learns_by_counting(model["kind"]) else _whole(config.get("steps")),
        train=_finite(evaluations[-1].train) if evaluations else None,
        dev=_finite(evaluations[-1].dev) if evaluations else None,
        best_dev=_finite(min(devs, default=None)),
        started=started,
        seconds=max([last.seconds if last else 0.0, *(e.seconds for e in evaluations)]),
    )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _stamp(folder: Path) -> _Stamp:
    """What differs when the store was written to: its files' times and sizes."""
    found = []
    for name in ("run.db", "run.db-wal"):
        try:
            stat = (folder / name).stat()
        except OSError:
            found.append((0, 0))
        else:
            found.append((stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _is_settled(stamp: _Stamp) -> bool:
    return time.time() - max(at for at, _ in stamp) / 1e9 > _SETTLED_SECONDS
