"""`stop` and `pause`, and what else is asked of a run that is trained elsewhere: in a dashboard, another terminal, or
in the background."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import click

from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option, json_option
from tui_mm.cli.output import print_json, say
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.run import Run, find_run
from tui_mm.worker import protocol as ask
from tui_mm.worker.client import WorkerClient, WorkerGoneError

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 60.0  # for torch to load, and for the block of steps and the evaluation that are under way


@click.command(
    "stop",
    cls=PagedCommand,
    short_help="Stop a training that goes on elsewhere.",
    examples=(("makemore-tui stop last", "the newest run"), ("makemore-tui stop 3f", "a run by the start of its id")),
)
@click.argument("reference", metavar="RUN")
@home_option
@json_option
def stop_command(reference: str, home: Home, as_json: bool) -> int:
    """Stop a training that goes on elsewhere, with a checkpoint from which 'makemore-tui resume' goes on.

    Returns when it has stopped. A run that is not being trained is left as it is.
    """
    run = find_run(home, reference)
    if not _is_training(run):
        return _say_idle(run, as_json=as_json)
    with suppress(WorkerGoneError):  # it may come to its end this moment
        _ask(run, ask.Stop())
    status = asyncio.run(_until_ended(run))
    line = f"run {run.id} is {status} at step {_step(run):,}"
    return _tell(run, line if status == "done" else f"{line}; {_way_on(run)}", as_json=as_json)


@click.command(
    "pause",
    cls=PagedCommand,
    short_help="Pause a training that goes on elsewhere.",
    examples=(("makemore-tui pause last", "the newest run"), ("makemore-tui resume last", "let it go on")),
)
@click.argument("reference", metavar="RUN")
@home_option
@json_option
def pause_command(reference: str, home: Home, as_json: bool) -> int:
    """Pause a training that goes on elsewhere; 'makemore-tui resume' lets it go on.

    It stays in memory meanwhile. A run that is not being trained is left as it is.
    """
    run = find_run(home, reference)
    if not _is_training(run):
        return _say_idle(run, as_json=as_json)
    answer = _ask(run, ask.Pause())
    return _tell(run, f"run {run.id} is paused at step {answer['step']:,}; {_way_on(run)}", as_json=as_json)


def let_go_on(run: Run, *, as_json: bool) -> int:
    """A run that is paused elsewhere goes on there."""
    _ask(run, ask.Start())
    return _tell(run, f"run {run.id} goes on; watch it with: makemore-tui attach {run.id}", as_json=as_json)


def start_detached(run: Run, *, as_json: bool) -> int:
    """Train a run without a terminal, from its last checkpoint if it has one. Returns when the training has begun."""
    if run.is_live():
        raise RunError(f"run {run.id}: is being trained already; watch it with 'makemore-tui attach {run.id}'")
    _ask(run, ask.Start(), begin=True)
    ways = f"watch it: makemore-tui attach {run.id}, end it: makemore-tui stop {run.id}"
    return _tell(run, f"run {run.id} trains in the background; {ways}", as_json=as_json)


def _way_on(run: Run) -> str:
    return f"go on with: makemore-tui resume {run.id}"


def _is_training(run: Run) -> bool:
    return run.status() in AT_WORK


def _say_idle(run: Run, *, as_json: bool) -> int:
    return _tell(run, f"run {run.id} is not being trained: it is {run.status()}", as_json=as_json)


def _ask(run: Run, command: ask.Command, *, begin: bool = False) -> dict[str, Any]:
    """What a worker that is there, or that is to ``begin``, answers. Raises RunError."""
    client = WorkerClient(run, stays=False)
    try:
        if begin:
            client.start_worker()
        return asyncio.run(client.ask(command, _PATIENCE_SECONDS))
    except ask.CommandError as error:
        raise RunError(str(error)) from None
    except TimeoutError as error:
        raise RunError(f"{error}; the machine may be very busy, or the process stopped") from None
    finally:
        client.close()


async def _until_ended(run: Run) -> str:
    """Its status once it is not trained any more."""
    while (status := run.status()) in AT_WORK:
        await asyncio.sleep(_LOOK_SECONDS)
    return status


def _step(run: Run) -> int:
    with run.store() as store:
        return store.steps


def _tell(run: Run, line: str, *, as_json: bool) -> int:
    if as_json:
        print_json({"run": run.id, "status": run.status(), "steps": _step(run)})
    else:
        say(line)
    return 0
