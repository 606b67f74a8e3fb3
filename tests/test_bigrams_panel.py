"""The Bigrams panel, alone with a view state made by hand."""

from __future__ import annotations

from data.corpus import Corpus
from tests.panel_seat import alone, bigrams_answer, played, trained
from tui_mm.dashboard.panels.bigrams import BigramsPanel


@played
async def test_bigrams_stand_side_by_side_and_a_cursor_reads_them(corpus: Corpus) -> None:
    state = trained(corpus)
    assert state.words is not None
    size = len(state.words.splits.vocabulary)
    async with alone(panel := BigramsPanel(state)) as (app, pilot):
        assert "no model yet" in app.shown
        await pilot.press("b")
        assert "no model to show: it is not there yet" in app.shown
        await pilot.press("b", "b")
        state.inspections["bigrams"] = bigrams_answer(size)
        app.panel.draw()
        assert "data: counts of train" in app.shown
        assert "model: after that character alone" in app.shown
        count = state.words.bigrams.row(0)[1]
        words = state.words.splits.train.words
        assert f".→a  data {count} ({count / words:.1%})  model {1 / size:.1%}  step 2,000" in app.shown
        await pilot.press("down", "right", "right")
        first, second = (state.words.splits.vocabulary.symbol(i) for i in (1, 3))
        assert f"{first}→{second}  data {state.words.bigrams.row(1).get(3, 0)} " in app.shown
        panel.action_move(50, 50)
        last = state.words.splits.vocabulary.symbol(size - 1)
        assert f"{last}→{last}" in app.shown
        assert f"\n{last} " in app.shown, "the window follows the cursor"
        await pilot.press("b")
        assert "difference: model less data" in app.shown
        assert "counts of train" not in app.shown
        await pilot.press("b")
        assert "counts of train" in app.shown


@played
async def test_a_narrow_panel_has_one_table_after_the_other(corpus: Corpus) -> None:
    state = trained(corpus)
    assert state.words is not None
    state.inspections["bigrams"] = bigrams_answer(len(state.words.splits.vocabulary))
    async with alone(BigramsPanel(state), (40, 15)) as (app, pilot):
        seen = []
        for _ in range(4):
            seen.append(app.shown.split("\n")[0].split(":")[0])
            await pilot.press("b")
        assert seen == ["data", "model", "difference", "data"]


@played
async def test_alone_or_mean_is_asked_for_and_the_title_tells_what_is_shown(corpus: Corpus) -> None:
    state = trained(corpus)
    async with alone(panel := BigramsPanel(state)) as (app, pilot):
        assert panel.inspect_arguments == {"characters": 64, "average": False}
        await pilot.press("m")
        await pilot.pause()
        assert app.wanted == 1
        assert state.settings.bigrams == "average"
        assert panel.inspect_arguments["average"] is True
        state.inspections["bigrams"] = bigrams_answer(20, average=True)
        app.panel.draw()
        assert "model: mean over the words' contexts" in app.shown


@played
async def test_moving_the_cursor_repaints_a_few_rows(corpus: Corpus) -> None:
    state = trained(corpus)
    async with alone(BigramsPanel(state), (84, 32)) as (app, pilot):
        before = app.shown.split("\n")
        await pilot.press("down")
        after = app.shown.split("\n")
        assert 0 < sum(a != b for a, b in zip(before, after, strict=True)) <= 4
