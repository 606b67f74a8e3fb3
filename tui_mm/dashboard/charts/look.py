"""How a chart is to be drawn: its size in character cells, its colours, and whether ASCII must do. No textual."""

from __future__ import annotations

from dataclasses import dataclass, field

Color = tuple[int, int, int] | str
"""Red, green and blue from 0 to 255, or one of plotext's names."""


@dataclass(frozen=True)
class Colors:
    """What is drawn in which colour; by default the terminal's own sixteen. Colour is never the only difference."""

    train: Color = "blue+"
    band: Color = "gray"
    dev: Color = "orange+"
    best: Color = "green+"
    baseline: Color = "gray"
    mark: Color = "orange+"
    cursor: Color = "cyan+"
    warning: Color = "red+"
    overlays: tuple[Color, ...] = field(default=("magenta+", "cyan+", "yellow+", "green+", "red+"))


@dataclass(frozen=True)
class Look:
    """``colors`` is None where there must be none."""

    width: int = 80
    height: int = 18
    colors: Colors | None = Colors()
    ascii_only: bool = False

    def color(self, name: str) -> Color | None:
        """The colour of a kind of mark; None where there is none, which plotext takes as the default."""
        return None if self.colors is None else getattr(self.colors, name)
