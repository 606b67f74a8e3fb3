"""The question on quitting while a training goes on."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

Choice = Literal["keep", "stop", "stay"]


class QuitScreen(ModalScreen[Choice]):
    """Keep training without the dashboard, stop with a checkpoint, or stay."""

    BINDINGS = [  # noqa: RUF012, Textual's way
        ("k", "choose('keep')", "Keep training"),
        ("s", "choose('stop')", "Stop"),
        ("escape", "choose('stay')", "Stay"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label("A training is under way.")
            with Horizontal():
                yield Button("Keep training (k)", id="keep", variant="primary")
                yield Button("Stop, keep a checkpoint (s)", id="stop")
                yield Button("Stay (esc)", id="stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        choices: dict[str | None, Choice] = {"keep": "keep", "stop": "stop", "stay": "stay"}
        self.action_choose(choices[event.button.id])

    def action_choose(self, choice: Choice) -> None:
        self.dismiss(choice)
