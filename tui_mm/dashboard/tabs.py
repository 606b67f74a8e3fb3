"""Where the panels stand at a size of the terminal, and the titles in their borders, which lead to the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from textual.content import Content

Arrangement = Literal["single", "usual", "all"]

_ALL_WIDTH, _ALL_HEIGHT = 180, 45
_USUAL_WIDTH, _USUAL_HEIGHT = 100, 22

Tab = tuple[int, str, str]
"""A panel's number, name and title."""

TABS: list[Tab] = [
    (1, "dataset", "Dataset"),
    (2, "loss", "Loss"),
    (3, "samples", "Samples"),
    (4, "sweep", "LR sweep"),
    (5, "embedding", "Embedding"),
    (6, "bigrams", "Bigrams"),
    (7, "layers", "Layers"),
    (8, "timeline", "Over time"),
    (9, "log", "Log"),
]
"""In the order of their number keys: known before the panels themselves are loaded, and checked then."""

SHARING = ("sweep", "embedding", "bigrams", "layers", "timeline", "log")
"""Those that share one place on a usual terminal."""


def arrangement(width: int, height: int) -> Arrangement:
    """single: one panel at a time; usual: four places, of which panels share one; all: every panel at once."""
    if width >= _ALL_WIDTH and height >= _ALL_HEIGHT:
        return "all"
    return "usual" if width >= _USUAL_WIDTH and height >= _USUAL_HEIGHT else "single"


def border_title(
    tabs: Sequence[Tab], current: str, room: int, *, ascii_only: bool = False, action: str = "app.panel"
) -> Content:
    """The panels that share a place, the one that is shown in reverse, the others to be clicked on.

    Where the titles do not fit in ``room`` cells, the others are their numbers alone. ``action``: what a click does,
    with the name.
    """
    rule = " | " if ascii_only else " │ "
    texts = [f"{number} {title}" for number, _, title in tabs]
    if cell_len(rule.join(texts)) > room:
        texts = [t if name == current else str(n) for (n, name, _), t in zip(tabs, texts, strict=True)]
    parts: list[Content] = []
    for (_, name, _), text in zip(tabs, texts, strict=True):
        if parts:
            parts.append(Content(rule))
        is_current = name == current and len(tabs) > 1
        style = "reverse" if is_current else f"@click={action}('{name}')"
        parts.append(Content.styled(f" {text} " if is_current else text, style))
    return Content.assemble(*parts)
