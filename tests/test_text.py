"""Nothing in a word reaches the terminal as a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.text import nats, printable


def test_letters_of_any_script_stay() -> None:
    for text in ("emma", "zoë", "李小龙", "👩‍👩‍👧", "a b", ""):
        assert printable(text) == text


def test_escape_sequences_are_written_out() -> None:
    assert printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert printable("\x9b2J") == "\\x9b2J"
    assert printable("a\u202eb") == "a\\u202eb"
    assert printable("a\nb\tc") == "a\\nb\\tc"


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (2.1234567, "2.1235"),
        (99999.0, "99999.0000"),
        (1.0884e32, "1.088e+32"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_a_loss_is_as_long_as_its_place(loss: float, shown: str) -> None:
    assert nats(loss) == shown
