"""The sampling console: a prefix, the names that begin with it, and what comes next, as the model learns."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui_mm.dashboard.state import ViewState
from tui_mm.text import printable


class SamplesPanel(Vertical):
    BORDER_TITLE = "Samples"

    def compose(self) -> ComposeResult:
        prefix = Input(placeholder="the beginning of a name", id="prefix", compact=True)
        prefix.cursor_blink = False  # an idle screen sends nothing
        yield prefix
        yield Static(id="names")
        yield Static(id="next")

    @property
    def prefix(self) -> str:
        return self.query_one("#prefix", Input).value

    def show_fault(self, message: str) -> None:
        self.query_one("#names", Static).update(Text(printable(message)))

    def show_answer(self, answer: dict[str, Any], state: ViewState, prefix: str, *, ascii_only: bool = False) -> None:
        """An answer of the worker to ``Sample(prefix)``."""
        assert state.words is not None
        self.query_one("#names", Static).update(names_text(answer["names"]))
        bars = next_bars(answer["next"], state, prefix, ascii_only=ascii_only, columns=max(10, self.size.width - 2))
        self.query_one("#next", Static).update(bars)


def names_text(names: list[dict[str, Any]]) -> Text:
    """One name a line, marked new or by the split it stands in."""
    width = max([len(n["text"]) for n in names], default=0)
    lines = [f"{printable(n['text']):<{width}}  {n['seen_in'] or 'new'}" for n in names]
    return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")


def next_bars(
    following: list[float], state: ViewState, prefix: str, *, ascii_only: bool, columns: int, most: int = 6
) -> Text:
    """The likeliest next characters: the model's share, and bigram counts' beside it."""
    assert state.words is not None
    vocabulary, bigrams = state.words.splits.vocabulary, state.words.bigrams
    before = vocabulary.encode(prefix)[-1] if prefix else 0
    counts = bigrams.row(before)
    total = sum(counts.values()) + len(vocabulary)
    width = max(3, (columns - 24) // 2)
    likely = sorted(range(len(following)), key=lambda t: -following[t])[:most]
    pairs = [(following[t], (counts.get(t, 0) + 1) / total) for t in likely]
    full = max(share for pair in pairs for share in pair)
    lines = [f"{'next':<{width + 11}}bigram"]
    for token, pair in zip(likely, pairs, strict=True):
        cells = [f"{_bar(share / full, width, ascii_only)} {share:>4.0%}" for share in pair]
        lines.append(f"{printable(vocabulary.symbol(token)):<2} " + "   ".join(cells))
    return Text("\n".join(lines), no_wrap=True)


def _bar(share: float, width: int, ascii_only: bool) -> str:
    return (("#" if ascii_only else "▇") * round(share * width)).ljust(width)
