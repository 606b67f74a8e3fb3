"""The choice of a word list: named sets, recent ones, a path, or a file of the folders below; with a preview."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text, TextType
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, DirectoryTree, Input, OptionList, Static
from textual.widgets.directory_tree import DirEntry
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from data.catalog import CATALOG, cached_path
from data.levels import CHARACTER, LEVELS
from tui_mm.dashboard.screens.preview import Preview, preview
from tui_mm.text import printable

_SUFFIXES = frozenset(("", ".txt", ".text", ".words", ".names", ".list", ".lst", ".dic", ".csv", ".tsv", ".md"))
_MOST_ENTRIES = 1000  # of a folder: more are no help to a person, and the path can be typed


class WordFiles(DirectoryTree):
    """Folders and what may be word lists."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace", "above", "folder above", id="words-above", tooltip="Go to the folder above this one"),
    ]

    def __init__(self, path: Path, *, ascii_only: bool) -> None:
        super().__init__(path)
        self.show_guides = not ascii_only
        self.guide_depth = 3
        self.ICON_NODE_EXPANDED, self.ICON_NODE = ("- ", "+ ") if ascii_only else ("▾ ", "▸ ")
        self.ICON_FILE = "  "

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return itertools.islice(filter(self._may_be_words, paths), _MOST_ENTRIES)

    def _may_be_words(self, path: Path) -> bool:
        if path.name.startswith(".") or (not path.name.isascii() and "\udc80" <= max(path.name) <= "\udcff"):
            return False  # hidden, or a name that is not text
        return path.suffix.lower() in _SUFFIXES or self._safe_is_dir(path)

    def action_above(self) -> None:
        self.path = Path(self.path).parent

    def process_label(self, label: TextType) -> Text:
        return Text(printable(str(label)), no_wrap=True)


