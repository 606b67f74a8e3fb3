"""`--headless`: the dashboard without a terminal, its result as `train --json` prints it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from tui_mm.cli.output import print_json, say
from tui_mm.cli.train import EXIT_DIVERGED
from tui_mm.config import RunConfig
from tui_mm.runs.home import Home
from tui_mm.runs.summary import summarize
from tui_mm.text import printable

_DEFAULT_SIZE = "120x36"
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")
_LEAST, _MOST = (20, 8), (1000, 400)


def headless_dashboard(
    config: RunConfig,
    home: Home,
    size: str | None,
    press: Sequence[str],
    screenshot: Path | None,
    *,
    ascii_only: bool = False,
) -> int:
    """Train in the dashboard, press the keys, print one JSON document; the exit code is not 0 if anything raised."""
    columns, rows = parse_size(size or _DEFAULT_SIZE)
    keys = parse_keys(press)
    from tui_mm.dashboard.app import DashboardApp
    from tui_mm.dashboard.headless import HeadlessError, run_headless
    from tui_mm.settings import Settings

    dashboard = DashboardApp(config, home, ascii_only=ascii_only, settings=Settings())
    try:
        run = run_headless(dashboard, size=(columns, rows), press=keys, screenshot=screenshot)
    except HeadlessError as error:
        say(f"makemore-tui: error: {printable(str(error))}", err=True)
        return error.code
    summary = summarize(run)
    print_json(summary)
    return EXIT_DIVERGED if summary["status"] in ("diverged", "failed", "crashed") else 0


def parse_size(text: str) -> tuple[int, int]:
    """Columns and rows of ``120x36``. Raises click.UsageError."""
    found = _SIZE.fullmatch(text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(least <= value <= most for least, value, most in zip(_LEAST, size, _MOST, strict=True)):
        raise click.UsageError(
            f"--size: {text!r} is not allowed; give columns and rows from {_LEAST[0]}x{_LEAST[1]} to "
            f"{_MOST[0]}x{_MOST[1]}, such as {_DEFAULT_SIZE}"
        )
    return size


def parse_keys(texts: Sequence[str]) -> list[str]:
    """The keys of --press, by Textual's names: ``'l s e m'`` are four. Raises click.UsageError."""
    from textual.keys import Keys

    keys = [key for text in texts for key in text.split()]
    named = {str(key.value) for key in Keys} | {"space", "question_mark", "plus", "minus"}
    for key in keys:
        if len(key) > 1 and key.split("+")[-1] not in named and len(key.split("+")[-1]) > 1:
            raise click.UsageError(
                f"--press: {key!r} is no key; give characters and names such as space, enter, escape, tab, left, "
                "ctrl+p, with spaces between"
            )
    return keys
