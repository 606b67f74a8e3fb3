"""The Embedding panel, alone with a view state made by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from textual.binding import Binding

from data.corpus import Corpus
from tests.panel_seat import Alone, alone, embedding_at, play, played, trained
from tui_mm.dashboard.panels.embedding import EmbeddingPanel

pytestmark = pytest.mark.usefixtures("prompt_pilot")


@played
async def test_the_embedding_is_seen_at_every_evaluation_and_live(corpus: Corpus) -> None:
    state = trained(corpus)
    async with alone(EmbeddingPanel(state)) as (app, pilot):
        assert "PCA of 4 dimensions" in app.shown
        assert "step 2,000, the last evaluation" in app.shown
        state.inspections["embedding"] = embedding_at(2100, 20, 4)
        app.panel.draw()
        assert "step 2,100, now" in app.shown
        await pilot.press("left", "left")
        assert "step 1,000 (snapshot 3 of 4)" in app.shown
        await pilot.press(*["left"] * 5)
        assert "step 0 (snapshot 1 of 4)" in app.shown
        await pilot.press("right")
        assert "step 500" in app.shown
        await pilot.press("escape")
        assert "now" in app.shown
        await pilot.press("left", *["right"] * 2)
        assert "now" in app.shown


def test_other_axes_can_be_looked_at_where_there_are_any(corpus: Corpus) -> None:
    async def scene(dimensions: int) -> None:
        async with alone(EmbeddingPanel(trained(corpus, dimensions))) as (app, pilot):
            before = app.shown
            await pilot.press("down")
            if dimensions > 2:
                assert "axes 1 and 3" in app.shown
                await pilot.press("up", "up")
                assert "axes 2 and 3" in app.shown
            else:
                assert "2 dimensions, as they are" in app.shown
                assert app.shown == before
                assert "no more than two dimensions" in app.said[0]

    play(scene(4))
    play(scene(2))


@played
async def test_the_picture_does_not_flip_from_frame_to_frame(corpus: Corpus) -> None:
    state = trained(corpus)
    state.inspections["embedding"] = answer = embedding_at(2000, 20, 4)
    async with alone(EmbeddingPanel(state)) as (app, _pilot):
        before = app.shown
        turned = copy.deepcopy(answer)
        turned["vectors"] = [[-v for v in vector] for vector in answer["vectors"]]
        state.inspections["embedding"] = turned
        app.panel.draw()
        assert app.shown == before


def test_escape_leaves_the_embedding_when_it_is_live(corpus: Corpus) -> None:
    class WithEscape(Alone):
        BINDINGS = [Binding("escape", "out", "out")]  # noqa: RUF012

        def action_out(self) -> None:
            self.set_focus(None)

    async def scene() -> None:
        async with alone(EmbeddingPanel(trained(corpus)), kind=WithEscape) as (app, pilot):
            await pilot.press("left", "escape")
            assert app.focused is app.panel
            await pilot.press("escape")
            assert app.focused is None

    play(scene())


@played
async def test_the_axes_stay_while_the_characters_move_a_little(corpus: Corpus) -> None:
    state = trained(corpus, 2)
    state.inspections["embedding"] = answer = embedding_at(2000, 20, 2)
    async with alone(EmbeddingPanel(state)) as (app, _pilot):
        axis = lambda: app.shown.split("\n")[-3:-1]  # noqa: E731
        before = axis()
        for grown in (0.99, 0.95, 0.9, 1.0):
            state.inspections["embedding"] = {**answer, "vectors": (grown * np.array(answer["vectors"])).tolist()}
            app.panel.draw()
            assert axis() == before
        state.inspections["embedding"] = {**answer, "vectors": (9 * np.array(answer["vectors"])).tolist()}
        app.panel.draw()
        assert axis() != before
