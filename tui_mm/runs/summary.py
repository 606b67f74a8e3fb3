"""What came of a run, as one document: what `train --json` prints."""

from __future__ import annotations

import math
from typing import Any

from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, run_folders
from tui_mm.runs.store import RunStore


def summarize(run: Run) -> dict[str, Any]:
    """From the store alone. A loss that is not finite is None, as is one that was never taken.

    Raises RunError for a store that is damaged.
    """
    with run.store() as store:
        return _checked(run, store)


def summarize_all(home: Home) -> list[dict[str, Any]]:
    """The same of every run, with when it was ``created``, from one look into each store; oldest first, before them the
    damaged ones with their fault. Raises RunError where the home cannot be read."""
    found = [_summary_or_fault(Run(folder)) for folder in run_folders(home)]
    return sorted(found, key=lambda summary: str(summary.get("created") or ""))


def _summary_or_fault(run: Run) -> dict[str, Any]:
    try:
        with run.store() as store:
            return {**_checked(run, store), "created": store.get("created")}
    except RunError as error:
        return {"run": run.id, "status": "damaged", "fault": str(error)}


def _checked(run: Run, store: RunStore) -> dict[str, Any]:
    try:
        return _summarize(run, store)
    except (KeyError, TypeError, IndexError) as error:
        raise RunError(f"run {run.id}: its store lacks what a run has ({error!r}); it is damaged") from None


def _summarize(run: Run, store: RunStore) -> dict[str, Any]:
    meta = store.meta()
    evaluations = store.evaluations()
    last = store.last_chunk()
    first = next(store.loss_chunks(most=1), None)
    samples = store.samples()
    final = evaluations[-1] if evaluations else None
    best = min((e for e in evaluations if e.is_best and e.dev is not None), key=lambda e: e.dev or 0.0, default=None)
    steps = 0 if last is None else last.last_step
    return {
        "run": run.id,
        "name": meta.get("name"),
        "status": run.status_in(store),
        "finished": meta.get("finished"),
        "data": meta["data"],
        "model": meta["model"],
        "config": meta["config"],
        "steps": steps,
        "losses": {
            "initial": _finite(evaluations[0].train) if evaluations else None,
            "first_batch": None if first is None else _finite(float(first.losses[0])),
            "train": _finite(final.train) if final else None,
            "dev": _finite(final.dev) if final else None,
            "best_dev": _finite(best.dev) if best else None,
            "best_step": best.step if best else None,
        },
        "steps_per_second": round(steps / last.train_seconds, 1) if last and last.train_seconds else None,
        "seconds": round(max([last.seconds if last else 0.0, *(e.seconds for e in evaluations)]), 3),
        "device": meta.get("device"),
        "threads": meta.get("threads"),
        "engines": meta.get("engines"),
        "samples": [sample.text for sample in samples],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
