"""The sampling console: a prefix, the names that begin with it, and what comes next, as the model learns."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from tui_mm.dashboard.messages import SampleWanted
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState
from tui_mm.text import printable
from tui_mm.worker.protocol import Sample


class SamplesPanel(Panel):
    NAME = "samples"
    TITLE = "Samples"

    def compose(self) -> ComposeResult:
        prefix = Input(placeholder="the beginning of a name", id="prefix", compact=True)
        prefix.cursor_blink = False  # an idle screen sends nothing
        yield prefix
        yield Static(id="names")
        yield Static(id="next")

    @property
    def request(self) -> Sample:
        """What the worker is to be asked for."""
        return Sample(self.query_one("#prefix", Input).value, count=8, seed=self.state.config.seed + 10)

    @on(Input.Changed, "#prefix")
    def _prefix_changed(self) -> None:
        self.post_message(SampleWanted())

    def draw(self) -> None:
        """Show the worker's last answer."""
        if self.state.samples_fault:
            self.query_one("#names", Static).update(Text(printable(self.state.samples_fault)))
            return
        answer = self.state.samples
        if answer is None or self.state.words is None:
            return
        self.query_one("#names", Static).update(names_text(answer["names"]))
        bars = next_bars(
            answer["next"],
            self.state,
            answer["prefix"],
            ascii_only=self.state.ascii_only,
            columns=max(10, self.size.width - 2),
        )
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
