"""Which panels are up, where they stand, and how a person goes from one to another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from tui_mm.config import RunConfig
from tui_mm.dashboard.dialogs import DialogHost
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState
from tui_mm.dashboard.tabs import SHARING, TABS, Arrangement, Tab, arrangement, border_title
from tui_mm.runs.home import Home
from tui_mm.worker import protocol as ask

if TYPE_CHECKING:
    from tui_mm.dashboard.panels.samples import SamplesPanel

_WORDS_SECONDS = 0.6  # the other panels wait so long for the words, at most


class PanelHost(DialogHost):
    """The app with its panels, which come behind the first screen: what they draw with takes a moment to load."""

    def __init__(self, config: RunConfig, home: Home, state: ViewState) -> None:
        super().__init__(config, home, state)
        kept = state.settings.panel
        self.samples: SamplesPanel | None = None  # None until all panels are there
        self._room = self.size  # of the terminal
        self._alone = False  # one panel at a time, as a person wants it
        self._current = kept if any(name == kept for _, name, _ in TABS) else "loss"

    @property
    def main(self) -> Screen[Any]:
        """The screen with the panels, also while a question stands over it."""
        return self.screen_stack[0]

    # -- putting them up

    async def furnish(self) -> None:
        """Put the Dataset panel up, and the others once it is filled: while they load, words are read more slowly."""
        from tui_mm.dashboard.panels.dataset import DatasetPanel

        body = self.main.query_one("#body")
        if not (body.is_attached and self.is_running):
            return  # left already
        if not body.children:
            panel = DatasetPanel(self.state)
            panel.display = False  # until it has its place
            await body.mount(panel)
            self.arrange()
        if self.state.words is not None or self.state.fault:
            await self.furnish_all()
        else:
            self.set_timer(_WORDS_SECONDS, self.furnish_all)

    async def furnish_all(self) -> None:
        """Put up what is still to come."""
        if self.samples is not None:
            return
        from tui_mm.dashboard.panels.samples import SamplesPanel

        body = self.main.query_one("#body")
        if not (body.is_attached and self.is_running):
            return
        there = [type(panel) for panel in body.children]
        await body.mount(*(panel(self.state) for panel in self.panel_types() if panel not in there))
        self.samples = body.query_one(SamplesPanel)
        self.arrange()
        self.furnished()

    def panel_types(self) -> Sequence[type[Panel]]:
        """The panels, in their order; loading them takes a moment."""
        from tui_mm.dashboard.panels.every import ALL_PANELS

        return ALL_PANELS

    def furnished(self) -> None:
        """All panels are up."""

    def arrange(self) -> None:
        """Each panel to its place, with the titles by which one goes from one to another."""
        fitting = arrangement(*self._room)
        placed: Arrangement = "single" if self._alone else fitting
        self.main.query_one("#body").set_classes(f"-{placed}")
        side = self.state.settings.side if self.state.settings.side in SHARING else SHARING[0]
        panels = {panel.NAME: panel for panel in self.main.query(Panel)}
        for number, name, title in TABS:
            panel = panels.get(name)
            if panel is None:
                continue  # it is still to come
            was_there = panel.display
            # not by a style sheet, which would be applied later than the next key
            panel.display = placed == "all" or (
                name == self._current if placed == "single" else name not in SHARING or name == side
            )
            if panel.display and not was_there:
                # Textual sends no Show to a widget that something has looked for between this and the next layout
                self.call_after_refresh(panel.post_message, panel.Placed(panel))
            tabs: list[Tab] = [(number, name, title)]
            room = self._room.width - 6
            if placed == "single":
                tabs = TABS
            elif placed == "usual" and name in SHARING:
                tabs = [tab for tab in TABS if tab[1] in SHARING]
                room = self._room.width * 5 // 7 - 8
            panel.border_title = border_title(tabs, name, room, ascii_only=self.state.ascii_only)

    # -- going to one; a key that comes before the panels puts them up

    async def action_panel(self, name: str) -> None:
        """Show a panel and go to it: the only one on a narrow terminal, the one at the side on a usual one."""
        await self.furnish_all()
        if self.samples is None:
            return  # left already
        self._current = name
        self.state.settings.panel = name
        if name in SHARING:
            self.state.settings.side = name
        self.arrange()
        self.main.set_focus(self.main.query_one(f"#{name}"), scroll_visible=False)

    async def action_zoom(self) -> None:
        await self.furnish_all()
        if self.samples is None:
            return  # left already
        focused = next((p for p in self.main.query(Panel) if p.has_focus_within), None)
        if focused is not None:
            self._current = focused.NAME
        self._alone = not self._alone
        self.arrange()

    async def action_sweep(self) -> None:
        await self.action_panel("sweep")
        self.tell(ask.Sweep(), lambda _: "", timeout=math.inf)  # answered at its end

    async def action_train_rates(self) -> None:
        await self.action_panel("sweep")
        from tui_mm.training.trials import usual_steps

        self.tell(ask.TrainedSweep(steps=usual_steps(self.state.config)), lambda _: "", timeout=math.inf)

    def action_end_sweep(self) -> None:
        self.tell(ask.EndSweep(), lambda _: "the sweep was ended")

    async def action_sample(self) -> None:
        await self.action_panel("samples")
        if self.samples is not None:
            self.main.set_focus(self.main.query_one("#prefix"), scroll_visible=False)
