"""`attach`: the dashboard on a run that is there already."""

from __future__ import annotations

import sys

import click

from tui_mm.cli.dashboard import open_dashboard
from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.live import live_runs
from tui_mm.runs.run import Run, find_run


@click.command(
    "attach",
    cls=PagedCommand,
    short_help="Open the dashboard on a run, in training or not.",
    examples=(
        ("makemore-tui attach", "the training that goes on"),
        ("makemore-tui attach 3f", "a run by the start of its id"),
    ),
)
@click.argument("reference", metavar="[RUN]", required=False)
@click.option("--ascii", "ascii_wanted", is_flag=True, help="Draw with ASCII characters alone.")
@home_option
def attach_command(reference: str | None, ascii_wanted: bool, home: Home) -> int:
    """Open the dashboard on a run with its whole history, from any terminal; without RUN, on the training that goes on.

    Several may watch one run, each on a terminal of its own size, and each may command it. The training does not end
    with any of them.
    """
    run = _newest_live(home) if reference is None else find_run(home, reference)
    config = run.config()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            f"the dashboard needs a terminal; 'makemore-tui runs show {run.id}' and 'makemore-tui logs {run.id}' do not"
        )
    return open_dashboard(config, home, ascii_only=ascii_wanted, attach=run.id)


def _newest_live(home: Home) -> Run:
    live = live_runs(home)
    if not live:
        raise RunError(
            "nothing is being trained; 'makemore-tui attach RUN' opens a run all the same ('makemore-tui runs' lists), "
            "'makemore-tui' begins one"
        )
    return Run(home.runs / live[0].id)
