"""The Over time panel, alone with a view state made by hand."""

from __future__ import annotations

from types import SimpleNamespace

from data.corpus import Corpus
from tests.panel_seat import STEPS, alone, played, trained
from tui_mm.dashboard.panels.timeline import TimelinePanel


@played
async def test_names_over_time_in_an_overview_and_one_by_one(corpus: Corpus) -> None:
    async with alone(TimelinePanel(trained(corpus)), (32, 16)) as (app, pilot):
        heads = lambda: app.shown.split("\n")[0].replace("step ", "").split()  # noqa: E731
        assert heads() == ["0", "2,000"]
        assert "emma=" in app.shown or "emma~" in app.shown
        assert "dev 1.000" in app.shown
        assert "nan" not in app.shown
        await pilot.press("left")
        assert heads() == ["1,000", "2,000"]
        await pilot.press("left")
        assert heads() == ["500", "1,000"]
        await pilot.press("home", "left")
        assert heads() == ["0", "500"]
        await pilot.press("right")
        assert heads() == ["500", "1,000"]
        await pilot.press("right", "right")
        assert heads() == ["0", "2,000"]
        await pilot.press("home", "end")
        assert heads() == ["0", "2,000"]
        await pilot.resize_terminal(120, 16)
        app.panel.draw()
        assert heads() == ["0", "500", "1,000", "2,000"]
        await pilot.press("left")
        assert "all evaluations are shown" in app.said


@played
async def test_the_train_loss_stands_where_there_is_no_dev(corpus: Corpus) -> None:
    state = trained(corpus)
    assert state.follower is not None
    state.follower.evaluations[:] = [SimpleNamespace(step=s, train=2.5, dev=None) for s in STEPS]
    async with alone(TimelinePanel(state), (120, 16)) as (app, _pilot):
        assert app.shown.split("\n")[1].split() == ["train", "2.500"] * len(STEPS)
        assert f"every evaluation, {len(STEPS)} so far" in app.shown
