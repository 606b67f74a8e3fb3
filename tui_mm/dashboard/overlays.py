"""Other runs whose losses are drawn over this one's."""

from __future__ import annotations

from collections.abc import Sequence

from tui_mm.dashboard.state import MAX_OVERLAYS, Overlay, ViewState
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import find_run


def overlay(state: ViewState, home: Home, idents: Sequence[str]) -> list[str]:
    """Draw just these runs over the one that is shown; lines about those that cannot be read."""
    kept = {o.follower.run.id: o for o in state.overlays}
    faults, overlays = [], []
    for ident in idents[:MAX_OVERLAYS]:
        try:
            overlays.append(kept.pop(ident) if ident in kept else _open(home, ident))
        except RunError as error:
            faults.append(str(error))
    for gone in kept.values():
        gone.follower.close()
    state.overlays = overlays
    return faults


def poll_overlays(state: ViewState) -> bool:
    """Take in what is new in those that are still being trained; whether there was anything."""
    changed = False
    for each in [*state.overlays]:
        try:
            changed |= each.follower.poll()
        except RunError as error:
            state.overlays.remove(each)
            state.note(str(error))
            changed = True
    return changed


def _open(home: Home, ident: str) -> Overlay:
    follower = RunFollower(find_run(home, ident))
    try:
        follower.poll()
    except RunError:
        follower.close()
        raise
    return Overlay(str(follower.meta.get("name") or ident), follower)
