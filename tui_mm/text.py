"""Words and names as they may be shown: nothing in them reaches the terminal as a command. And losses."""

from __future__ import annotations

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
