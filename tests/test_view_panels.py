"""The panels of what a model has learnt, each alone with a view state made by hand."""

from __future__ import annotations

import asyncio
import copy
import functools
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot

from data.corpus import Corpus, parse_words
from tui_mm.config import make_config
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.messages import InspectionWanted
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.panels.bigrams import BigramsPanel
from tui_mm.dashboard.panels.embedding import EmbeddingPanel
from tui_mm.dashboard.panels.layers import LayersPanel
from tui_mm.dashboard.panels.timeline import TimelinePanel
from tui_mm.dashboard.state import ViewState, Words
from tui_mm.words import split_for

PANELS: list[type[Panel]] = [EmbeddingPanel, LayersPanel, BigramsPanel, TimelinePanel]
WHOLE = make_config(flags={"train_fraction": 1.0, "dev_fraction": 0.0})
STEPS = (0, 500, 1000, 2000)


class Alone(App[None]):
    CSS = "Panel { border: round $border; padding: 0 1; }"

    def __init__(self, panel: Panel) -> None:
        super().__init__()
        self.panel = panel
        self.wanted = 0
        self.said: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_inspection_wanted(self, _: InspectionWanted) -> None:
        self.wanted += 1

    def notify(self, message: str, **_: Any) -> None:
        self.said.append(message)

    @property
    def shown(self) -> str:
        return self.panel.query_one(ChartView).text


def embedding_at(step: int, size: int, dimensions: int) -> dict[str, Any]:
    spread = np.random.default_rng(1).normal(size=(size, dimensions))
    return {"step": step, "ids": list(range(size)), "vectors": (spread * (1 + step / 1000)).tolist()}


def layers_at(step: int) -> dict[str, Any]:
    activation = {
        "name": "tanh",
        "saturated": 0.7,
        "mean": 0.0,
        "std": 0.6,
        "low": -1,
        "high": 1,
        "histogram": [0.05] * 20,
    }
    parameter = {"name": "W1", "shape": [9, 8], "std": 0.1, "grad_norm": 1.0, "grad_std": 0.01, "update_ratio": -3.2}
    return {"step": step, "activations": [activation], "parameters": [parameter]}


def trained(corpus: Corpus, dimensions: int = 4) -> ViewState:
    """A state with words, snapshots of four evaluations, and no answers of a worker yet."""
    state = ViewState(make_config())
    state.words = Words.of(split_for(make_config() if len(corpus) >= 20 else WHOLE, corpus))
    size = min(64, len(state.words.splits.vocabulary))
    state.follower = SimpleNamespace(  # type: ignore[assignment]
        snapshots={
            "embedding": [(s, embedding_at(s, size, dimensions)) for s in STEPS],
            "layers": [(s, layers_at(s)) for s in STEPS],
            "names": [(s, [f"name{s}", "emma", *"abcdefgh"]) for s in STEPS],
        },
        evaluations=[SimpleNamespace(step=s, dev=3.0 - s / 1000 if s else math.nan) for s in STEPS],
        status="running",
        steps=2000,
    )
    return state


def bigrams_answer(size: int, *, average: bool = False) -> dict[str, Any]:
    table = np.full((size, size), 1 / size)
    return {"step": 2000, "ids": list(range(size)), "table": table.tolist(), "average": average}


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def played(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is one scene."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        play(test(*arguments, **named))

    return run


@asynccontextmanager
async def alone(
    panel: Panel, size: tuple[int, int] = (84, 17), kind: type[Alone] = Alone
) -> AsyncIterator[tuple[Alone, Pilot[None]]]:
    app = kind(panel)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.panel.draw()
        app.panel.focus()
        await pilot.pause()
        yield app, pilot


def keys_of(panel: type[Panel]) -> list[str]:
    bindings = [b for b in panel.BINDINGS if isinstance(b, Binding)]
    assert all(b.id and b.description and b.tooltip for b in bindings)
    return [key for b in bindings for key in b.key.split(",")]


# -- what each shows


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


# -- nothing raises


def nothing(_: ViewState) -> None: ...


def no_words(state: ViewState) -> None:
    state.words = None


def no_run(state: ViewState) -> None:
    state.follower = None


def no_snapshots(state: ViewState) -> None:
    assert state.follower is not None
    state.follower.snapshots = {}  # type: ignore[attr-defined]


def old_follower(state: ViewState) -> None:
    state.follower = SimpleNamespace(evaluations=[], status="created", steps=0)  # type: ignore[assignment]


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


CHANGES = [nothing, no_words, no_run, no_snapshots, old_follower, empty_answers, broken_numbers]


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
