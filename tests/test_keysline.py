"""The line of keys: what fits, and a click on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.panel_seat import play
from tests.still import held
from tui_mm.dashboard.keysline import Entry, KeysLine, keys_line
from tui_mm.dashboard.screens.help import HelpScreen

pytestmark = pytest.mark.usefixtures("prompt_pilot")

ENTRIES: list[Entry] = [
    ("t", "t", "train"),
    ("space", "space", "pause"),
    ("question_mark", "?", "help"),
    ("q", "q", "quit"),
]
PALETTE: Entry = ("ctrl+p", "^p", "palette")


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (60, "t train space pause ? help q quit" + " " * 15 + "│ ^p palette"),
        (46, "t train space pause ? help q quit │ ^p palette"),
        (45, "t train ? help q quit" + " " * 12 + "│ ^p palette"),
        (30, "? help q quit     │ ^p palette"),
        (20, "? help q quit "),
        (5, "? help q quit "),
    ],
)
def test_what_does_not_fit_is_left_out_save_help_and_quit(width: int, line: str) -> None:
    assert keys_line(ENTRIES, PALETTE, width).plain == line


def test_without_the_palette_and_in_ascii() -> None:
    assert keys_line(ENTRIES, None, 60).plain == "t train space pause ? help q quit "
    assert keys_line(ENTRIES, PALETTE, 46, ascii_only=True).plain.endswith("| ^p palette")
    assert keys_line([], None, 10).plain == ""


@given(st.lists(st.tuples(st.just("x"), st.text("ab名", min_size=1), st.text("cd é")), max_size=12), st.integers(0, 90))
def test_more_than_the_last_two_never_overflow(entries: list[Entry], width: int) -> None:
    line = keys_line(entries, PALETTE, width)
    kept = [entry for entry in entries[-2:] if f"{entry[1]} {entry[2]}" in line.plain]
    assert kept == entries[-2:]
    assert line.cell_length <= max(width, keys_line(entries[-2:], None, width).cell_length)


def test_a_click_on_a_key_presses_it() -> None:
    async def scene() -> None:
        async with held("untrained", (120, 36)) as seat:
            line = seat.app.screen.query_one(KeysLine)
            await seat.pilot.click(line, offset=(str(line.render()).index("? help"), 0))
            assert isinstance(seat.app.screen, HelpScreen)
            await seat.pilot.press("escape")
            assert "earlier" not in str(line.render())
            await seat.pilot.press("8")
            assert "← earlier" in str(line.render()), "the panel's own keys while it has the focus"

    play(scene())
