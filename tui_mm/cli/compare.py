"""`compare`: two to five runs side by side."""

from __future__ import annotations

import sys
from typing import Any

import click

from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option, json_option
from tui_mm.cli.output import ascii_only, print_json, print_table, say, terminal_width, use_color
from tui_mm.cli.sample import checkpoint_option
from tui_mm.config import LECTURE_SEED, text_of
from tui_mm.runs.differences import LEAST_COMPARED, LETTERS, MOST_COMPARED, Difference, differences
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.listing import read_row
from tui_mm.runs.row import RunRow
from tui_mm.runs.run import Run, Which, find_run
from tui_mm.runs.summary import summarize
from tui_mm.text import nats, printable

MAX_SAMPLES = 1000


@click.command(
    "compare",
    cls=PagedCommand,
    short_help="Two to five runs side by side.",
    examples=(
        ("makemore-tui compare baseline wide", "two runs by their names: losses, configurations, names"),
        ("makemore-tui compare 3f 8a c0 --prefix em", "what three runs say follows em"),
        ("makemore-tui compare last 3f --checkpoint best --json", "at their least dev loss, for another program"),
    ),
)
@click.argument("references", metavar="RUN RUN [RUN...]", nargs=-1)
@click.option(
    "--prefix", default="", metavar="TEXT", help="What the next character follows and every name begins with."
)
@click.option(
    "-n", "--count", type=click.IntRange(1, MAX_SAMPLES), default=10, show_default=True, help="How many names of each."
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 63) - 1),
    default=LECTURE_SEED + 10,
    show_default=True,
    metavar="N",
    help="The same for every run; 'makemore-tui sample' gives the same names with it.",
)
@checkpoint_option
@home_option
@json_option
def compare_command(
    references: tuple[str, ...], prefix: str, count: int, seed: int, checkpoint: Which, home: Home, as_json: bool
) -> int:
    """Compare runs: losses, where their configurations differ, what they predict and which names they draw.

    A run that cannot be asked, such as one whose words lack a character of the prefix, says why in its place.
    """
    runs = _runs_of(home, references)
    found = differences([run.config() for run in runs])
    rows = [read_row(run) for run in runs]
    import torch

    from tui_mm.worker.comparison import Comparer, Question

    torch.set_num_threads(1)
    answer = Comparer().compare(runs, Question(prefix, seed, count, checkpoint=checkpoint))
    if as_json:
        print_json(_document(runs, found, answer))
        return 0
    _print_facts(rows)
    say()
    _print_differences(found, len(runs))
    named = [row.name or row.id for row in rows]
    if sys.stdout.isatty():
        say()
        _print_curves(runs, named)
    _print_answer(answer, named)
    return 0


def _runs_of(home: Home, references: tuple[str, ...]) -> list[Run]:
    """The runs of ids, prefixes, names or ``last``, as many as can be compared, each once. Raises RunError."""
    if not LEAST_COMPARED <= len(references) <= MOST_COMPARED:
        raise RunError(
            f"{len(references)} run{'s' if len(references) != 1 else ''} cannot be compared; give {LEAST_COMPARED} to "
            f"{MOST_COMPARED} ('makemore-tui runs' lists them)"
        )
    runs: list[Run] = []
    for reference in references:
        run = find_run(home, reference)
        if run in runs:
            earlier = references[runs.index(run)]
            named = f"{reference} and {earlier} are" if earlier != reference else f"{reference} is given twice,"
            raise RunError(f"{named} the same run ({run.id}); give each run once")
        runs.append(run)
    return runs


def _document(runs: list[Run], found: list[Difference], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, with what is known of each run beside what it said."""
    told = []
    for run, said in zip(runs, answer["runs"], strict=True):
        summary = summarize(run)
        del summary["samples"]
        with run.store() as store:
            taken = store.evaluations()
        kept = [{"step": e.step, "train": _finite(e.train), "dev": _finite(e.dev), "seconds": e.seconds} for e in taken]
        told.append({**summary, "evaluations": kept, "answer": {k: v for k, v in said.items() if k != "run"}})
    return {
        **{key: value for key, value in answer.items() if key != "runs"},
        "differences": {each.field: list(each.values) for each in found},
        "runs": told,
    }


def _print_facts(rows: list[RunRow]) -> None:
    from tui_mm.dashboard.charts.compare import steps_text, time_text

    facts = {
        "run": [row.id for row in rows],
        "name": [row.name or "" for row in rows],
        "status": [row.status for row in rows],
        "data": [row.data for row in rows],
        "model": [row.model for row in rows],
        "parameters": ["" if row.parameters is None else f"{row.parameters:,}" for row in rows],
        "steps": [steps_text(row) for row in rows],
        "time": [time_text(row) for row in rows],
        "train": [_loss(row.train) for row in rows],
        "dev": [_loss(row.dev) for row in rows],
        "best dev": [_loss(row.best_dev) for row in rows],
    }
    print_table([(name, *cells) for name, cells in facts.items() if any(cells)], ("", *LETTERS[: len(rows)]))


def _print_differences(found: list[Difference], count: int) -> None:
    if not found:
        say("their configurations are the same")
        return
    cells = [(each.field, *("-" if v is None else text_of(v, each.field) for v in each.values)) for each in found]
    print_table(cells, ("differs", *LETTERS[:count]))


def _print_curves(runs: list[Run], named: list[str]) -> None:
    from tui_mm.dashboard.charts.look import Colors, Look
    from tui_mm.dashboard.charts.loss import loss_chart
    from tui_mm.dashboard.losses import comparison

    look = Look(terminal_width(), colors=Colors() if use_color() else None, ascii_only=ascii_only())
    followers = [RunFollower(run) for run in runs]
    try:
        trained = []
        for name, follower in zip(named, followers, strict=True):
            follower.poll()
            trained.append((name, follower))
        say(loss_chart(comparison(trained, "steps", look), look))
    finally:
        for follower in followers:
            follower.close()


def _print_answer(answer: dict[str, Any], named: list[str]) -> None:
    from tui_mm.dashboard.charts.compare import next_text, samples_text
    from tui_mm.dashboard.charts.look import Look

    prefix = printable(answer["prefix"])
    for title, draw in (
        (f"next after {prefix}" if prefix else "first", next_text),
        (f"samples from seed {answer['seed']}" + (f", beginning with {prefix}" if prefix else ""), samples_text),
    ):
        say(f"\n{title}, by the {answer['checkpoint']} checkpoints")
        look = Look(terminal_width(), MAX_SAMPLES + 100, None, ascii_only())  # all of it
        say("\n".join(text.rstrip() for text in draw(answer, named, look).plain.split("\n")))


def _loss(value: float | None) -> str:
    return "" if value is None else nats(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None
