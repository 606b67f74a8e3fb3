"""Questions over the dashboard: one with a few answers, yes or no, and a line of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui_mm.text import printable

A = TypeVar("A")
_STACK_BELOW = 70  # columns: the answers stand above each other


class QuestionScreen(ModalScreen[A]):
    """A question and its answers as buttons, between which the arrows move. A subclass binds a key for each answer.

    The button of ``safe`` has the focus at first, so that an enter too many does no harm.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "app.focus_previous", "Previous", show=False),
        Binding("right,down", "app.focus_next", "Next", show=False),
    ]
    DEFAULT_CSS = """
    QuestionScreen { align: center middle; }
    QuestionScreen #question { width: auto; max-width: 100%; height: auto; max-height: 100%; border: round $primary;
        padding: 0 1; background: $surface; }
    QuestionScreen #asked { width: auto; max-width: 100%; margin-bottom: 1; }
    QuestionScreen #answers { width: auto; height: auto; layout: horizontal; }
    QuestionScreen Button { margin-right: 2; min-width: 8; }
    QuestionScreen.-stacked #question { width: 100%; }
    QuestionScreen.-stacked #answers { layout: vertical; width: 100%; }
    """

    def __init__(self, question: str, answers: Sequence[tuple[str, A, str]], *, safe: str) -> None:
        """``answers``: of each its id, what the screen is dismissed with, and its label."""
        super().__init__()
        self._question = question
        self._answers = answers
        self._safe = safe

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="question", can_focus=False):
            yield Static(Text(printable(self._question)), id="asked")
            with Container(id="answers"):
                for ident, _, label in self._answers:
                    yield Button(Text(label), id=ident, compact=True)

    def on_mount(self) -> None:
        self._fold()
        self.query_one(f"#{self._safe}", Button).focus()

    def on_resize(self) -> None:
        self._fold()

    def _fold(self) -> None:
        self.set_class(self.app.size.width < _STACK_BELOW, "-stacked")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_answer(str(event.button.id))

    def action_answer(self, ident: str) -> None:
        """Dismiss with the answer of that id."""
        self.dismiss(next(value for key, value, _ in self._answers if key == ident))


class AskScreen(QuestionScreen[bool]):
    """A question that is answered by yes or no; anything but a clear yes is a no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer('yes')", "Yes"),
        Binding("n,escape", "answer('no')", "No"),
    ]

    def __init__(self, question: str, *, yes: str = "Yes", no: str = "No") -> None:
        super().__init__(question, [("yes", True, f"{yes} (y)"), ("no", False, f"{no} (n)")], safe="no")


class TextScreen(ModalScreen[str | None]):
    """A line of text. ``check`` says why a text is not taken, "" if it is; None when it was left with escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave it")]
    DEFAULT_CSS = """
    TextScreen { align: center middle; }
    TextScreen #dialog { width: 64; max-width: 100%; height: auto; max-height: 100%; border: round $primary;
        padding: 0 1; background: $surface; }
    TextScreen Static { width: 100%; }
    TextScreen #line { margin: 1 0; }
    TextScreen #reason { color: $text-error; }
    TextScreen #keys { color: $text-muted; }
    """

    def __init__(self, question: str, text: str = "", *, check: Callable[[str], str], max_length: int = 0) -> None:
        super().__init__()
        self._question = question
        self._text = text
        self._check = check
        self._max_length = max_length

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="dialog", can_focus=False):
            yield Static(Text(printable(self._question)))
            line = Input(printable(self._text), id="line", compact=True, max_length=self._max_length)
            line.cursor_blink = False  # an idle screen sends nothing
            yield line
            yield Static(id="reason")
            yield Static("enter keeps it, escape leaves it", id="keys")

    def on_mount(self) -> None:
        self.query_one("#reason").display = False
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._say("")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        reason = self._check(event.value)
        if reason:
            self._say(reason)
        else:
            self.dismiss(event.value)

    def _say(self, reason: str) -> None:
        line = self.query_one("#reason", Static)
        line.display = bool(reason)
        line.update(Text(printable(reason)))

    def action_leave(self) -> None:
        self.dismiss(None)
