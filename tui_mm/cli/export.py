"""`export`: a run as a table, as JSON, as TensorBoard reads it, or as a picture."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option
from tui_mm.cli.output import say
from tui_mm.runs.export_file import file_name, new_file, unwritable
from tui_mm.runs.export_source import RunSnapshot, Sink, damage_named
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import find_run
from tui_mm.signals import stop_on_signals
from tui_mm.text import printable

Writer = Callable[[RunSnapshot, Sink], int]
_STANDARD_OUTPUT = "-"


def _csv(source: RunSnapshot, out: Sink) -> int:
    from tui_mm.runs.export_csv import write_csv

    return write_csv(source, out)


def _jsonl(source: RunSnapshot, out: Sink) -> int:
    from tui_mm.runs.export_jsonl import write_jsonl

    return write_jsonl(source, out)


def _tensorboard(source: RunSnapshot, out: Sink) -> int:
    from tui_mm.runs.export_tensorboard import write_tensorboard

    return write_tensorboard(source, out)


def _svg(source: RunSnapshot, out: Sink) -> int:
    from tui_mm.cli.export_svg import write_svg

    return write_svg(source, out)


_WRITERS: dict[str, Writer] = {"csv": _csv, "jsonl": _jsonl, "tensorboard": _tensorboard, "svg": _svg}


@click.command(
    "export",
    cls=PagedCommand,
    short_help="A run as a table, JSON, a TensorBoard log or a picture.",
    examples=(
        ("makemore-tui export last --to csv", "a row a step, for a spreadsheet or pandas"),
        ("makemore-tui export baseline --to svg", "the loss chart, for a README or a paper"),
        ("makemore-tui export 3f --to jsonl --output - | jq .kind", "all that is kept, for another program"),
        ("makemore-tui export 3f --to tensorboard && tensorboard --logdir .", "for TensorBoard"),
    ),
)
@click.argument("reference", metavar="RUN")
@click.option(
    "--to",
    "form",
    type=click.Choice(list(_WRITERS)),
    required=True,
    help="csv: step, loss, lr, seconds, and train and dev where they were evaluated. jsonl: all that is kept, an "
    "object a line (docs/export.md). svg: the loss chart as a drawing. tensorboard: a folder; needs "
    "'makemore-tui[tensorboard]'.",
)
@click.option(
    "--output",
    metavar="FILE",
    help="Where to; - is standard output [default: the run's name, or its id, in the current folder].",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@home_option
def export_command(reference: str, form: str, output: str | None, force: bool, home: Home) -> int:
    """Write a run to a file that other programs read.

    A run that is being trained is written as far as it is. The file appears when all of it is written; one that is
    there is not replaced without --force. Losses are in nats.
    """
    run = find_run(home, reference)
    if form == "tensorboard":
        from tui_mm.runs.export_tensorboard import require_tensorboard

        require_tensorboard()
        if output == _STANDARD_OUTPUT:
            raise RunError("--output -: TensorBoard reads a folder; give --output one")
    with damage_named(run), RunSnapshot(run) as source:
        source.require_training()
        path = Path(output or f"{file_name(source.title, run.id)}.{form}")
        if output == _STANDARD_OUTPUT:
            with _standard_output() as file:
                out = _Counted(file)
                steps = _WRITERS[form](source, out)
        else:
            with stop_on_signals(*_SIGNALS) as stop:
                try:
                    with _new_file(path, form, force=force) as file:
                        out = _Counted(file, stop)
                        steps = _WRITERS[form](source, out)
                except KeyboardInterrupt:
                    say("makemore-tui: stopped, nothing was written", err=True)
                    return stop.exit_code
        live = f"; it is {source.status}, export it again for the rest" if source.is_live else ""
    where = "standard output" if output == _STANDARD_OUTPUT else printable(str(path))
    said = f"run {run.id} to {where}: {steps:,} step{'' if steps == 1 else 's'}, {out.written:,} bytes{live}"
    say(said, err=output == _STANDARD_OUTPUT)
    return 0


_SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class _Counted:
    """Counts what is written, and ends the writing, by KeyboardInterrupt, when that is asked for."""

    def __init__(self, out: Sink, should_stop: Callable[[], bool] = lambda: False) -> None:
        self._out = out
        self._should_stop = should_stop
        self.written = 0

    def write(self, data: bytes, /) -> None:
        if self._should_stop():
            raise KeyboardInterrupt
        self._out.write(data)
        self.written += len(data)


@contextmanager
def _new_file(path: Path, form: str, *, force: bool) -> Iterator[Sink]:
    """A file of this name, or, of TensorBoard's, the one in a folder of this name."""
    if form != "tensorboard":
        with new_file(path, force=force) as file:
            yield file
        return
    from tui_mm.runs.export_tensorboard import FILE

    made = not path.exists()
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(unwritable(path, error)) from None
    try:
        with new_file(path / FILE, force=force) as file:
            yield file
    except BaseException:
        if made:
            path.rmdir()
        raise


@contextmanager
def _standard_output() -> Iterator[Sink]:
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # whoever read it has enough
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
        raise RunError(unwritable("standard output", error)) from None
