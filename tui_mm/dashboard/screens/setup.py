"""The set-up screen: every hyperparameter, grouped, with its help, its check, and what all of them come to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from tui_mm.config import (
    KEPT_BY_PRESETS,
    WORDS_FIELD,
    ConfigError,
    RunConfig,
    fields_by_group,
    make_config,
    nearest_preset,
    parse_field,
    text_of,
    unused,
    validate,
)
from tui_mm.dashboard.screens.fields import ChoiceField, FieldRow, Said, help_of, make_row
from tui_mm.dashboard.screens.words import WordsScreen
from tui_mm.estimate import examples_of, outlook
from tui_mm.presets import PRESET_SUMMARIES, PRESETS
from tui_mm.settings import Settings
from tui_mm.sizes import check_size
from tui_mm.text import printable

_PRESET_HELP = "it fills all fields but those that say which words"


class PresetChoice(Select[str], inherit_bindings=False):
    """Opens by enter or space; up and down are left to the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "show_overlay", "choose", show=False)]
    DEFAULT_CSS = """
    PresetChoice > SelectCurrent #label { height: 1; text-wrap: nowrap; }
    PresetChoice:focus > SelectCurrent { text-style: reverse; border: none; }
    PresetChoice.-ascii .arrow { visibility: hidden; }
    PresetChoice > SelectOverlay { border: none; text-wrap: nowrap; }
    """


