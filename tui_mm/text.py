"""Words and names as they may be shown: nothing in them reaches the terminal as a command. And losses."""

from __future__ import annotations

import math
import re
import unicodedata

from data.levels import CHARACTER, Level

_JOINERS = "\u200c\u200d"
_MOST_MARKS = 8  # of combining marks on one character; more of them run over the lines above and below
# Unicode takes these for letters, signs and marks, and nothing is seen of them: Hangul fillers, an empty Braille cell,
# a joiner of graphemes, vowels of Khmer and selectors of Mongolian.
_UNSEEN = "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f"
_SUSPECT = re.compile(f"[{_UNSEEN}]|[^\\x00-\\u02ff\\s]{{{_MOST_MARKS + 1}}}")


def printable(text: str) -> str:
    """``text`` with control characters, escape sequences, direction overrides and what cannot be seen written out
    (\\x1b).

    A joiner stays where it joins: between two characters beyond ASCII, as in emoji and in several scripts. Of combining
    marks that stand on one character, those beyond some are written out.
    """
    if text.isprintable() and (text.isascii() or not _SUSPECT.search(text)):
        return text
    shown, marks = [], 0
    for i, c in enumerate(text):
        if c in _JOINERS:
            is_shown = _joins(text[i - 1 : i], text[i + 1 : i + 2])
        else:
            marks = marks + 1 if unicodedata.category(c) in ("Mn", "Me") else 0
            is_shown = c.isprintable() and c not in _UNSEEN and marks <= _MOST_MARKS
        shown.append(c if is_shown else _escaped(c))
    return "".join(shown)


def _joins(before: str, after: str) -> bool:
    """Whether a joiner between two characters (or texts without any) does something, and is not one of several."""
    return all(c and not c.isascii() and c.isprintable() and c not in _UNSEEN for c in (before, after))


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


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
