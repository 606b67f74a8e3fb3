"""Drafts: run folders that a dashboard makes before anything is trained, so that a worker can serve it at once.

One that was never trained is deleted on leaving, or, if its dashboard was killed, by the next one that starts.
"""

from __future__ import annotations

import os
from typing import Any

from data.corpus import Corpus
from tui_mm.config import RunConfig
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, create_run, run_folders


def begin_draft(home: Home, config: RunConfig, corpus: Corpus, facts: dict[str, Any]) -> Run:
    """A new run that is not kept unless it is trained. Raises RunError."""
    return create_run(home, config, corpus, None, {**facts, "draft": os.getpid()})


def is_draft(run: Run) -> bool:
    """Whether a dashboard made it and nothing was trained yet. Raises RunError."""
    return _maker(run) is not None


def discard_drafts(home: Home) -> int:
    """Delete the drafts whose dashboard is gone; how many there were."""
    count = 0
    for folder in run_folders(home):
        run = Run(folder)
        try:
            maker = _maker(run)
            if maker is not None and not _is_alive(maker) and not run.is_live():
                run.delete()
                count += 1
        except RunError:
            continue  # damaged, or taken up this very moment: not ours to delete
    return count


def _maker(run: Run) -> int | None:
    """The process that made a run which is still a draft."""
    with run.store() as store:
        maker, status = store.get("draft"), store.get("status")
    return maker if isinstance(maker, int) and status == "created" else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
