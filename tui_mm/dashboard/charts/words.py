"""The words in numbers, their lengths, and the lecture's walk through a word's windows. Pure functions to text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from data.levels import CHARACTER, LEVELS
from data.statistics import Statistics
from data.vocabulary import BOUNDARY
from data.word_vocabulary import AnyVocabulary
from tui_mm.dashboard.charts.cells import fit, label
from tui_mm.text import printable

BESIDE = 44  # columns from which there are two columns of text
_BAR = "▁▂▃▄▅▆▇█"
_ASCII_BAR = "_.-:=+*#"
_GAP = 3
_LABEL = 11
_LEAST_ROWS = 4  # with which the histogram is worth its place
LONGEST = 200  # characters of a word, or words of a sentence, that are walked through
_MOST_OF_A_WORD = 12  # cells


def describe_words(
    s: Statistics,
    walked: Sequence[tuple[int, str]],
    vocabulary: AnyVocabulary,
    block_size: int,
    *,
    width: int = 24,
    height: int = 14,
    ascii_only: bool = False,
) -> Text:
    """The panel's text, what tells most first: it may be longer than ``height``.

    ``walked``: the number of a word (or sentence) and itself; those after the first are walked through where there is
    room.
    """
    measured = f"length in {LEVELS[s.level].letters}"
    numbers, half = number_lines(s), (width - _GAP) // 2
    beside = width >= BESIDE and max(map(len, numbers)) <= half
    half = half if beside else width
    walk = [
        walk_heading(s, walked[0], block_size, half),
        *window_walk(walked[0][1], vocabulary, block_size, half, ascii_only=ascii_only),
    ]
    bigrams = ["frequent bigrams", *bigram_lines(s, half, ascii_only=ascii_only)]
    if beside:
        numbers += shared_lines(s, half)
        rows = max(len(numbers), height - max(len(walk), len(bigrams)) - 1)
        lengths = [measured, *length_rows(s, half, rows - 1, ascii_only=ascii_only)]
        lines = [*_beside(numbers, lengths, half), "", *_beside(walk, bigrams, half)]
    else:
        lines = [*numbers, length_line(s, half, ascii_only=ascii_only), *walk, "", *bigrams]
        lines += ["", *shared_lines(s, half)]
        rows = height - len(lines) - 2
        if rows >= _LEAST_ROWS:
            lines += ["", measured, *length_rows(s, half, rows, ascii_only=ascii_only)]
    for _, word in walked[1:]:
        more = ["", printable(word), *window_walk(word, vocabulary, block_size, width, ascii_only=ascii_only)]
        if len(lines) + len(more) > height:
            break
        lines += more
    return Text("\n".join(line.rstrip() for line in lines), no_wrap=True, overflow="ellipsis")


def number_lines(s: Statistics) -> list[str]:
    """Words, distinct ones, the vocabulary, and the examples of each split."""
    rows = [
        (LEVELS[s.level].rows, f"{s.words:,}"),
        ("distinct", f"{s.distinct:,}"),
        ("vocabulary", f"{s.vocabulary:,}"),
        ("examples", f"{s.examples:,}"),
    ]
    if s.unknown:
        rows.insert(3, ("  unknown", f"{s.unknown / s.examples:.1%}"))
    for name, split in s.splits.items():
        if split.words:
            rows.append((f"  {name}", f"{split.examples:,}"))
    return [f"{label:<{_LABEL}}{value}" for label, value in rows]


def shared_lines(s: Statistics, width: int) -> list[str]:
    """How many words (or sentences) of dev and test also stand in train."""
    shared = [f"{name} {s.splits[name].shared_with_train:,}" for name in ("dev", "test") if s.splits[name].words]
    if not shared:
        return []
    whole = f"{'shared':<{_LABEL}}with train: {', '.join(shared)}"
    return [whole] if len(whole) <= width else ["shared with train", f"  {', '.join(shared)}"]


def length_line(s: Statistics, width: int, *, ascii_only: bool = False) -> str:
    span = f"{s.shortest}-{s.longest} "
    return (
        f"{'length':<{_LABEL}}{span}{length_bars(s, ascii_only=ascii_only, columns=max(1, width - _LABEL - len(span)))}"
    )


def length_bars(s: Statistics, *, ascii_only: bool = False, columns: int = 16) -> str:
    """The length histogram as one row of at most ``columns`` bars, each a length or a range of lengths."""
    marks = _ASCII_BAR if ascii_only else _BAR
    counts = [count for _, count in s.length_ranges(columns)]
    most = max(counts)
    return "".join(marks[(len(marks) - 1) * count // most] if count else " " for count in counts)


def length_rows(s: Statistics, width: int, most: int, *, ascii_only: bool = False) -> list[str]:
    """The histogram with a row a length, or a range of lengths where there are more than ``most``."""
    ranges = s.length_ranges(most)
    names = [str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r, _ in ranges]
    counts = [count for _, count in ranges]
    label, number = max(map(len, names)), max(len(f"{c:,}") for c in counts)
    room = max(1, width - label - number - 2)
    mark = "#" if ascii_only else "▇"
    rows = []
    for name, count in zip(names, counts, strict=True):
        bar = mark * max(1 if count else 0, round(room * count / max(counts)))
        rows.append(f"{name:>{label}} {count:>{number},} {bar}")
    return rows


def bigram_lines(s: Statistics, width: int, *, ascii_only: bool = False) -> list[str]:
    """The most frequent bigrams, as many a line as fit."""
    between = "" if s.level == CHARACTER.name else " "
    pairs = (
        (between.join(label(x, _MOST_OF_A_WORD, ascii_only=ascii_only) for x in (a, b)), n) for a, b, n in s.bigrams
    )
    parts = [f"{pair} {count:,}" for pair, count in pairs]
    size = max(map(cell_len, parts), default=0) + 2
    each = max(1, (width + 2) // max(1, size))
    return ["".join(fit(p, size) for p in parts[i : i + each]).rstrip() for i in range(0, len(parts), each)]


def walk_heading(s: Statistics, word: tuple[int, str], block_size: int, width: int) -> str:
    """The word, its number and the block size; what does not fit is left out. A sentence is read in its walk."""
    number, text = word
    parts = [f"block {block_size}", f"{LEVELS[s.level].row} {number + 1:,} of {s.words:,}"]
    parts = [printable(text), *parts] if s.level == CHARACTER.name else parts[::-1]
    while len(parts) > 1 and cell_len("  ".join(parts)) > width:
        del parts[-1]
    return "  ".join(parts)


def window_walk(
    word: str, vocabulary: AnyVocabulary, block_size: int, width: int = 200, *, ascii_only: bool = False
) -> list[str]:
    """The lecture's ``... -> e``, ``..e -> m``, ...: each context of a word (or sentence) with what follows it. Where a
    context is wider than ``width``, its last words are shown."""
    arrow, between = "->" if ascii_only else "→", "" if vocabulary.level == CHARACTER else " "
    context = [BOUNDARY] * block_size
    tokens = vocabulary.encode(word)
    lines = []
    for token in [*tokens[:LONGEST], BOUNDARY]:
        shown = [label(vocabulary.symbol(t), _MOST_OF_A_WORD, ascii_only=ascii_only) for t in (*context, token)]
        *before, following = shown
        while between and len(before) > 1 and cell_len(f"{between.join(before)} {arrow} {following}") > width:
            del before[0]
        lines.append(f"{between.join(before)} {arrow} {following}")
        context = [*context, token][-block_size:]
    if len(tokens) > LONGEST:
        lines[-1] = "..."
    return lines


def _beside(left: Sequence[str], right: Sequence[str], half: int) -> list[str]:
    rows = max(len(left), len(right))
    padded = ([*texts, *[""] * (rows - len(texts))] for texts in (left, right))
    return [fit(a, half) + " " * _GAP + b for a, b in zip(*padded, strict=True)]
