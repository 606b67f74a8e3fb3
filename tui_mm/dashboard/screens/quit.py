"""The question on quitting while a training goes on."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from tui_mm.dashboard.screens.ask import QuestionScreen

Choice = Literal["keep", "stop", "stay"]


class QuitScreen(QuestionScreen[Choice]):
    """Keep training without the dashboard, stop with a checkpoint, or stay: what a second ``q`` does, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "answer('keep')", "Keep training"),
        Binding("s", "answer('stop')", "Stop"),
        Binding("escape,q", "answer('stay')", "Stay"),
    ]

    def __init__(self) -> None:
        super().__init__(
            "A training is under way. It goes on without the dashboard if you let it.",
            [
                ("keep", "keep", "Keep training (k)"),
                ("stop", "stop", "Stop, keep a checkpoint (s)"),
                ("stay", "stay", "Stay (esc)"),
            ],
            safe="keep",
        )
