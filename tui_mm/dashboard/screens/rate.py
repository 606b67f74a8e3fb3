"""The question for a learning rate."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_mm.config import ConfigError, allowed, parse_field, text_of
from tui_mm.text import printable

_FIELD = "lr"


class RateScreen(ModalScreen[float | None]):
    """Gives back a learning rate that is allowed; None when it is left."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="rate-cancel", tooltip="Leave the rate as it is")
    ]
    DEFAULT_CSS = """
    RateScreen { align: center middle; }
    RateScreen > Vertical { width: 60; max-width: 100%; height: auto; padding: 0 1; background: $surface; }
    RateScreen .title { text-style: bold; }
    RateScreen Input { background: $panel; }
    RateScreen #fault { color: $text-error; height: auto; min-height: 1; }
    """

    def __init__(self, present: float) -> None:
        super().__init__()
        self._present = present

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(f"Learning rate before the schedule, now {self._present:g}", classes="title", markup=False)
            yield Static(f"{allowed(_FIELD)}, from the next step on; the schedule still scales it", markup=False)
            rate = Input(text_of(self._present), compact=True, select_on_focus=True)
            rate.cursor_blink = False  # an idle screen sends nothing
            yield rate
            yield Static(id="fault", markup=False)
            yield Static("enter sets it, escape leaves it", markup=False)

    @on(Input.Changed)
    def _check(self, event: Input.Changed) -> None:
        try:
            parse_field(_FIELD, event.value)
        except ConfigError as error:
            self._tell(f"! {printable(str(error))}")
        else:
            self._tell("")

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        try:
            rate = float(parse_field(_FIELD, event.value))
        except ConfigError as error:
            self._tell(f"! {printable(str(error))}")
        else:
            self.dismiss(rate)

    def _tell(self, line: str) -> None:
        self.query_one("#fault", Static).update(line)

    def action_cancel(self) -> None:
        self.dismiss(None)
