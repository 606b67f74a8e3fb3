"""Words and names as they may be shown: nothing in them reaches the terminal as a command. And losses."""

from __future__ import annotations

import math

from data.levels import CHARACTER, Level

_JOINERS = "\u200c\u200d"  # invisible, harmless, and part of emoji and of several scripts


def printable(text: str) -> str:
    """``text`` with control characters, escape sequences, direction overrides and the like written out (\\x1b)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def nats(loss: float) -> str:
    """A loss as it is shown: four decimals, and of one beyond all measure its size."""
    return f"{loss:.4g}" if abs(loss) >= 1e5 else f"{loss:.4f}"


def perplexity(loss: float | None, level: Level) -> str:
    """A mean loss as models of words are compared by, to stand behind it; "" at character level."""
    if level == CHARACTER or loss is None or not loss < 500:
        return ""
    return f" (perplexity {math.exp(loss):,.1f})"
