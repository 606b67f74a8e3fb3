"""What was wrong with a command line, in one line."""

from __future__ import annotations

from typing import Any

import click


def explain(error: click.UsageError) -> str:
    """Of a number: the option, what was given, and what is allowed; of anything else, click's words."""
    if isinstance(error, click.BadParameter) and error.param is not None:
        given, _, _ = error.message.rpartition(" is not ")  # what was given may have these words, too
        allowed = _allowed(error.param.type)
        if given and allowed:
            return f"{' / '.join(error.param.opts)}: {given} is not allowed; give {allowed}"
    return error.format_message().rstrip(".")


def _allowed(kind: click.ParamType[Any]) -> str:
    """In words; empty for what is no number."""
    if isinstance(kind, click.types.FloatParamType):
        return "a number"
    if not isinstance(kind, click.types.IntParamType):
        return ""
    low, high = (kind.min, kind.max) if isinstance(kind, click.IntRange) else (None, None)
    if low is None:
        return "a whole number"
    return f"a whole number from {low:,} on" if high is None else f"a whole number from {low:,} to {high:,}"
