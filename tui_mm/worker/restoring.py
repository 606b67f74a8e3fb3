"""Which checkpoint a run goes on from: the last, unless that is damaged or missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tui_mm.runs.checkpoints import Checkpoint, DamagedError, load_checkpoint
from tui_mm.runs.home import RunError
from tui_mm.runs.run import Run, Which
from tui_mm.runs.store import RunStore

_ORDER: tuple[Which, ...] = ("last", "best")


@dataclass(frozen=True, eq=False)
class Found:
    """The checkpoint to go on from. ``line`` says why it is not the last one; "" where it is."""

    path: Path
    checkpoint: Checkpoint
    line: str


def last_good(run: Run, store: RunStore) -> Found | None:
    """None for a run that has no checkpoint yet. What is trained again after an older one comes to the same bits.

    Raises DamagedError where none of those that are there can be used.
    """
    kept = store.steps
    faults: list[str] = []
    missing: list[str] = []
    for which in _ORDER:
        path = run.checkpoint(which)
        try:
            if not path.exists():
                missing.append(f"{path}: is missing")
                continue
            found = load_checkpoint(path)
            step = int(found.values["trainer"]["step"])
        except (DamagedError, KeyError, TypeError, ValueError) as error:
            faults.append(str(error) if isinstance(error, RunError) else f"{path}: lacks its trainer's state")
            continue
        if step > kept:
            faults.append(f"{path}: is of step {step:,}, and {store.path.name} has the first {kept:,} alone")
            continue
        why = "; ".join([*faults, *(missing if step else [])])  # the first checkpoint of all is "best"
        return Found(path, found, f"{why}; went on from the {which} one, of step {step:,}" if why else "")
    if faults:
        raise DamagedError(
            f"{'; '.join(faults)}: there is nothing to go on from; train anew with the configuration that "
            f"'makemore-tui runs show {run.id}' lists"
        )
    return None
