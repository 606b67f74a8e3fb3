"""What the panels of what a model has learnt have in common: they bear whatever there is."""

from __future__ import annotations

import math
from typing import Any

import pytest

from data.corpus import Corpus, parse_words
from tests.panel_seat import alone, bigrams_answer, keys_of, play, played, trained
from tests.still import StillFollower
from tui_mm.config import make_config
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.panels.bigrams import BigramsPanel
from tui_mm.dashboard.panels.embedding import EmbeddingPanel
from tui_mm.dashboard.panels.layers import LayersPanel
from tui_mm.dashboard.panels.timeline import TimelinePanel
from tui_mm.dashboard.state import ViewState

pytestmark = pytest.mark.usefixtures("prompt_pilot")

PANELS: list[type[Panel]] = [EmbeddingPanel, LayersPanel, BigramsPanel, TimelinePanel]


def test_a_model_without_a_part_says_so(corpus: Corpus) -> None:
    async def scene(panel: type[Panel], answer: dict[str, Any], key: str) -> None:
        state = trained(corpus)
        no_snapshots(state)
        state.inspections[panel.WANTS] = answer
        async with alone(panel(state)) as (app, pilot):
            await pilot.press(key)
            assert "it counts" in app.shown

    play(scene(EmbeddingPanel, {"step": 0, "ids": [], "vectors": [], "reason": "it counts"}, "end"))
    play(scene(LayersPanel, {"step": 0, "activations": [], "parameters": [], "reason": "it counts"}, "h"))
    play(scene(BigramsPanel, {"step": 0, "ids": [], "table": [], "reason": "it counts"}, "b"))


@pytest.mark.parametrize("panel", PANELS)
@played
async def test_what_is_said_in_place_of_a_picture_is_said_whole(panel: type[Panel], corpus: Corpus) -> None:
    state = ViewState(make_config())
    async with alone(panel(state), (30, 12)) as (app, pilot):
        lines = app.shown.split("\n")
        assert len(lines) > 1 and max(map(len, lines)) <= 26
        state.fault = "words.txt: no such file; give a file with one word a line"
        app.panel.draw()
        assert state.fault in " ".join(app.shown.split())
        state.words = trained(corpus).words
        state.inspections[panel.WANTS] = {"reason": "the weights are no numbers any more\x1b[2J", "step": 3}
        app.panel.draw()
        await pilot.press(*("b",) * (panel is BigramsPanel))
        assert panel is TimelinePanel or "the weights are no numbers any more\\x1b[2J" in " ".join(app.shown.split())


def nothing(_: ViewState) -> None: ...


def no_words(state: ViewState) -> None:
    state.words = None


def no_run(state: ViewState) -> None:
    state.follower = None


def no_snapshots(state: ViewState) -> None:
    assert state.follower is not None
    state.follower.snapshots = {}  # type: ignore[attr-defined]


def untrained(state: ViewState) -> None:
    state.follower = StillFollower("untrained")


def empty_answers(state: ViewState) -> None:
    state.inspections = {"embedding": {}, "layers": {}, "bigrams": {}}


def broken_numbers(state: ViewState) -> None:
    none = dict.fromkeys(("saturated", "mean", "std", "low", "high", "grad_norm", "grad_std", "update_ratio", "shape"))
    state.inspections = {
        "embedding": {"step": 1, "ids": [0, 1, 10**6], "vectors": [[None, 1.0], [math.nan, 2.0], [1.0, 1.0]]},
        "layers": {
            "step": None,
            "activations": [{**none, "name": "a\x1b[2J", "histogram": [None]}],
            "parameters": [none],
        },
        "bigrams": {"step": 1, "ids": [0, 1], "table": [[None, math.nan], [0.5]], "average": False},
    }


CHANGES = [nothing, no_words, no_run, no_snapshots, untrained, empty_answers, broken_numbers]


@pytest.mark.parametrize("panel", PANELS)
@played
async def test_every_key_is_borne_whatever_there_is(panel: type[Panel], corpus: Corpus) -> None:
    async with alone(panel(trained(corpus))) as (app, pilot):
        for size in ((84, 17), (20, 8)):
            await pilot.resize_terminal(*size)
            for change in CHANGES:
                app.panel.state = trained(corpus)
                change(app.panel.state)
                app.panel.draw()
                await pilot.press(*keys_of(panel))
                assert app.shown.strip(), change
                assert "\x1b" not in app.shown, change


@pytest.mark.parametrize("panel", PANELS)
def test_vocabularies_of_two_and_of_thousands(panel: type[Panel]) -> None:
    async def scene(text: str) -> None:
        state = trained(parse_words(text, "words"))
        async with alone(panel(state)) as (app, pilot):
            for key in keys_of(panel):
                await pilot.press(key)
            assert app.shown

    play(scene("a\na\na"))
    play(scene("\n".join(chr(0x4E00 + i) + chr(0x4E00 + (7 * i) % 5000) for i in range(5000))))


@pytest.mark.parametrize("panel", PANELS)
@played
async def test_ascii_is_ascii_and_an_unchanged_state_repaints_nothing(panel: type[Panel], corpus: Corpus) -> None:
    state = trained(corpus)
    state.ascii_only, state.color = True, False
    state.inspections["bigrams"] = bigrams_answer(20)
    async with alone(panel(state), (84, 30)) as (app, _pilot):
        assert app.shown.isascii()
        view = app.panel.query_one(ChartView)
        changed: list[int] = []
        show = view.show
        view.show = lambda text: changed.append(show(text)) or changed[-1]  # type: ignore[func-returns-value, method-assign]
        app.panel.draw()
        app.panel.draw()
        assert sum(changed) == 0
