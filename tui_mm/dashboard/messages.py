"""What panels and screens tell the app. State goes down as attributes, these come up."""

from __future__ import annotations

from textual.message import Message


class RateChosen(Message):
    """A learning rate was chosen on the sweep."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr


class SampleWanted(Message):
    """What the sampling console asks for has changed: its prefix, or how it draws."""


class InspectionWanted(Message):
    """A panel wants its part of the model anew, as its choice of what to show has changed."""
