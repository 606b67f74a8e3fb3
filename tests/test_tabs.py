"""Where the panels stand, and the titles that lead from one to another."""

from __future__ import annotations

import pytest

from tui_mm.dashboard.panels.every import ALL_PANELS
from tui_mm.dashboard.tabs import SHARING, Tab, arrangement, border_title
from tui_mm.dashboard.tabs import TABS as EVERY

TABS: list[Tab] = [(1, "dataset", "Dataset"), (2, "loss", "Loss"), (9, "log", "Log")]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((50, 15), "single"), ((80, 24), "single"), ((99, 60), "single"), ((120, 21), "single"),
        ((100, 24), "usual"), ((120, 36), "usual"), ((200, 40), "usual"), ((200, 60), "all"), ((300, 100), "all"),
    ],
)  # fmt: skip
def test_what_fits_a_terminal(size: tuple[int, int], expected: str) -> None:
    assert arrangement(*size) == expected


def test_titles_stand_side_by_side_where_they_fit() -> None:
    assert border_title(TABS, "loss", 60).plain == "1 Dataset │  2 Loss  │ 9 Log"
    assert border_title(TABS, "loss", 60, ascii_only=True).plain == "1 Dataset |  2 Loss  | 9 Log"


def test_where_they_do_not_the_others_are_numbers() -> None:
    assert border_title(TABS, "loss", 20).plain == "1 │  2 Loss  │ 9"


def test_a_panel_that_shares_with_none_is_not_in_reverse() -> None:
    title = border_title(TABS[:1], "dataset", 60)
    assert title.plain == "1 Dataset"
    assert "reverse" not in title.markup


def test_the_others_lead_to_their_panels() -> None:
    assert "@click=app.panel('log')" in border_title(TABS, "loss", 60).markup


def test_the_tabs_are_those_of_the_panels() -> None:
    assert [(number, panel.NAME, panel.TITLE) for number, panel in enumerate(ALL_PANELS, start=1)] == EVERY
    assert set(SHARING) < {panel.NAME for panel in ALL_PANELS}
