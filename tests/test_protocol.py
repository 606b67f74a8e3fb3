"""What a worker can be asked, as it stands in the inbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.worker.protocol import COMMANDS, CommandError, Compare, Configure, Inspect, Sample, SetLr, Step, parse


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_command_comes_back_from_its_row(kind: str) -> None:
    command = COMMANDS[kind]()
    assert parse(kind, command.arguments()) == command


def test_arguments_are_kept() -> None:
    assert parse("step", {"count": 5}) == Step(5)
    assert parse("set lr", {"lr": 1}) == SetLr(1)
    assert parse("sample", {"prefix": "em"}) == Sample("em")
    assert parse("compare", {"runs": ["0a1b2c3d", "4e5f6a7b"]}) == Compare(("0a1b2c3d", "4e5f6a7b"))
    assert parse("inspect", {"what": "bigrams", "average": True}) == Inspect("bigrams", average=True)
    assert parse("configure", {"values": {"lr": 0.1}}) == Configure({"lr": 0.1})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("explode", {}),
        ("step", {"count": "5"}),
        ("step", {"count": True}),
        ("step", {"many": 5}),
        ("pause", [1]),
        ("compare", {"runs": "0a1b2c3d"}),
        ("compare", {"checkpoint": "first"}),
        ("inspect", {"average": 1}),
        ("inspect", {"characters": True}),
        ("configure", {"values": [1]}),
        ("set lr", None),
    ],
)
def test_what_is_no_command_is_one_clear_line(name: str, arguments: object) -> None:
    with pytest.raises(CommandError, match=name):
        parse(name, arguments)


@given(st.text() | st.sampled_from(list(COMMANDS)), st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_row_is_a_command_or_an_error(name: str, arguments: object) -> None:
    try:
        parse(name, arguments)
    except CommandError as error:
        assert str(error)
