"""The Layers panel, alone with a view state made by hand."""

from __future__ import annotations

from data.corpus import Corpus
from tests.panel_seat import alone, layers_at, played, trained
from tui_mm.dashboard.panels.layers import LayersPanel


@played
async def test_layers_have_the_chart_where_there_is_room_or_by_key(corpus: Corpus) -> None:
    async with alone(LayersPanel(trained(corpus)), (84, 12)) as (app, pilot):
        assert "70.0%!" in app.shown
        assert "W1" in app.shown
        assert "below 5% saturated is healthy" in app.shown
        assert "over steps" not in app.shown
        await pilot.press("h")
        assert "log10 update:data over steps" in app.shown
        assert "70.0%!" not in app.shown
        await pilot.press("h")
        await pilot.resize_terminal(84, 30)
        app.panel.draw()
        assert "log10 update:data over steps" in app.shown
        assert "70.0%!" in app.shown


@played
async def test_layers_that_do_not_fit_are_scrolled_to(corpus: Corpus) -> None:
    state = trained(corpus)
    state.inspections["layers"] = layers_at(3)
    state.inspections["layers"]["parameters"] = [{**layers_at(3)["parameters"][0], "name": f"p{i}"} for i in range(20)]
    async with alone(LayersPanel(state), (84, 12)) as (app, pilot):
        assert "p0" in app.shown
        await pilot.press(*["down"] * 16)
        assert "p19" in app.shown
        assert "p0 " not in app.shown
        await pilot.press(*["up"] * 16)
        assert "p0" in app.shown
