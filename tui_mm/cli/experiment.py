"""`experiment`: an exercise of the lectures, run, shown and kept."""

from __future__ import annotations

import time
from typing import Any

import click

from data.catalog import CATALOG, cached_path
from data.corpus import CorpusError
from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option, json_option
from tui_mm.cli.output import ascii_only, print_json, say, terminal_width, use_color
from tui_mm.config import FIELDS, LECTURE_SEED, ConfigError, make_config
from tui_mm.experiments.catalog import EXPERIMENTS, Experiment, experiment_named
from tui_mm.experiments.kept import KeptExperiment, Record, create_experiment, find_experiment
from tui_mm.experiments.result import Row
from tui_mm.experiments.table import lecture_values, notes_of, row_text, table_lines, table_of
from tui_mm.runs.home import Home, RunError
from tui_mm.signals import stop_on_signals
from tui_mm.text import printable
from tui_mm.words import load_words

_LECTURE_SET = "lecture-names"
_TOLD_SECONDS = 5.0  # between two lines of what is under way
_CHART_HEIGHT = 18
MAX_THREADS = 1024


def word_options(command: Any) -> Any:
    """How a file of words is read: the fields of a configuration that say so."""
    for name in ("min_count", "level", "encoding"):
        field = FIELDS[name]
        command = click.option(
            f"--{name.replace('_', '-')}",
            metavar="|".join(field.choices) or "TEXT",
            help=f"{field.help} [default: {field.default}]",
        )(command)
    return command


@click.command(
    "experiment",
    cls=PagedCommand,
    short_help="Run an exercise of the lectures.",
    examples=(
        ("makemore-tui experiment part1-e03", "tune the trigram's smoothing"),
        ("makemore-tui experiment overfit --data words.txt", "on your own words"),
        ("makemore-tui experiment ladder --scale 0.05", "every model, a quick look"),
        ("makemore-tui experiment part2-e02 --json", "for another program"),
    ),
    epilog="NAME is one of: " + "; ".join(f"{e.name} ({e.title.partition(': ')[2]})" for e in EXPERIMENTS.values()),
)
@click.argument("name", metavar="NAME")
@click.option(
    "--data",
    metavar="TEXT",
    help="A named set, a file with one word a line, or - [default: lecture-names if it was fetched, else names].",
)
@word_options
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 63) - 1),
    default=LECTURE_SEED,
    show_default=True,
    metavar="N",
    help="The same seed gives the same rows.",
)
@click.option(
    "--scale", type=float, default=1.0, show_default=True, metavar="X", help="Train only this share of the steps."
)
@click.option(
    "--threads", type=click.IntRange(1, MAX_THREADS), default=1, show_default=True, metavar="N", help="CPU threads."
)
@click.option("--id", "ident", hidden=True, help="The folder that was made for it.")
@home_option
@json_option
def experiment_command(
    name: str,
    data: str | None,
    encoding: str | None,
    level: str | None,
    min_count: str | None,
    seed: int,
    scale: float,
    threads: int,
    ident: str | None,
    home: Home,
    as_json: bool,
) -> int:
    """Run an exercise of the lectures on a list of words: a table, a chart and an answer, which are kept.

    The lecture's figures stand beside ours where the words are its names.txt. Ctrl-C stops and keeps what is done;
    'makemore-tui experiments' lists what was kept.
    """
    experiment = experiment_named(name)
    if not 0 < scale <= 1:
        raise ConfigError(f"--scale: {scale:g} is not allowed; give a number above 0, at most 1")
    kept = None if ident is None else find_experiment(home, ident)
    words = {"data": data or default_words(home), "encoding": encoding, "level": level, "min_count": min_count}
    config = make_config(flags={name: value for name, value in words.items() if value is not None} | {"seed": seed})
    try:
        corpus = load_words(config, home.datasets)
    except CorpusError as error:
        if kept is not None:  # who made the folder reads there why
            _fail(kept, str(error))
        raise
    say(f"{experiment.title}\n{experiment.asks}", err=as_json)
    from tui_mm.experiments.engine import Order, check_words
    from tui_mm.experiments.running import run_experiment

    if kept is None:
        check_words(corpus)
        kept = create_experiment(home, name, config, scale=scale, threads=threads)
    order = Order(corpus, {field: getattr(config, field) for field in words}, seed, scale, threads)
    telling = _Telling(experiment)
    with stop_on_signals() as stop:
        record = run_experiment(kept, order, home, should_stop=stop, on_row=telling.row, on_doing=telling.doing)
    report(record, as_json=as_json, introduced=True)
    say(f"kept as experiment {record.id}: makemore-tui experiments show {record.id}", err=as_json)
    if record.status == "stopped":
        say("stopped; the rows that were done are kept", err=True)
        return stop.exit_code
    return 0


