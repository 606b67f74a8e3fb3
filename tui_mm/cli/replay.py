"""`replay`: a run played back in the dashboard."""

from __future__ import annotations

import gc
import re
import sys
from fractions import Fraction
from pathlib import Path

import click

from tui_mm.cli.dashboard import collect_again
from tui_mm.cli.headless import parse_keys, parse_size
from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option
from tui_mm.cli.output import ascii_only, say
from tui_mm.runs.home import Home
from tui_mm.runs.replay import ReplayFollower
from tui_mm.runs.run import find_run
from tui_mm.text import printable

_DEFAULT_SIZE = "120x36"
_SPEED = re.compile(r"(\d{1,7}(?:\.\d{1,6})?|\.\d{1,6}|\d{1,6}/\d{1,6})x?")
_SLOWEST, _FASTEST = Fraction(1, 1000), 1_000_000


@click.command(
    "replay",
    cls=PagedCommand,
    short_help="Play an old run back in the dashboard.",
    examples=(
        ("makemore-tui replay last", "the newest run, in about half a minute"),
        ("makemore-tui replay 3f --speed 1", "as fast as it was trained; 1/4, 0.5 and 16 work too"),
        ("makemore-tui replay 3f --at 2000", "as it was after 2,000 steps; space plays on from there"),
        ("makemore-tui replay 3f --at 2000 --screenshot a.svg --press 5", "a picture of that, without a terminal"),
    ),
)
@click.argument("reference", metavar="RUN")
@click.option("--speed", metavar="X", help="Seconds of the training a second [default: all of it in half a minute].")
@click.option("--at", type=click.IntRange(0), metavar="STEP", help="Stand at this step, paused.")
@click.option("--ascii", "ascii_wanted", is_flag=True, help="Draw with ASCII characters alone.")
@click.option(
    "--screenshot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the screen at --at, else at the end, as SVG; needs no terminal.",
)
@click.option("--size", metavar="WxH", help="With --screenshot: columns and rows [default: 120x36].")
@click.option(
    "--press", multiple=True, metavar="KEYS", help="With --screenshot: keys to press before, such as '5' or 'z'."
)
@home_option
def replay_command(
    reference: str,
    speed: str | None,
    at: int | None,
    ascii_wanted: bool,
    screenshot: Path | None,
    size: str | None,
    press: tuple[str, ...],
    home: Home,
) -> int:
    """Play a run back: its losses, names, embedding and layers as they were at each moment of its training.

    Nothing is trained and no model is loaded. A run that is being trained can be replayed as far as it is.
    """
    pace = None if speed is None else parse_speed(speed)
    if screenshot is None:
        for flag, value in (("--size", size), ("--press", press)):
            if value:
                raise click.UsageError(f"{flag} goes with --screenshot")
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.UsageError("a replay needs a terminal; without one, give --screenshot FILE, and --at STEP")
    columns, rows = parse_size(size or _DEFAULT_SIZE)
    keys = parse_keys(press)
    run = find_run(home, reference)
    config = run.config()
    follower = ReplayFollower(run)
    if at is not None and at > follower.total:
        follower.close()
        raise click.UsageError(
            f"--at: {at} is not allowed; run {run.id} has {follower.total} steps: give 0 to {follower.total}"
        )
    if screenshot is None:
        gc.disable()  # until the panels are up
    from tui_mm.dashboard.replay import ReplayApp

    if screenshot is None:
        from tui_mm.cli.guard import TerminalGuard

        plain = ascii_wanted or ascii_only()
        with TerminalGuard() as guard:
            app = ReplayApp(follower, config, home, at=at, speed=pace, ascii_only=plain, when_up=collect_again)
            guard.wait_until_ready()
            line = app.run()
        if line:
            say(line)
        return app.return_code or 0
    from tui_mm.dashboard.headless import HeadlessError
    from tui_mm.dashboard.replay_picture import take_picture
    from tui_mm.settings import Settings

    app = ReplayApp(
        follower, config, home, at=follower.total if at is None else at, ascii_only=ascii_wanted, settings=Settings()
    )
    try:
        take_picture(app, size=(columns, rows), press=keys, screenshot=screenshot)
    except HeadlessError as error:
        say(f"makemore-tui: error: {printable(str(error))}", err=True)
        return error.code
    return 0


def parse_speed(text: str) -> float:
    """Of ``4``, ``4x``, ``0.5`` or ``1/4x``. Raises click.UsageError."""
    found = _SPEED.fullmatch(text.strip())
    above, _, below = found[1].partition("/") if found is not None else ("0", "", "")
    speed = Fraction(above) / Fraction(below or 1) if Fraction(below or 1) else Fraction(0)
    if _SLOWEST <= speed <= _FASTEST:
        return float(speed)
    raise click.UsageError(
        f"--speed: {text!r} is not allowed; give a number from 0.001 to 1000000, such as 0.5, 1/4 or 16"
    )
