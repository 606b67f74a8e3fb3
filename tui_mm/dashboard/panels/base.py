"""What every panel has: a name, a title, the view state, and ``draw``."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.color import Color
from textual.containers import Container
from textual.events import Resize
from textual.message import Message

from tui_mm.dashboard.charts.look import Colors, Look
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.state import ViewState


class Panel(Container, can_focus=True):
    """Draws from the view state and keeps no history of its own.

    The app calls ``draw`` when the panel is shown and something changed; a panel calls it itself after a key of its
    own. What it has to say goes up as a message of ``tui_mm.dashboard.messages``.
    """

    NAME: ClassVar[str]  # its id, and what settings call it
    TITLE: ClassVar[str]
    WANTS: ClassVar[str] = ""  # which part of the model must be asked for while it is shown: a kind of ``Inspect``

    def __init__(self, state: ViewState) -> None:
        super().__init__(id=self.NAME)
        self.state = state
        self.border_title = self.TITLE

    class Placed(Message):
        """The panel has another size, or is shown again."""

        def __init__(self, panel: Panel) -> None:
            super().__init__()
            self.panel = panel

    def on_resize(self, _: Resize) -> None:
        self.post_message(self.Placed(self))

    def on_show(self) -> None:
        self.post_message(self.Placed(self))

    @property
    def is_shown(self) -> bool:
        """Whether there is a place for it on the screen now."""
        return bool(self.display and self.size.width and self.size.height)

    @property
    def inspect_arguments(self) -> dict[str, Any]:
        """What ``Inspect`` is to be asked with, beside ``WANTS``."""
        return {}

    def draw(self) -> None:
        """Show what the state has now."""
        raise NotImplementedError

    def look(self, view: ChartView) -> Look:
        """How a chart in ``view`` is to be drawn: its size and the theme's colours."""
        colors = theme_colors(self.app.theme_variables) if self.state.color else None
        return Look(view.size.width, view.size.height, colors, self.state.ascii_only)


def theme_colors(variables: dict[str, str]) -> Colors:
    """The charts' colours from a theme's variables."""

    def rgb(name: str) -> tuple[int, int, int]:
        return Color.parse(variables[name]).rgb

    background, foreground = Color.parse(variables["background"]), Color.parse(variables["foreground"])
    muted = background.blend(foreground, 0.45).rgb
    return Colors(
        train=rgb("primary"),
        band=background.blend(Color.parse(variables["primary"]), 0.45).rgb,
        dev=rgb("warning"),
        best=rgb("success"),
        baseline=muted,
        mark=rgb("accent"),
        cursor=rgb("accent"),
        warning=rgb("error"),
        overlays=(rgb("secondary"), rgb("accent"), rgb("success"), rgb("warning"), rgb("error")),
    )
