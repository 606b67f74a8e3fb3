"""The Dataset panel: the words in numbers, and the lecture's walk through a word's windows."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_mm.dashboard.charts.words import LONGEST, describe_words
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState
from tui_mm.text import printable

_MAX_BLOCK = 16
_MOST_WORDS = 12  # that can be walked through at once


class DatasetPanel(Panel):
    """Filled as soon as the words are read, before torch is there. Keeps which word is walked through, and how."""

    DEFAULT_CSS = """
    DatasetPanel VerticalScroll { scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    DatasetPanel Static { width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    NAME = "dataset"
    TITLE = "Dataset"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "word(1)", "next", id="dataset_next", tooltip="Walk through the next word, or sentence"),
        Binding("left", "word(-1)", "before", show=False, id="dataset_previous", tooltip="The one before"),
        Binding("plus,equals_sign", "block(1)", "block", key_display="+ -", id="dataset_more",
                tooltip="A longer context in the walk; the configuration stays as it is"),
        Binding("minus", "block(-1)", "shorter block", key_display="-", show=False, id="dataset_less",
                tooltip="A shorter context in the walk; the configuration stays as it is"),
        Binding("up", "scroll_lines(-1)", "up", show=False, id="dataset_up", tooltip="Lines further up"),
        Binding("down", "scroll_lines(1)", "down", show=False, id="dataset_down", tooltip="Lines further down"),
    ]  # fmt: skip

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._block_size: int | None = None  # of the walk; None: the configuration's
        self._word = 0
        self._shown: Text | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static("reading the words ...", markup=False, id="words")

    @property
    def block_size(self) -> int:
        """Of the walk: its own once it was changed."""
        return self._block_size or max(1, self.state.config.block_size)

    def draw(self) -> None:
        words = self.state.words
        if words is None:
            if self.state.fault:
                width = self.query_one(VerticalScroll).scrollable_content_region.width or 24
                line = Text(f"{printable(self.state.fault)}\n\nno words: o chooses a list, e sets up everything")
                self._show(Text("\n").join(line.wrap(self.app.console, width)))
            return
        corpus, size = words.splits.corpus, self.query_one(VerticalScroll).scrollable_content_region
        self._word %= len(corpus)
        text = describe_words(
            words.statistics,
            [(i, corpus.word(i, LONGEST + 1)) for i in range(self._word, min(self._word + _MOST_WORDS, len(corpus)))],
            words.splits.vocabulary,
            self.block_size,
            width=size.width or 24,
            height=size.height or 14,
            ascii_only=self.state.ascii_only,
        )
        self._show(text)

    def _show(self, text: Text) -> None:
        if text != self._shown:
            self._shown = text
            static = self.query_one("#words", Static)
            static.update(text)
            static.styles.height = text.plain.count("\n") + 1  # of an update amid a layout, Textual keeps the old one

    def action_word(self, by: int) -> None:
        self._word += by
        self.draw()

    def action_block(self, by: int) -> None:
        self._block_size = min(max(1, self.block_size + by), _MAX_BLOCK)
        self.draw()

    def action_scroll_lines(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
