"""The sampling console alone, under a hand-made view state: what it asks for, what it shows, which keys do what."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.app import App, ComposeResult
from textual.widgets import Input

from data.corpus import Corpus, parse_words
from tui_mm.config import make_config
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.messages import SampleWanted
from tui_mm.dashboard.panels.samples import (
    SamplesPanel,
    following,
    names_text,
    next_text,
    places,
    settings_line,
)
from tui_mm.dashboard.state import ViewState, Words
from tui_mm.settings import Settings
from tui_mm.words import split_for

pytestmark = pytest.mark.usefixtures("prompt_pilot")

PLAIN = (Style.null(), Style.null())


class Seat(App[None]):
    """An app of one panel that counts what is posted to it."""

    AUTO_FOCUS = None
    CSS = "SamplesPanel { border: round $border; padding: 0 1; } #names { height: 1fr; } #next { height: auto; }"

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.panel = SamplesPanel(state)
        self.wanted = 0

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_sample_wanted(self, _: SampleWanted) -> None:
        self.wanted += 1

    def text(self, part: str) -> str:
        return self.panel.query_one(f"#{part}", ChartView).text


def state_of(corpus: Corpus, **values: Any) -> ViewState:
    config = make_config()
    return ViewState(config, color=False, words=Words.of(split_for(config, corpus)), **values)


def answer_of(state: ViewState, *names: tuple[str, str | None], prefix: str = "") -> dict[str, Any]:
    """As the worker gives it; the first character of the vocabulary is the likeliest."""
    assert state.words is not None
    size = len(state.words.splits.vocabulary)
    share = [0.0, 0.7, *[0.3 / (size - 2)] * (size - 2)]
    return {"step": 1200, "names": [{"text": t, "seen_in": s} for t, s in names], "next": share, "prefix": prefix}


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_keys_of_the_panel_change_how_names_are_drawn_and_ask_anew(corpus: Corpus) -> None:
    async def scene() -> None:
        state = state_of(corpus)
        app = Seat(state)
        async with app.run_test(size=(60, 20)) as pilot:
            app.panel.focus()
            first = app.panel.request
            assert (first.temperature, first.top_k, first.top_p) == (1.0, 0, 1.0)
            assert first.seed == state.config.seed + 10
            keys = ["[", "[", "]", "k", "k", "K", "p", "p", "P", "g", "g"]
            await pilot.press(*keys)
            now = app.panel.request
            assert (now.temperature, now.top_k, now.top_p) == (0.9, 1, 0.95)
            assert now.seed == first.seed + 2
            assert app.wanted == len(keys)
            assert app.text("drawing").split() == ["temp", "0.9", "top-k", "1", "top-p", "0.95", "seed", "+12"]
            await pilot.press("G", "K", "K")
            assert app.panel.request.seed == first.seed
            assert state.settings.top_k == 10
            await pilot.press(*["["] * 12)
            assert state.settings.temperature == 0.0
            state.settings.temperature = 4.9
            await pilot.press("]", "]")
            assert state.settings.temperature == 5.0

    play(scene())


def test_in_the_input_every_letter_is_a_letter_enter_draws_again_and_escape_leaves_it(corpus: Corpus) -> None:
    async def scene() -> None:
        app = Seat(state_of(corpus))
        async with app.run_test(size=(60, 20)) as pilot:
            app.panel.query_one(Input).focus()
            before = app.panel.request
            await pilot.press("k", "g", "[", "P")
            assert app.panel.request.prefix == "kg[P"
            assert app.panel.request.seed == before.seed
            assert app.wanted == 4
            await pilot.press("enter")
            assert app.panel.request.seed == before.seed + 1
            assert app.wanted == 5
            assert app.panel.query_one(Input).has_focus
            await pilot.press("escape")
            assert app.panel.has_focus
            await pilot.press("k")
            assert app.panel.request.prefix == "kg[P"
            assert app.panel.request.top_k == 1

    play(scene())


def test_names_and_bars_are_shown_or_why_there_are_none(corpus: Corpus) -> None:
    async def scene() -> None:
        state = state_of(corpus)
        app = Seat(state)
        async with app.run_test(size=(70, 20)):
            assert app.text("names").split() == ["names", "appear", "as", "soon", "as", "torch", "has", "loaded"]
            assert app.text("next") == ""
            state.samples = answer_of(state, ("emma", "train"), ("emxa", None), prefix="em")
            app.panel.draw()
            assert [line.split() for line in app.text("names").splitlines()] == [["emma", "train"], ["emxa", "new"]]
            assert app.panel.border_subtitle == "1 of 2 new, step 1,200"
            assert "next, at temperature 1, after em" in app.text("next")
            assert "70%" in app.text("next")
            state.samples_fault = "'é': is not in this model's vocabulary \x1b[2J " + "abc " * 30
            app.panel.draw()
            assert "'é': is not in this model's vocabulary \\x1b" in app.text("names").splitlines()[0], "all the width"
            assert "\x1b" not in app.text("names")
            assert all(len(line) <= 66 for line in app.text("names").splitlines())
            assert app.text("next") == ""

    play(scene())


@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_size_has_names_and_most_have_bars(corpus: Corpus, ascii_only: bool) -> None:
    async def scene() -> None:
        state = state_of(corpus, ascii_only=ascii_only)
        state.samples = answer_of(state, *[("emma" * 20, None), ("李小龙", "dev"), ("[b]x", "test")] * 14, prefix="em")
        app = Seat(state)
        async with app.run_test(size=(28, 11)) as pilot:
            for width, height in [(24, 9), (40, 15), (55, 20), (56, 20), (70, 50), (24, 5), (5, 2)]:
                await pilot.resize_terminal(width + 4, height + 2)
                await pilot.pause()
                lines = [*app.text("names").splitlines(), *app.text("next").splitlines()]
                assert all(cell_len(line) <= width for line in lines), (width, height)
                if width < 24:
                    continue
                assert (".." if ascii_only else "…") + "  new" in lines[0]
                assert ("bigram" in app.text("next")) == (height > 5)
                seen = app.panel.query_one("#next").region
                assert (seen.y == app.panel.query_one("#names").region.y) == (width >= 56)
                assert height == 5 or len(app.text("next").splitlines()) <= seen.height
                assert app.panel.request.count == min(40, app.panel.query_one("#names").region.height)

    play(scene())


def test_more_room_asks_for_more_names(corpus: Corpus) -> None:
    async def scene() -> None:
        state = state_of(corpus)
        state.samples = answer_of(state, *[("emma", "train")] * 5)
        app = Seat(state)
        async with app.run_test(size=(40, 16)) as pilot:
            asked = app.wanted
            await pilot.resize_terminal(40, 40)
            await pilot.pause()
            assert app.wanted > asked

    play(scene())


def test_places_fill_the_room() -> None:
    for width in (24, 40, 55, 56, 70):
        for height in range(2, 51):
            found = places(width, height)
            assert found.beside == (width >= 56)
            if found.beside:
                assert found.names[0] + found.bars[0] + 2 == width
                assert found.names[1] == found.bars[1] == height - 2
            else:
                assert found.names[1] + found.bars[1] == height - 2


def test_choices_go_round() -> None:
    assert following((0, 1, 2), 0, 1) == 1
    assert following((0, 1, 2), 2, 1) == 0
    assert following((0, 1, 2), 0, -1) == 2
    assert following((0, 1, 2), 7, 1) == 0


def test_the_settings_line_is_as_long_as_there_is_room() -> None:
    settings = Settings(temperature=0.7, top_k=3, top_p=0.95)
    assert settings_line(settings, 12, 70) == "temp 0.7 ([ ])  top-k 3 (k)  top-p 0.95 (p)  seed +12 (g)"
    assert settings_line(settings, 12, 45) == "temp 0.7  top-k 3  top-p 0.95  seed +12"
    assert settings_line(settings, 12, 30) == "t 0.7 k 3 p 0.95 s +12"
    assert settings_line(Settings(), 10, 30) == "temp 1.0 ([ ])  seed +10 (g)"
    assert settings_line(Settings(top_k=3), 10, 28) == "temp 1.0  top-k 3  seed +10"
    assert settings_line(Settings(top_k=3), 10, 26) == "t 1.0 k 3 p 1.0 s +10"
    assert settings_line(settings, 12, 20) == "0.7 3 0.95 +12"
    assert settings_line(settings, 12, 5) == "0.7 3"


def test_names_are_marked_in_words_and_padded_by_cells() -> None:
    names = [{"text": "李小龙", "seen_in": "dev"}, {"text": "emma", "seen_in": None}, {"text": "", "seen_in": None}]
    bold = Style(bold=True)
    text = names_text(names, 30, new=bold)
    assert text.plain.splitlines() == ["李小龙   dev", "emma     new", "(empty)  new"]
    assert [str(span.style) for span in text.spans if text.plain[span.start : span.end].startswith("emma")] == ["bold"]
    assert names_text([], 30, new=bold).plain == ""
    assert names_text([{"text": "emmanuelle", "seen_in": "train"}], 12, new=bold).plain == "emma…  train"


def test_bars_compare_the_model_with_smoothed_counts() -> None:
    state = state_of(parse_words("ab\nab\nac\n" * 10, "words"))
    assert state.words is not None
    share = [0.0, 0.0, 0.75, 0.25]  # . a b c
    answer = {"next": share, "prefix": "a", "names": []}
    counts = state.words.bigrams.row(1)
    total = sum(counts.values()) + 4
    lines = next_text(answer, state.words, width=60, rows=5, ascii_only=True, styles=PLAIN).plain.splitlines()
    assert [line.split()[0] for line in lines] == ["next,", "b", "c", ".", "a"]
    assert [line.split()[-1] for line in lines[1:]] == [f"{(counts.get(t, 0) + 1) / total:.0%}" for t in (2, 3, 0, 1)]
    assert "75%" in lines[1]
    assert len(next_text(answer, state.words, width=60, rows=9, ascii_only=True, styles=PLAIN).plain.splitlines()) == 6


def test_no_bars_for_an_answer_of_other_words() -> None:
    state = state_of(parse_words("ab\nab\nac\n" * 10, "words"))
    for answer in ({"next": [0.5, 0.5], "prefix": ""}, {"next": [0.25] * 4, "prefix": "z"}):
        assert not next_text(answer, state.words, width=60, rows=9, ascii_only=False, styles=PLAIN)
    assert not next_text({"next": [0.25] * 4, "prefix": ""}, None, width=60, rows=9, ascii_only=False, styles=PLAIN)


def test_bars_begin_in_one_place_whatever_the_characters() -> None:
    state = state_of(parse_words("李\u0301b\nab\u200dab c\n" * 10, "words"))
    assert state.words is not None
    size = len(state.words.splits.vocabulary)
    answer = {"next": [1 / size] * size, "prefix": "a", "names": []}
    lines = next_text(answer, state.words, width=60, rows=12, ascii_only=False, styles=PLAIN).plain.splitlines()[2:]
    assert len(lines) == size
    assert {cell_len(line[: line.index("█")]) for line in lines} == {3}
