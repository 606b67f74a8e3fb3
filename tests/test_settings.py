"""What the dashboard remembers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError

from tui_mm.runs.home import Home
from tui_mm.settings import MAX_RECENT, Settings


def test_what_was_saved_is_there_again(home: Path) -> None:
    settings = Settings(theme="nord", side="log", loss_scale="linear", temperature=0.5)
    settings.remember_words("/words.txt")
    settings.save(Home.find())
    assert Settings.load(Home.find()) == (settings, "")
    assert (home / "settings.json").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in home.iterdir() if "settings" in p.name] == ["settings.json"]


def test_without_any_the_usual_ones() -> None:
    assert Settings.load(Home.find()) == (Settings(), "")


def test_the_newest_words_come_first_once_each() -> None:
    settings = Settings()
    for name in ["a", "b", "a", *map(str, range(20))]:
        settings.remember_words(name)
    assert settings.recent == [str(n) for n in range(19, 9, -1)]
    assert len(settings.recent) == MAX_RECENT
    settings.remember_words("15")
    assert settings.recent[0] == "15"
    assert len(set(settings.recent)) == MAX_RECENT


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_the_dashboard_starts(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    root = tmp_path_factory.mktemp("home")
    (root / "settings.json").write_bytes(raw)
    settings, fault = Settings.load(Home(root))
    assert isinstance(settings, Settings)
    assert (settings == Settings()) or not fault


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"temperature": "hot"}',
        b'{"top_p": 0}',
        b'{"recent": 5}',
        b"{" * 5000,
        b'{"loss_scale": "cubic"}',
        b'{"theme": NaN}',
    ],
)
def test_a_file_that_is_none_is_said(home: Path, raw: bytes) -> None:
    home.mkdir()
    (home / "settings.json").write_bytes(raw)
    settings, fault = Settings.load(Home.find())
    assert settings == Settings()
    assert "settings.json: cannot be read" in fault


def test_a_value_that_is_not_allowed_is_refused() -> None:
    settings = Settings()
    for name, value in (("temperature", -1), ("loss_scale", "cubic"), ("recent", ["a"] * 11)):
        before = getattr(settings, name)
        with pytest.raises(ValidationError):
            setattr(settings, name, value)
        assert getattr(settings, name) == before
    settings.top_k = 5
    assert settings.top_k == 5
    with pytest.raises(AttributeError):
        settings.colour = "red"  # type: ignore[attr-defined]