class Form(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Scrolls to the field that has the focus; the arrow keys are the screen's."""


class SetupScreen(ModalScreen[RunConfig | None]):
    """Edits a copy of a configuration; gives it back when it is used, None when it is left.

    ``words``, ``vocab_size`` and ``train_examples`` are those of the present list under ``config``; None while it is
    not read. ``datasets`` is where downloaded sets are.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-one"), (80, "-broad"), (140, "-two")]  # noqa: RUF012, Textual's way
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2,ctrl+s", "use", "use it", id="setup-use", tooltip="Use this configuration for the next run"),
        Binding("escape", "cancel", "cancel", id="setup-cancel", tooltip="Leave everything as it was"),
        Binding("ctrl+o", "words", "word list", id="setup-words", tooltip="Choose a word list"),
        Binding("ctrl+r", "preset", "preset", id="setup-preset", tooltip="Go back to the values of the preset"),
        Binding("down,tab", "move(1)", "next field", id="setup-next", tooltip="Go to the next field"),
        Binding("up,shift+tab", "move(-1)", "field before", id="setup-before", tooltip="Go to the field before"),
        Binding("pagedown", "move(8)", "further", id="setup-further", show=False, tooltip="Eight fields on"),
        Binding("pageup", "move(-8)", "back", id="setup-back", show=False, tooltip="Eight fields back"),
    ]
    DEFAULT_CSS = """
    SetupScreen { background: $background; layout: vertical; }
    SetupScreen #top { height: 1; }
    SetupScreen #top > Static { width: auto; padding: 0 1; text-style: bold; }
    SetupScreen #top > PresetChoice { width: 1fr; max-width: 100; }
    SetupScreen Form { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    SetupScreen .column { height: auto; }
    SetupScreen .group { height: auto; margin-bottom: 1; }
    SetupScreen .group > .title { color: $text-primary; text-style: bold underline; height: 1; }
    SetupScreen #explained { height: 3; padding: 0 1; background: $panel; }
    SetupScreen #outlook { height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; }
    SetupScreen #outlook.-wrong { color: $text-error; text-style: bold; }
    SetupScreen #buttons { height: 1; }
    SetupScreen #buttons Button { margin-right: 1; min-width: 8; }
    SetupScreen.-broad #explained { height: 2; }
    SetupScreen.-two Form { layout: horizontal; }
    SetupScreen.-two .column { width: 1fr; padding-right: 2; }
    """

    def __init__(
        self,
        config: RunConfig,
        settings: Settings,
        *,
        datasets: Path,
        words: int | None = None,
        vocab_size: int | None = None,
        train_examples: int | None = None,
        ascii_only: bool = False,
    ) -> None:
        super().__init__()
        self._config = config
        self._settings = settings
        self._datasets = datasets
        self._known = (words, vocab_size, train_examples) if words and vocab_size and train_examples else None
        self._ascii_only = ascii_only
        self._preset = nearest_preset(config)
        self._wrong: list[FieldRow] = []
        self._read: RunConfig | None = config  # what the fields come to; None while any is wrong

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield Static("Set-up")
            presets = [(f"{name}: {summary}", name) for name, summary in PRESET_SUMMARIES.items()]
            preset = PresetChoice(presets, value=self._preset, allow_blank=False, compact=True, id="preset")
            preset.set_class(self._ascii_only, "-ascii")
            yield preset
        with Form():
            for column in _columns(fields_by_group()):
                with Vertical(classes="column"):
                    for group, names in column.items():
                        with Vertical(classes="group"):
                            yield Static(group, classes="title")
                            for name in names:
                                text = text_of(getattr(self._config, name), name)
                                yield make_row(name, text, ascii_only=self._ascii_only)
        yield Static(id="explained", markup=False)
        yield Static(id="outlook", markup=False)
        with Horizontal(id="buttons"):
            yield Button("Use it F2", id="use", variant="primary", compact=True)
            yield Button("Cancel esc", id="cancel", compact=True)
            yield Button("Words ^o", id="words", compact=True)
            yield Button("Preset ^r", id="back", compact=True)

    def on_mount(self) -> None:
        self._look_over()
        self._go_to(self._first)

    @cached_property
    def _rows(self) -> dict[str, FieldRow]:
        return {row.field: row for row in self.query("*") if isinstance(row, FieldRow)}

    @property
    def _first(self) -> FieldRow:
        return next(iter(self._rows.values()))

    # -- what the fields come to

    @on(Input.Changed)
    @on(ChoiceField.Changed)
    def _look_over(self) -> None:
        """Check all fields, and say at each what there is to say."""
        texts = {name: row.text for name, row in self._rows.items()}
        values, faults = _parse(texts)
        faults |= self._joint_faults(values, set(faults))
        preset = self._preset_config()
        not_used = unused(texts)
        for name, row in self._rows.items():
            was = getattr(preset, name)
            changed = name not in values or values[name] != was
            row.show(Said(changed, text_of(was, name), not_used.get(name, ""), faults.get(name, "")))
        self._wrong = [row for name, row in self._rows.items() if name in faults]
        self._read = None if faults else validate(values)
        self._show_outlook()
        if self._wrong and self.focused is not None:
            self.call_after_refresh(self.focused.scroll_visible, animate=False)  # with its new line

    def _joint_faults(self, values: dict[str, Any], wrong: set[str]) -> dict[str, str]:
        """What is wrong between fields that are right by themselves, said at each that the message names."""
        try:
            config = validate(values)  # those that are wrong by themselves take their defaults meanwhile
            if self._known is not None:
                check_size(config, self._known[1])
        except ConfigError as error:
            named = [name.strip().replace("-", "_") for name in str(error).partition(":")[0].split(",")]
            places = [name for name in named if name in self._rows] or [self._first.field]
            return {} if wrong.intersection(places) else dict.fromkeys(places, str(error))
        return {}

    def _preset_config(self) -> RunConfig:
        return make_config(self._preset)

    def _show_outlook(self) -> None:
        widget = self.query_one("#outlook", Static)
        widget.set_class(self._read is None, "-wrong")
        widget.update(self._outlook(max(20, self.size.width - 2)), layout=False)

    def _outlook(self, width: int) -> str:
        """What the fields come to, or which of them are wrong; where it is narrow, the least telling parts go."""
        if self._read is None:
            return f"! not allowed: {', '.join(row.field for row in self._wrong)}"
        if self._known is None:
            return "parameters and time: no words are read yet"
        words, vocab_size, examples = self._known
        parts = outlook(
            self._read, vocab_size, examples_of(self._read, self._config, words, examples), self._settings.speed
        )
        if any(getattr(self._read, name) != getattr(self._config, name) for name in KEPT_BY_PRESETS):
            parts.insert(0, "with the words of now")
        separator = ", " if self._ascii_only else " · "
        while len(separator.join(parts)) > width and len(parts) > 1:
            parts.pop()
        return separator.join(parts)

    def on_resize(self) -> None:
        self._show_outlook()

    # -- moving about

    def _go_to(self, widget: Widget) -> None:
        self.set_focus(widget, scroll_visible=False)
        widget.scroll_visible(animate=False)

    def action_move(self, by: int) -> None:
        stops = self.focus_chain
        if self.focused not in stops:
            self._go_to(stops[0])
            return
        here = stops.index(self.focused)
        last = len(stops) - 1
        to = (here + by) % len(stops) if abs(by) == 1 else min(last, max(0, here + by))
        self._go_to(stops[to])

    @on(Input.Submitted)
    def _next_field(self) -> None:
        self.action_move(1)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        focused = event.widget
        if isinstance(focused, FieldRow):
            line = help_of(focused.field)
        else:
            line = Text("" if isinstance(focused, Button) else self._preset_help())
        self.query_one("#explained", Static).update(line, layout=False)

    def _preset_help(self) -> str:
        """The preset's whole summary, which may be cut where it is chosen."""
        return f"preset {self._preset}: {PRESET_SUMMARIES[self._preset]}; {_PRESET_HELP}"

    # -- actions

    @on(Select.Changed, "#preset")
    def _preset_chosen(self, event: Select.Changed) -> None:
        if event.value != self._preset:
            self._preset = str(event.value)
            self.action_preset()
            if self.query_one(PresetChoice).has_focus:
                self.query_one("#explained", Static).update(Text(self._preset_help()), layout=False)

    def action_preset(self) -> None:
        preset, said = self._preset_config(), PRESETS[self._preset]
        kept = [name for name in KEPT_BY_PRESETS if name not in said]
        self._fill({name: text_of(getattr(preset, name), name) for name in self._rows if name not in kept})

    def _fill(self, texts: dict[str, str]) -> None:
        with self.prevent(Input.Changed, ChoiceField.Changed):
            for name, text in texts.items():
                self._rows[name].text = text
        self._look_over()

    def action_words(self) -> None:
        config = self._read or self._config
        screen = WordsScreen(
            datasets=self._datasets,
            recent=self._settings.recent,
            encoding=config.encoding,
            level=config.level,
            ascii_only=self._ascii_only,
        )
        self.app.push_screen(screen, self._take_words)

    def _take_words(self, chosen: str | None) -> None:
        if chosen is not None:
            self._fill({WORDS_FIELD: chosen})
            self._go_to(self._rows[WORDS_FIELD])

    def action_use(self) -> None:
        if self._read is None:
            self._go_to(self._wrong[0])
            self.notify(f"{printable(self._wrong[0].field)} is not allowed yet", severity="warning", markup=False)
            return
        self.dismiss(self._read)

    def action_cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        actions = {"use": self.action_use, "cancel": self.action_cancel, "words": self.action_words}
        actions.get(event.button.id or "", self.action_preset)()


def _parse(texts: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of the fields that are right, and the faults of the others, by name."""
    values, faults = {}, {}
    for name, text in texts.items():
        try:
            values[name] = parse_field(name, text)
        except ConfigError as error:
            faults[name] = str(error)
    return values, faults


def _columns(groups: dict[str, list[str]]) -> Iterable[dict[str, list[str]]]:
    """The groups in two columns of about the same length, in their order."""
    names = list(groups)
    lengths = [len(groups[name]) + 2 for name in names]
    cut = min(range(1, len(names) + 1), key=lambda k: abs(sum(lengths[:k]) - sum(lengths[k:])))
    return [{name: groups[name] for name in part} for part in (names[:cut], names[cut:])]
