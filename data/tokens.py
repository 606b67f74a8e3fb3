"""From text to tokens and back: what a token is, where sentences end, and how tokens are written as text again.

A token is a word, with the apostrophes and hyphens inside it; a number, with the points and commas inside it; a run of
full stops, hyphens or other signs of which rules are drawn; or any other single character that is no white space. Case
is kept. In scripts that write no spaces, a whole run of letters is one token.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby, pairwise

UNKNOWN = "<unk>"
"""How the unknown word is written, in samples and in texts that have it already. Nothing else makes this token."""

_UNSEEN = "\u200b\ufeff"  # no white space to Unicode, but they part words and are nothing to be seen
_JOINERS = "\u200c\u200d\u00ad"  # these and the soft hyphen belong to the word they stand in
_MARKED = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))  # where Unicode has combining marks

_CLOSING = "\"'”’»›)\\]}」』"  # what may stand behind the end of a sentence and belongs to it
_TITLES = ("Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Capt", "Col", "Gen", "Lt", "Sgt", "Messrs", "Mme", "Mlle")
_NO_TITLE = "".join(rf"(?<!\b{title}\.)" for title in _TITLES) + r"(?<!\b[A-HJ-Z]\.)"  # nor an initial
# A blank line, or what ends a sentence with the white space behind it, and the character after that.
_BREAK = re.compile(
    r"[\n.!?。！？](?:(?<=\n)[^\S\n]*\n\s*"
    rf"|(?<!\n)(?<![.!?。！？]{{2}}){_NO_TITLE}[.!?。！？]*+[{_CLOSING}]*+(?:(?<=[。！？])\s*|(\s+))(?=(\S?)))"
)

_GLUED_LEFT = frozenset((*",.;:!?…%)]}”’»›、。，；：！？」』", "..", "..."))  # stand close to what is before them,
_GLUED_RIGHT = frozenset("([{“‘«‹「『")  # and these to what is behind


@cache
def _token_pattern() -> re.Pattern[str]:
    # Python's \w has no combining marks, of which the words of many scripts are full.
    marks = [code for codes in _MARKED for code in codes if unicodedata.category(chr(code)).startswith("M")]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0])]
    mark = f"[{_JOINERS}" + "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs) + "]"
    letters = rf"[^\W_]+(?:(?=[^\x00-\x7f]){mark}+[^\W_]*)*"  # looking ahead costs little where there are no marks
    rules = "|".join(f"{re.escape(c)}{{2,}}" for c in ".-_*=~#")
    inside = r"['’_.,-](?:(?<![.,])|(?<=\d.)(?=\d))"
    return re.compile(rf"{letters}(?:{inside}{letters})*|{UNKNOWN}|{rules}|[^\s{_UNSEEN}]")


def tokenize(text: str) -> list[str]:
    """The tokens of a text, in order; together they are all of it but the white space."""
    return _token_pattern().findall(text)


def _is_end(found: re.Match[str]) -> bool:
    """Whether a sentence ends there: not if the next word begins in lower case, unless a blank line is before it."""
    space, after = found.groups()
    return not (after or "").islower() or (space or "").count("\n") > 1


def sentence_ends(text: str, begin: int = 0) -> Iterator[int]:
    """Where sentences end after ``begin``, the white space behind them included.

    A sentence ends at a blank line; and with ``.``, ``!`` or ``?`` and the closing quotes and brackets behind it, if
    white space follows, the next word does not begin in lower case, and the point is not that of a title or an initial.
    """
    return (found.end() for found in _BREAK.finditer(text, begin) if _is_end(found))


def mark_ends(text: str, mark: str) -> str:
    """``text`` with ``mark`` at the end of every sentence."""
    return _BREAK.sub(lambda found: found[0] + mark if _is_end(found) else found[0], text)


def join_tokens(tokens: Sequence[str]) -> str:
    """Tokens as a person writes them: no space before a comma, none inside brackets; ``tokenize`` gives them again."""
    parts = []
    quoted = False  # a straight quote opens and closes in turn
    close = True
    for before, token in pairwise(("", *tokens)):
        glued = token in _GLUED_LEFT and before[-1:] != token[0]  # two full stops side by side would be one token
        if token == '"':
            glued, quoted = quoted, not quoted
        parts.append(token if close or glued else f" {token}")
        close = token in _GLUED_RIGHT or (token == '"' and quoted)
    return "".join(parts)
