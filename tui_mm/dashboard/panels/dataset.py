"""The Dataset panel: the words in numbers, and the lecture's walk through a word's windows."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from data.statistics import Statistics
from data.vocabulary import BOUNDARY, Vocabulary
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import Words
from tui_mm.text import printable

_BAR = "▁▂▃▄▅▆▇█"
_ASCII_BAR = "_.-:=+*#"


class DatasetPanel(Panel):
    """Filled as soon as the words are read, before torch is there."""

    NAME = "dataset"
    TITLE = "Dataset"

    def compose(self) -> ComposeResult:
        yield Static("reading the words ...", markup=False)

    def draw(self) -> None:
        words = self.state.words
        if words is not None:
            text = describe_words(words, self.state.config.block_size, ascii_only=self.state.ascii_only)
            self.query_one(Static).update(text)

    def show_fault(self, line: str) -> None:
        self.query_one(Static).update(Text(printable(line)))


def describe_words(words: Words, block_size: int, *, ascii_only: bool = False) -> Text:
    """The panel's text."""
    s = words.statistics
    rows = [
        ("words", f"{s.words:,}"),
        ("distinct", f"{s.distinct:,}"),
        ("vocabulary", f"{s.vocabulary}"),
        ("examples", f"{s.examples:,}"),
        ("length", f"{s.shortest} to {s.longest}  {length_bars(s, ascii_only=ascii_only)}"),
    ]
    for name, split in s.splits.items():
        if split.words:
            shared = f", {split.shared_with_train:,} in train" if split.shared_with_train else ""
            rows.append((f"  {name}", f"{split.examples:,}{shared}"))
    top = "  ".join(f"{a}{b} {count:,}" for a, b, count in s.bigrams[:5])
    rows.append(("bigrams", printable(top)))
    lines = [f"{label:<10} {value}" for label, value in rows]
    walk = window_walk(words.splits.corpus.word(0), words.splits.vocabulary, block_size)
    return Text("\n".join([*lines, "", *walk]), no_wrap=True, overflow="ellipsis")


def length_bars(statistics: Statistics, *, ascii_only: bool = False, columns: int = 16) -> str:
    """The length histogram as one row of bars, from the shortest length on."""
    marks = _ASCII_BAR if ascii_only else _BAR
    most = max(statistics.lengths.values())
    lengths = range(statistics.shortest, min(statistics.longest, statistics.shortest + columns - 1) + 1)
    return "".join(
        marks[(len(marks) - 1) * count // most] if (count := statistics.lengths.get(length, 0)) else " "
        for length in lengths
    )


def window_walk(word: str, vocabulary: Vocabulary, block_size: int, most: int = 8) -> list[str]:
    """The lecture's ``... -> e``, ``..e -> m``, ...: each context of a word with what follows it."""
    context = [BOUNDARY] * block_size
    lines = []
    for token in [*vocabulary.encode(word[: most - 1]), BOUNDARY][:most]:
        shown = "".join(printable(vocabulary.symbol(t)) for t in context)
        lines.append(f"{shown} → {printable(vocabulary.symbol(token))}")
        context = [*context, token][-block_size:]
    return lines