class WordsScreen(ModalScreen[str | None]):
    """Gives back a set's name or the absolute path of a file; None when it is left."""

    HORIZONTAL_BREAKPOINTS = [(0, "-one"), (76, "-two")]  # noqa: RUF012, Textual's way
    AUTO_FOCUS = "#sources"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="words-cancel", tooltip="Leave the word list as it is"),
        Binding("ctrl+s,f2", "choose", "choose", id="words-choose", tooltip="Choose the list that is shown"),
        Binding("tab", "app.focus_next", "next", id="words-next", tooltip="Go to the sets, the files, the path"),
    ]
    DEFAULT_CSS = """
    WordsScreen { background: $background; layout: vertical; }
    WordsScreen > .title { height: 1; padding: 0 1; background: $panel; text-style: bold; }
    WordsScreen #path-row { height: 1; }
    WordsScreen #path-row > Static { width: 8; padding: 0 1; }
    WordsScreen #path { width: 1fr; background: $surface; }
    WordsScreen #lists { height: 1fr; layout: vertical; }
    WordsScreen #choices { height: 2fr; }
    WordsScreen #sources { height: auto; max-height: 40%; border: none; padding: 0 1; scrollbar-size-vertical: 1; }
    WordsScreen WordFiles { height: 1fr; padding: 0 1; scrollbar-size: 1 1; }
    WordsScreen #preview { height: 1fr; padding: 0 1; background: $panel; }
    WordsScreen #preview.-wrong { color: $text-error; }
    WordsScreen #buttons { height: 1; }
    WordsScreen #buttons Button { margin-right: 1; min-width: 8; }
    WordsScreen.-two #lists { layout: horizontal; }
    WordsScreen.-two #choices { width: 1fr; height: 1fr; }
    WordsScreen.-two #preview { width: 1fr; height: 1fr; }
    """

    class Previewed(Message):
        """A list was looked into; ``chosen`` if it is to be taken when it can be used."""

        def __init__(self, source: str, found: Preview, *, chosen: bool) -> None:
            super().__init__()
            self.source = source
            self.found = found
            self.chosen = chosen

    def __init__(
        self,
        *,
        datasets: Path,
        recent: list[str],
        encoding: str = "utf-8",
        level: str = "character",
        folder: Path | None = None,
        ascii_only: bool = False,
    ) -> None:
        super().__init__()
        self._datasets = datasets
        self._recent = [path for path in recent if path not in CATALOG]
        self._encoding = encoding
        self._level = LEVELS[level]
        self._folder = folder or _working_folder()
        self._ascii_only = ascii_only
        self._shown = ""  # the source in the preview

    def compose(self) -> ComposeResult:
        yield Static("Choose a word list" if self._level == CHARACTER else "Choose a text", classes="title")
        with Horizontal(id="path-row"):
            yield Static("path")
            path = Input(placeholder=f"~/words.txt, {self._level.holds}", compact=True, id="path")
            path.cursor_blink = False  # an idle screen sends nothing
            yield path
        with Vertical(id="lists"):
            with Vertical(id="choices"):
                yield OptionList(*self._options(), id="sources", markup=False)
                yield WordFiles(self._folder, ascii_only=self._ascii_only)
            yield Static(id="preview", markup=False)
        with Horizontal(id="buttons"):
            yield Button("Choose enter", id="choose", variant="primary", compact=True)
            yield Button("Cancel esc", id="cancel", compact=True)

    def _options(self) -> Iterable[Option]:
        for item in CATALOG.values():
            absent = item.url and not cached_path(item, self._datasets).is_file()
            yield Option(f"{item.name} (not on this machine yet)" if absent else item.name, id=f"set:{item.name}")
        for k, path in enumerate(self._recent):
            yield Option(f"{printable(path)} (recent)", id=f"recent:{k}")

    # -- what is pointed at

    def _source_of(self, option: Option) -> str:
        kind, _, which = str(option.id).partition(":")
        return which if kind == "set" else self._recent[int(which)]

    @on(OptionList.OptionHighlighted)
    def _option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._look_into(self._source_of(event.option))

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        self._look_into(self._source_of(event.option), chosen=True)

    @on(WordFiles.NodeHighlighted)
    def _node_highlighted(self, event: WordFiles.NodeHighlighted[DirEntry]) -> None:
        entry = event.node.data
        if entry is None or not self.query_one(WordFiles).has_focus:
            return
        if event.node.allow_expand:
            self._shown = ""
            self._show_line(
                f"{printable(str(entry.path))}: enter opens and closes it, backspace goes to the folder above"
            )
        else:
            self._look_into(str(entry.path))

    @on(WordFiles.FileSelected)
    def _file_selected(self, event: WordFiles.FileSelected) -> None:
        self._look_into(str(event.path), chosen=True)

    @on(Input.Changed, "#path")
    def _path_typed(self, event: Input.Changed) -> None:
        if event.value.strip():
            self._look_into(_absolute(event.value.strip()))

    @on(Input.Submitted, "#path")
    def _path_entered(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._look_into(_absolute(event.value.strip()), chosen=True)

    # -- the preview

    @work(thread=True, exclusive=True, group="preview")
    def _look_into(self, source: str, *, chosen: bool = False) -> None:
        found = preview(source, self._datasets, self._encoding, self._level.name)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Previewed(source, found, chosen=chosen))

    @on(Previewed)
    def _show(self, message: Previewed) -> None:
        if message.chosen and not message.found.fault:
            self.dismiss(message.source)
            return
        self._shown = message.source
        if message.found.fault:
            self._show_line(f"! {printable(message.found.fault)}", wrong=True)
            return
        heading = printable(f"{message.source}: {message.found.facts}")
        words = "\n".join(printable(word) for word in message.found.words)
        self._show_line(f"{heading}\n\n{words}")

    def _show_line(self, text: str, *, wrong: bool = False) -> None:
        widget = self.query_one("#preview", Static)
        widget.set_class(wrong, "-wrong")
        widget.update(Text(text), layout=False)

    # -- actions

    def action_choose(self) -> None:
        if self._shown:
            self._look_into(self._shown, chosen=True)
        else:
            self.notify("no list is shown: point at a set or a file, or type a path", severity="warning")

    def action_cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "choose":
            self.action_choose()
        else:
            self.action_cancel()


def _absolute(typed: str) -> str:
    """A set's name as it is, anything else as a whole path. What cannot be one stays as it is."""
    if typed in CATALOG:
        return typed
    try:
        return str(Path(typed).expanduser().absolute())
    except (OSError, RuntimeError):
        return typed


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return Path.home()
