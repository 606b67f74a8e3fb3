"""`experiments`: list, show and delete what was kept of them."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from tui_mm.cli.experiment import document, report
from tui_mm.cli.help import PagedCommand, PagedGroup
from tui_mm.cli.options import home_of, home_option, json_option
from tui_mm.cli.output import print_json, print_table, say
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.kept import KeptExperiment, all_experiments, find_experiment
from tui_mm.runs.home import Home, RunError


@click.group(
    "experiments",
    cls=PagedGroup,
    invoke_without_command=True,
    examples=(
        ("makemore-tui experiments", "all that were kept, newest last"),
        ("makemore-tui experiments show last", "one with its table, chart and answer"),
        ("makemore-tui experiments delete 3f", "delete one"),
    ),
)
@home_option
@json_option
@click.pass_context
def experiments_group(context: click.Context, home: Home, as_json: bool) -> int:
    """List the experiments that were kept, newest last."""
    context.obj = home
    return 0 if context.invoked_subcommand else _list(home, as_json)


def _list(home: Home, as_json: bool) -> int:
    found = all_experiments(home)
    if as_json:
        print_json({"home": str(home.root), "experiments": [_summary(kept) for kept in found]})
        return 0
    if not found:
        say("no experiments are kept yet; 'makemore-tui experiment NAME' runs one:")
        print_table([(f"  {experiment.name}", experiment.title) for experiment in EXPERIMENTS.values()])
        return 0
    print_table([_line(kept) for kept in found], ("id", "experiment", "status", "data", "rows", "seconds", "started"))
    return 0


def _line(kept: KeptExperiment) -> tuple[str, ...]:
    try:
        record = kept.read()
    except RunError as error:
        return (kept.id, "", "damaged", str(error), "", "", "")
    data = record.data if record.words is None else record.words.name
    when = datetime.fromisoformat(record.created).astimezone().strftime("%Y-%m-%d %H:%M")
    return (
        kept.id,
        record.name,
        record.status,
        data,
        f"{len(record.result.rows)}",
        f"{record.seconds:.1f}",
        when,
    )


def _summary(kept: KeptExperiment) -> dict[str, Any]:
    try:
        record = kept.read()
    except RunError as error:
        return {"id": kept.id, "status": "damaged", "fault": str(error)}
    return document(record) | {"rows": len(record.result.rows), "answer": record.result.answer}


@experiments_group.command(
    "show", cls=PagedCommand, examples=(("makemore-tui experiments show last", "the newest one"),)
)
@click.argument("reference", metavar="ID")
@home_option
@json_option
@click.pass_context
def show_command(context: click.Context, reference: str, home: Home, as_json: bool) -> int:
    """Show what an experiment found. ID may be the start of one, or 'last'."""
    report(find_experiment(home_of(context, home), reference).read(), as_json=as_json)
    return 0


@experiments_group.command(
    "delete", cls=PagedCommand, examples=(("makemore-tui experiments delete 3f 8a --yes", "two, without a question"),)
)
@click.argument("references", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@click.pass_context
def delete_command(context: click.Context, references: tuple[str, ...], yes: bool, home: Home) -> int:
    """Delete experiments. Asks first on a terminal; one that is running is refused. Runs of a ladder stay."""
    home = home_of(context, home)
    found = [find_experiment(home, reference) for reference in references]
    for kept in dict.fromkeys(found):
        if not yes and sys.stdin.isatty() and not click.confirm(f"delete experiment {kept.id} for good?"):
            say(f"experiment {kept.id} kept")
            continue
        kept.delete()
        say(f"experiment {kept.id} deleted")
    return 0
