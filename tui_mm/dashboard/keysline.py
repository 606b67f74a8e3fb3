"""The last line of a screen: the keys that do something now, to be pressed or clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

_KEPT = 2  # entries at the end that stay on the narrowest terminal: help and quit

Entry = tuple[str, str, str]
"""A key's name, the key as it is shown, and what it does."""


class KeysLine(Widget, can_focus=False):
    """One line of text. Textual's ``Footer`` is a widget for each key and builds them all anew when the focus moves,
    a quarter of a second beside a training on the other core."""

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = """
    KeysLine { dock: bottom; height: 1; background: $footer-background; color: $foreground; text-wrap: nowrap;
        link-color: $foreground; link-background: transparent; link-style: none; }
    """

    def __init__(self, *, show_palette: bool = True, ascii_only: bool = False) -> None:
        super().__init__()
        self._shows_palette = show_palette
        self._ascii_only = ascii_only
        self._entries: list[Entry] = []
        self._palette: Entry | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._read)

    def _read(self, screen: Screen[Any]) -> None:
        if not (self.is_attached and screen is self.screen and self.app.app_focus):
            return
        entries: dict[str, Entry] = {}  # by action: one that two keys do is shown once
        palette = None
        for _, binding, enabled, _ in screen.active_bindings.values():
            if binding.key == self.app.COMMAND_PALETTE_BINDING:
                palette = self._entry(binding) if enabled and self._shows_palette else None
            elif binding.show and enabled:
                entries.setdefault(binding.action, self._entry(binding))
        if (list(entries.values()), palette) != (self._entries, self._palette):
            self._entries, self._palette = list(entries.values()), palette
            self.refresh()

    def _entry(self, binding: Binding) -> Entry:
        return binding.key, self.app.get_key_display(binding), binding.description

    def render(self) -> Content:
        return keys_line(self._entries, self._palette, self.size.width, ascii_only=self._ascii_only)


def keys_line(entries: Sequence[Entry], palette: Entry | None, width: int, *, ascii_only: bool = False) -> Content:
    """What fits whole into ``width`` cells: of too many, those before the last two are left out; the palette's key
    stands at the right."""
    rule = "| " if ascii_only else "│ "
    right = 0 if palette is None else _width(palette) + cell_len(rule)
    kept = list(entries)

    def needed() -> int:
        return sum(_width(entry) + 1 for entry in kept) + right

    while needed() > width and len(kept) > _KEPT:
        del kept[-_KEPT - 1]
    if needed() > width and palette is not None:
        palette, right = None, 0
    parts: list[Content] = []
    for entry in kept:
        parts += [_shown(entry), Content(" ")]
    if palette is not None:
        gap = width - needed()
        parts += [Content(" " * gap + rule), _shown(palette)]
    return Content.assemble(*parts)


def _width(entry: Entry) -> int:
    return cell_len(f"{entry[1]} {entry[2]}")


def _shown(entry: Entry) -> Content:
    name, key, what = entry
    return Content.assemble((key, "bold"), f" {what}").stylize(f"@click=app.simulate_key('{name}')")
