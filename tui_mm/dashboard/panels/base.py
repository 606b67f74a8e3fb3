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

        def can_replace(self, message: Message) -> bool:
            """One drawing does for all that stand in the queue."""
            return isinstance(message, Panel.Placed) and message.panel is self.panel

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


_LEAST_CONTRAST = 3.2  # WCAG 2 asks for 3 of what is no running text; panels are a little off the background


def contrast(one: Color, other: Color) -> float:
    """As WCAG 2 has it, from 1 to 21."""
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Color) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in color.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def theme_colors(variables: dict[str, str]) -> Colors:
    """The charts' colours from a theme's variables, each told from the background."""
    background, foreground = Color.parse(variables["background"]), Color.parse(variables["foreground"])
    if background.ansi is not None:  # a theme of the terminal's own colours, whatever they are
        return Colors()

    def legible(color: Color) -> tuple[int, int, int]:
        """As it is, or as much nearer to the foreground as it takes to be read: a light theme's green is too light."""
        tints = (color.blend(foreground, tenth / 10) for tenth in range(11))
        return next((tint for tint in tints if contrast(tint, background) >= _LEAST_CONTRAST), foreground).rgb

    def rgb(name: str) -> tuple[int, int, int]:
        return legible(Color.parse(variables[name]))

    primary = Color.parse(variables["primary"])
    hue, saturation, lightness = primary.hsl
    others = [Color.from_hsl((hue + n / 6) % 1, max(0.5, saturation), lightness) for n in (1, 3, 2, 5, 4)]
    muted = legible(background.blend(foreground, 0.45))
    return Colors(
        train=rgb("primary"),
        band=background.blend(primary, 0.6).rgb,
        dev=rgb("warning"),
        best=rgb("success"),
        baseline=muted,
        mark=rgb("accent"),
        cursor=rgb("accent"),
        warning=rgb("error"),
        overlays=tuple(legible(color) for color in others),
    )
