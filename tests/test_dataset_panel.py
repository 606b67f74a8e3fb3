"""The Dataset panel: its text by value at every size, and its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Static

from data.corpus import Corpus, parse_words
from data.statistics import describe
from data.vocabulary import Vocabulary
from tui_mm.config import make_config
from tui_mm.dashboard.charts.words import describe_words, length_bars, length_rows, window_walk
from tui_mm.dashboard.panels.dataset import DatasetPanel
from tui_mm.dashboard.state import ViewState, Words
from tui_mm.words import split_for

pytestmark = pytest.mark.usefixtures("prompt_pilot")

WHOLE = make_config(flags={"train_fraction": 1.0, "dev_fraction": 0.0})  # too few words to be divided


def words_of(corpus: Corpus) -> Words:
    return Words.of(split_for(make_config() if len(corpus) >= 20 else WHOLE, corpus))


def described(corpus: Corpus, width: int, height: int, **more: Any) -> list[str]:
    words = words_of(corpus)
    walked = [(i, corpus.word(i)) for i in range(len(corpus))]
    text = describe_words(
        words.statistics, walked, words.splits.vocabulary, 3, width=width, height=height, **more
    )  # fmt: skip
    return text.plain.split("\n")


def test_the_walk_is_the_lectures() -> None:
    vocabulary = Vocabulary("ema")
    assert window_walk("emma", vocabulary, 3) == ["... → e", "..e → m", ".em → m", "emm → a", "mma → ."]
    assert window_walk("em", vocabulary, 1, ascii_only=True) == [". -> e", "e -> m", "m -> ."]
    assert window_walk("李 e\u0301", Vocabulary("李 e\u0301"), 2) == [".. → 李", ".李 → ␣", "李␣ → e",
                                                            "␣e → ◌\u0301", "e◌\u0301 → ."]  # fmt: skip
    assert window_walk("e" * 300, vocabulary, 2)[-1] == "...", "a very long word is cut, and that is told"


def test_lengths_as_bars_and_rows() -> None:
    statistics = describe(split_for(WHOLE, parse_words("ab\nab\nabc\nabcde", "four")))
    assert length_bars(statistics) == "█▄ ▄"
    assert length_bars(statistics, ascii_only=True) == "#: :"
    assert length_bars(statistics, columns=2) == "█▃"
    assert length_rows(statistics, 12, 9) == ["2 2 ▇▇▇▇▇▇▇▇", "3 1 ▇▇▇▇", "4 0 ", "5 1 ▇▇▇▇"]
    assert length_rows(statistics, 13, 2, ascii_only=True) == ["2-3 3 #######", "4-5 1 ##"]


def test_the_walk_is_seen_in_a_small_panel_and_nothing_is_too_wide(corpus: Corpus) -> None:
    lines = described(corpus, 23, 14)
    assert lines[0] == "words      61"
    assert "... → e" in lines[:14]
    assert "mma → ." in lines[:14]
    assert max(map(cell_len, lines)) <= 23
    assert any(line.startswith("length") for line in lines)
    assert "frequent bigrams" in lines
    assert "length in letters" not in lines


def test_a_wide_panel_has_two_columns_and_the_histogram(corpus: Corpus) -> None:
    lines = described(corpus, 78, 20)
    assert lines[0].startswith("words      61")
    assert lines[0].endswith("length in letters")
    assert any("emma  block 3  word 1 of 61" in line and "frequent bigrams" in line for line in lines)
    assert len(lines) <= 20
    assert max(map(cell_len, lines)) <= 78
    assert "olivia" not in lines
    high = described(corpus, 78, 50)
    assert high[high.index("olivia") + 1] == "... → o", "where there is room the next words follow"
    assert len(high) <= 50


def test_a_tall_panel_has_the_histogram_below(corpus: Corpus) -> None:
    lines = described(corpus, 40, 50)
    assert "length in letters" in lines
    assert len(lines) <= 50


@pytest.mark.parametrize("width", [10, 23, 59, 60, 78, 200])
@pytest.mark.parametrize("height", [4, 14, 40, 90])
def test_ascii_is_ascii_at_every_size(width: int, height: int, corpus: Corpus) -> None:
    assert all(line.isascii() for line in described(corpus, width, height, ascii_only=True))


def test_words_shared_between_splits_are_counted() -> None:
    corpus = parse_words("\n".join(["ab"] * 50), "same")
    assert any("dev 5, test 5" in line for line in described(corpus, 60, 20))
    assert any("dev 5, test 5" in line for line in described(corpus, 24, 40))


class Alone(App[None]):
    CSS = "Panel { border: round $border; padding: 0 1; }"

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.panel = DatasetPanel(state)

    def compose(self) -> ComposeResult:
        yield self.panel

    @property
    def shown(self) -> str:
        return str(self.panel.query_one(Static).content)


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


async def ready(app: Alone, pilot: Pilot[None]) -> None:
    await pilot.pause()
    app.panel.draw()
    app.panel.focus()
    await pilot.pause()


def state_of(corpus: Corpus, **flags: Any) -> ViewState:
    state = ViewState(make_config(flags={"block_size": 3, **flags}))
    state.words = words_of(corpus)
    return state


def test_keys_walk_through_other_words_with_other_contexts(corpus: Corpus) -> None:
    async def scene() -> None:
        app = Alone(state_of(corpus))
        async with app.run_test(size=(28, 16)) as pilot:
            await ready(app, pilot)
            assert "emma  block 3" in app.shown
            await pilot.press("right", "plus")
            assert "olivia  block 4" in app.shown
            assert "..oli"[1:] + " → v" in app.shown
            await pilot.press("left", "left", "minus", "minus")
            assert f"{corpus.word(len(corpus) - 1)}  block 2" in app.shown
            await pilot.press(*["minus"] * 5)
            assert "block 1" in app.shown
            await pilot.press(*["equals_sign"] * 20)
            assert app.panel.block_size == 16
            assert app.panel.state.config.block_size == 3

    play(scene())


def test_what_does_not_fit_is_scrolled_to(corpus: Corpus) -> None:
    async def scene() -> None:
        app = Alone(state_of(corpus))
        async with app.run_test(size=(28, 10)) as pilot:
            await ready(app, pilot)
            await pilot.press("down", "down")
            await pilot.pause()
            assert app.panel.query_one(VerticalScroll).scroll_y == 2
            await pilot.press("up")
            await pilot.pause()
            assert app.panel.query_one(VerticalScroll).scroll_y == 1

    play(scene())


@pytest.mark.parametrize("text", ["a", "田中\n田", "a\x1b[2J\nb", "x" * 5000, "\u202eab\n\u200dc"])
def test_any_words_and_none_are_borne_with_every_key(text: str) -> None:
    async def scene() -> None:
        keys = ["right", "left", "plus", "minus", "up", "down"]
        app = Alone(ViewState(make_config()))
        async with app.run_test(size=(70, 20)) as pilot:
            await ready(app, pilot)
            await pilot.press(*keys)
            assert "reading" in app.shown
            app.panel.state.fault = "names\x1b[2J.txt: no such file"
            app.panel.draw()
            assert "no such file" in app.shown
            app.panel.state.words = words_of(parse_words(text, "words"))
            app.panel.draw()
            await pilot.press(*keys)
            assert app.shown.startswith("words ")
            assert "\x1b" not in app.shown

    play(scene())


def test_no_number_is_cut_where_there_are_two_columns() -> None:
    statistics = replace(describe(split_for(WHOLE, parse_words("ab\nabc", "two"))), words=123_456_789_012)
    for width in range(24, 70):
        text = describe_words(statistics, [(0, "ab")], Vocabulary("abc"), 3, width=width, height=20).plain
        assert "123,456,789,012" in text, width


def test_why_there_are_no_words_is_folded_and_not_cut() -> None:
    async def scene() -> None:
        fault = "/path/to/words.txt: no such file; give a file with one word a line"
        app = Alone(ViewState(make_config(), fault=fault))
        async with app.run_test(size=(30, 14)) as pilot:
            await ready(app, pilot)
            shown = app.shown
            assert " ".join(shown.split()).startswith("/path/to/words.txt: no")
            assert "one word a line" in " ".join(shown.split())
            assert "o chooses a list" in " ".join(shown.split())
            assert max(map(cell_len, shown.split("\n"))) <= 26

    play(scene())