def default_words(home: Home) -> str:
    """The lecture's names, if they are on this machine, else the bundled ones."""
    return _LECTURE_SET if cached_path(CATALOG[_LECTURE_SET], home.datasets).exists() else "names"


class _Telling:
    """Rows as they come and, now and then, what is under way: lines on standard error."""

    def __init__(self, experiment: Experiment) -> None:
        self._columns = experiment.columns
        self._told = time.monotonic()

    def row(self, row: Row, number: int) -> None:
        say(f"  {number:>2}  {printable(row_text(self._columns, row))}", err=True)
        self._told = time.monotonic()

    def doing(self, line: str) -> None:
        if time.monotonic() - self._told >= _TOLD_SECONDS:
            self._told = time.monotonic()
            say(f"      {printable(line)}", err=True)


def report(record: Record, *, as_json: bool, introduced: bool = False) -> None:
    """A record on standard output: as one JSON document, or as a person reads it; ``introduced``: what it asks stands
    above already."""
    experiment = EXPERIMENTS[record.name]
    figures = experiment.figures("" if record.words is None else record.words.sha256, record.seed, record.scale)
    result = record.result
    if as_json:
        rows = []
        for row in result.rows:
            lecture = lecture_values(result, figures, row)
            rows.append(row | {"lecture": lecture} if lecture else row)
        print_json(document(record) | {"rows": rows, "answer": result.answer, "notes": list(result.notes)})
        return
    if not introduced:
        say(f"{experiment.title}\n{experiment.asks}")
    words = "" if record.words is None else f"{printable(record.words.name)}: {record.words.words:,} words, "
    say(f"{words}seed {record.seed}, {record.status}, {record.seconds:.1f} s")
    if result.rows:
        say()
        for line in table_lines(table_of(result, figures)):
            say(line)
    if result.chart is not None and len(result.rows) > 1:
        from tui_mm.dashboard.charts.experiment import experiment_chart, experiment_height
        from tui_mm.dashboard.charts.look import Colors, Look

        height = experiment_height(result.chart, _CHART_HEIGHT)
        look = Look(terminal_width(), height, Colors() if use_color() else None, ascii_only())
        say()
        say(experiment_chart(result.chart, look))
    if result.answer:
        say()
        say(printable(result.answer))
    for note in notes_of(result, figures, record.scale):
        say(printable(f"- {note}"))
    if record.fault:
        say(printable(f"failed: {record.fault}"))


def document(record: Record) -> dict[str, Any]:
    """What JSON says of a record beside its rows."""
    return {
        "experiment": record.name,
        "title": EXPERIMENTS[record.name].title,
        "id": record.id,
        "status": record.status,
        "data": {"source": record.data}
        | ({} if record.words is None else {"name": record.words.name, "sha256": record.words.sha256,
                                            "words": record.words.words}),
        "seed": record.seed,
        "scale": record.scale,
        "threads": record.threads,
        "created": record.created,
        "seconds": record.seconds,
        "test_evaluations": record.result.test_evaluations,
    }  # fmt: skip


def _fail(kept: KeptExperiment, fault: str) -> None:
    from dataclasses import replace

    try:
        kept.write(replace(kept.read(), status="failed", fault=fault))
    except RunError as error:
        say(f"makemore-tui: {printable(str(error))}", err=True)
