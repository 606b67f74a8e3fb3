"""`runs`: list, show, rename and delete what was trained."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from data.levels import CHARACTER, LEVELS
from tui_mm.cli.help import PagedCommand, PagedGroup
from tui_mm.cli.options import home_of, home_option, json_option
from tui_mm.cli.output import print_json, print_table, say
from tui_mm.kinds import size_text
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.listing import list_runs
from tui_mm.runs.run import Run, find_run, rename_run
from tui_mm.runs.store import EventRow
from tui_mm.runs.summary import summarize, summarize_all
from tui_mm.text import nats, printable


@click.group(
    "runs",
    cls=PagedGroup,
    invoke_without_command=True,
    examples=(
        ("makemore-tui runs", "all runs, newest last"),
        ("makemore-tui runs show last", "one run in full"),
        ("makemore-tui runs rename 3f mine", "give a run a name"),
        ("makemore-tui runs delete 3f", "delete a run"),
    ),
)
@home_option
@json_option
@click.pass_context
def runs_group(context: click.Context, home: Home, as_json: bool) -> int:
    """List the runs, newest last."""
    context.obj = home
    return 0 if context.invoked_subcommand else _list(home, as_json)


def _list(home: Home, as_json: bool) -> int:
    if as_json:
        print_json({"home": str(home.root), "runs": summarize_all(home)})
        return 0
    rows = list_runs(home)[::-1]
    if not rows:
        say(f"no runs in {printable(str(home.runs))} yet; 'makemore-tui train' makes one")
        return 0
    print_table(
        [
            (
                row.id,
                row.name or "",
                row.status,
                row.data,
                row.model,
                "" if row.fault else f"{row.steps:,}",
                _loss(row.dev),
                _loss(row.best_dev),
                _when(row.started),
            )
            for row in rows
        ],
        ("run", "name", "status", "data", "model", "steps", "dev", "best dev", "started"),
    )
    return 0


@runs_group.command("show", cls=PagedCommand, examples=(("makemore-tui runs show last", "the newest run"),))
@click.argument("reference", metavar="RUN")
@home_option
@json_option
@click.pass_context
def show_command(context: click.Context, reference: str, home: Home, as_json: bool) -> int:
    """Show a run: data, model, losses, configuration, samples and what happened."""
    run = find_run(home_of(context, home), reference)
    summary = summarize(run)
    if as_json:
        print_json(summary)
        return 0
    with run.store() as store:
        events = store.events()
    try:
        _print_run(run, summary, events)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(f"run {run.id}: its store lacks what a run has ({error!r}); it is damaged") from None
    return 0


def _print_run(run: Run, summary: dict[str, Any], events: list[EventRow]) -> None:
    data, model, losses = summary["data"], summary["model"], summary["losses"]
    rows = LEVELS[data.get("level", CHARACTER.name)].rows
    size = size_text(model["kind"], model["parameters"])
    engine = f", engine {summary['engines']}" if summary["engines"] else ""
    print_table(
        [
            ("run", run.id + (f" ({summary['name']})" if summary["name"] else "")),
            ("status", summary["status"]),
            ("folder", str(run.folder)),
            ("data", f"{data['name']}: {data['words']:,} {rows}, {data['distinct']:,} distinct, from {data['source']}"),
            ("examples", ", ".join(f"{count:,} {name}" for name, count in data["examples"].items())),
            ("model", f"{model['kind']}, {size}, block size {model['block_size']}"),
            ("device", f"{summary['device']}, threads {summary['threads']}{engine}"),
            (
                "steps",
                f"{summary['steps']:,}, {summary['seconds']:.1f} s, {summary['steps_per_second'] or 0:,.0f} steps/s",
            ),
            (
                "losses",
                ", ".join(
                    f"{name} {nats(value)}"
                    for name, value in losses.items()
                    if value is not None and name != "best_step"
                ),
            ),
            ("config", ", ".join(f"{name} {value}" for name, value in summary["config"].items())),
        ]
    )
    if summary["samples"]:
        say("samples   " + printable(" ".join(summary["samples"])))
    for event in events:
        at = datetime.fromtimestamp(event.time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        say(f"{at}  {printable(event.message)}")


@runs_group.command(
    "rename",
    cls=PagedCommand,
    examples=(
        ("makemore-tui runs rename last mine", "give the newest run a name"),
        ('makemore-tui runs rename mine ""', "take its name away"),
    ),
)
@click.argument("reference", metavar="RUN")
@click.argument("name", metavar="NAME")
@home_option
@click.pass_context
def rename_command(context: click.Context, reference: str, name: str, home: Home) -> int:
    """Give a run another name. Two runs never have the same; an empty one takes the name away."""
    home = home_of(context, home)
    run = find_run(home, reference)
    rename_run(home, run, name or None)
    say(f"run {run.id} is now named {name}" if name else f"run {run.id} has no name now")
    return 0


@runs_group.command(
    "delete",
    cls=PagedCommand,
    examples=(("makemore-tui runs delete last", "the newest run"), ("makemore-tui runs delete 3f 8a --yes", "two")),
)
@click.argument("references", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@click.pass_context
def delete_command(context: click.Context, references: tuple[str, ...], yes: bool, home: Home) -> int:
    """Delete runs with all that was kept of them. Asks first on a terminal; a run in training is refused."""
    home = home_of(context, home)
    runs = [find_run(home, reference) for reference in references]
    for run in dict.fromkeys(runs):
        if not yes and sys.stdin.isatty() and not click.confirm(f"delete run {run.id} for good?"):
            say(f"run {run.id} kept")
            continue
        run.delete()
        say(f"run {run.id} deleted")
    return 0


def _loss(value: float | None) -> str:
    return "" if value is None else nats(value)


def _when(started: str) -> str:
    return datetime.fromisoformat(started).astimezone().strftime("%Y-%m-%d %H:%M") if started else ""
