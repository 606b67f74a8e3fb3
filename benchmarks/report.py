"""How a program of measurements says what it found: a table with its notes, or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.row import Row, table

LEAST_REPEATS = 5


def report(
    rows: Sequence[Row],
    facts: Mapping[str, Any],
    about: str,
    *,
    as_json: bool,
    notes: Iterable[str] | None = None,
    below: str = "",
) -> None:
    """Print the rows. A target that is not met is said, and is no failure of the program.

    facts: what JSON has beside the machine and the rows; about: what stands behind the machine in text; notes: one for
    each row where none are given; below: more text
    """
    from benchmarks.machine import machine, machine_line  # has torch, which would be forked with every program

    if as_json:
        print(json.dumps({"machine": machine(), **facts, "rows": [row.as_json() for row in rows]}, indent=1))
        return
    said = [f"{row.name}: {row.note}" for row in rows] if notes is None else notes
    print(f"{machine_line()}{about}\n\n{table(rows)}\n")
    print("\n".join(f"- {note}." for note in said))
    if below:
        print(f"\n{below}")
    if verdict := met_text(rows):
        print(f"\n{verdict}")


def repeats_argument(text: str) -> int:
    """Of an argument ``--repeats``."""
    if not text.isdecimal() or int(text) < LEAST_REPEATS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed; give a whole number from {LEAST_REPEATS} on, or --quick"
        )
    return int(text)


def met_text(rows: Sequence[Row]) -> str:
    """How many targets are met, and the names of the rows whose is not; empty where there are no targets."""
    judged = [row for row in rows if row.met is not None]
    missed = [row.name for row in judged if not row.met]
    if not judged:
        return ""
    counted = f"{len(judged) - len(missed)} of {len(judged)} targets met"
    return f"{counted}; not met: {'; '.join(missed)}" if missed else counted
