"""The dashboard in a terminal until it is left, and the replays that a person goes to on the way."""

from __future__ import annotations

import gc

from tui_mm.cli.output import ascii_only as is_ascii_only
from tui_mm.cli.output import say
from tui_mm.config import RunConfig
from tui_mm.runs.home import Home, RunError


def open_dashboard(
    config: RunConfig, home: Home, *, ascii_only: bool, attach: str | None = None, offers: bool = False
) -> int:
    """On a new run or on the one of an id; ``offers``: whether trainings that go on are offered. The exit code."""
    gc.disable()  # until the panels are up
    ascii_only = ascii_only or is_ascii_only()
    from tui_mm.cli.guard import TerminalGuard

    with TerminalGuard() as guard:
        from tui_mm.dashboard.app import DashboardApp

        fault, presence = "", None
        while True:
            dashboard = DashboardApp(
                config, home, ascii_only=ascii_only, when_up=collect_again, attach=attach, offers=offers
            )
            dashboard.presence = presence
            if fault:
                dashboard.state.note(fault)
            guard.wait_until_ready()
            line = dashboard.run()
            if presence is not None:
                presence.end()
            leaving = dashboard.leaving
            if leaving is None or dashboard.return_code:
                break
            presence = leaving.presence
            fault = play_back(leaving.replay, home, ascii_only=ascii_only)
            attach = leaving.back_to()
            config, offers = dashboard.state.config, False
    if line:
        say(line)
    return dashboard.return_code or 0


def play_back(ident: str, home: Home, *, ascii_only: bool) -> str:
    """Replay a run until that is left. Returns why it could not be, or ""."""
    from tui_mm.dashboard.replay import ReplayApp
    from tui_mm.runs.replay import ReplayFollower
    from tui_mm.runs.run import find_run

    try:
        run = find_run(home, ident)
        config = run.config()
        follower = ReplayFollower(run)
    except RunError as error:
        return str(error)
    ReplayApp(follower, config, home, ascii_only=ascii_only, when_up=collect_again).run()
    return ""


def collect_again() -> None:
    """What was loaded stays: for the collector to look through it again and again would hold up the keys."""
    gc.freeze()
    gc.enable()
