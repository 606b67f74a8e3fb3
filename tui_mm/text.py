"""Words and names as they may be shown: nothing in them reaches the terminal as a command."""

from __future__ import annotations

_JOINERS = "\u200c\u200d"  # invisible, harmless, and part of emoji and of several scripts


def printable(text: str) -> str:
    """``text`` with control characters, escape sequences, direction overrides and the like written out (\\x1b)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
