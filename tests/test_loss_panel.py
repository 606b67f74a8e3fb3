"""The Loss panel: what its keys and the mouse do, with and without a run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.dashboard.charts.look import Colors
from tui_mm.dashboard.charts.view import ChartView, changed_cells
from tui_mm.dashboard.losses import reading
from tui_mm.dashboard.panels import loss as loss_panel
from tui_mm.dashboard.panels.base import contrast, theme_colors
from tui_mm.dashboard.panels.loss import LossPanel
from tui_mm.dashboard.state import Overlay, ViewState, Words
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
from tui_mm.runs.run import create_run
from tui_mm.runs.store import EvaluationRow, LossBlock, LossChunk
from tui_mm.words import split_for

pytestmark = pytest.mark.usefixtures("prompt_pilot")

STEPS = 1000
KEYS = ("left", "right", "home", "end", "plus", "equals_sign", "minus", "shift+left", "shift+right", "f", "escape", "y",
        "u")  # fmt: skip


def block(first: int, losses: np.ndarray, seconds: float) -> LossBlock:
    """Of one chunk."""
    at = np.array([seconds])
    return LossBlock(first, losses, np.array([first + len(losses) - 1]), 0.1, at, at)


def falling(count: int) -> np.ndarray:
    return (2 + np.exp(-np.arange(count) / 100)).astype(np.float32)


def followed(corpus: Corpus, losses: np.ndarray, **flags: Any) -> RunFollower:
    """A run of these losses, ten steps a second, 10 steps an epoch, dev 2.5 at step 500."""
    config = make_config(flags={"model": "mlp", "batch_size": 32, "steps": STEPS, **flags})
    run = create_run(Home.find(), config, corpus, None, {"data": {"examples": {"train": 320}}, "model": {}})
    with run.store() as store, store.transaction():
        for first in range(0, len(losses), 100):
            part = losses[first : first + 100]
            end = (first + len(part)) / 10
            store.add_losses(LossChunk(first + 1, part, 0.1, end, end))
        store.add_evaluation(EvaluationRow(0, 3.3, 3.4, True, 0.0))
        if len(losses) >= 500:
            store.add_evaluation(EvaluationRow(500, 2.4, 2.5, True, 50.0))
    follower = RunFollower(run)
    follower.poll()
    return follower


class Stage(App[None]):
    CSS = "LossPanel { height: 1fr; border: round $border; padding: 0 1; }"

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.state = state

    def compose(self) -> ComposeResult:
        yield LossPanel(self.state)


class Scene:
    def __init__(self, app: Stage, pilot: Pilot[None]) -> None:
        self.panel = app.query_one(LossPanel)
        self.view = self.panel.query_one(ChartView)
        self.state, self.pilot, self.app = app.state, pilot, app

    @property
    def text(self) -> str:
        return self.view.text

    @property
    def ticks(self) -> list[str]:
        """What stands under the x axis."""
        lines = self.text.split("\n")
        at = next(y for y, line in enumerate(lines) if "└" in line)
        return lines[at + 1].split()

    async def press(self, *keys: str) -> str:
        await self.pilot.press(*keys)
        return self.text


def state_of(corpus: Corpus, follower: RunFollower | None, **more: Any) -> ViewState:
    config = make_config(flags={"steps": STEPS})
    state = ViewState(config, **more)
    state.words = Words.of(split_for(config, corpus))
    state.follower = follower
    return state


@asynccontextmanager
async def staged(state: ViewState, size: tuple[int, int] = (110, 30)) -> AsyncIterator[Scene]:
    app = Stage(state)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        scene = Scene(app, pilot)
        scene.panel.focus()
        scene.panel.draw()
        yield scene


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_before_any_training_it_says_what_to_press_and_every_key_is_borne(corpus: Corpus) -> None:
    async def scene() -> None:
        for state in (state_of(corpus, None), ViewState(make_config()), state_of(corpus, followed(corpus, falling(0)))):
            async with staged(state) as stage:
                assert "press t to train" in stage.text
                await stage.press(*KEYS)
                await stage.pilot.click(ChartView)
                assert "press t to train" in stage.text

    play(scene())


def test_the_cursor_reads_values_and_f_takes_it_away(corpus: Corpus) -> None:
    async def scene() -> None:
        async with staged(state_of(corpus, followed(corpus, falling(STEPS)))) as stage:
            await stage.press("left")
            assert re.search(r"steps 991–1,000  train 2\.000\d \(2\.000\d–2\.000\d\)  dev 2\.5000 at 500", stage.text)
            assert "epoch 100.00  time 1:40" in stage.text
            assert "│" in "".join(line[12:] for line in stage.text.split("\n"))
            await stage.press("left")
            assert re.search(r"steps 98\d–990 ", stage.text)
            await stage.press("home")
            assert re.search(r"steps? 1.*  train 2\.9\d+ \(2\.9\d+–3\.0000\)  dev 3\.4000 at 0", stage.text)
            await stage.press("left")
            assert re.search(r"steps? 1", stage.text)
            await stage.press("end")
            assert "–1,000  train" in stage.text
            await stage.press("f")
            assert "steps 9" not in stage.text
            assert "│" not in "".join(line[12:] for line in stage.text.split("\n"))

    play(scene())


def test_zoom_pan_and_follow(corpus: Corpus) -> None:
    async def scene() -> None:
        async with staged(state_of(corpus, followed(corpus, falling(STEPS)))) as stage:
            assert stage.ticks[:2] == ["step", "0"]
            whole = stage.text
            await stage.press("plus")
            assert stage.ticks[0] == "500"
            assert "f follows" in str(stage.panel.border_subtitle)
            await stage.press("shift+left")
            assert stage.panel._zoomed == (375, 875)
            await stage.press(*["shift+left"] * 9)
            assert stage.panel._zoomed == (0, 500)
            await stage.press(*["shift+right"] * 9)
            assert stage.panel._zoomed == (500, 1000)
            await stage.press("minus")
            assert stage.panel._zoomed is None
            assert stage.text == whole
            await stage.press("home", "equals_sign", "equals_sign")
            assert stage.panel._zoomed is not None
            assert stage.panel._zoomed[0] < 10
            await stage.press("escape")
            assert stage.text == whole
            await stage.press(*["plus"] * 30)
            low, high = stage.panel._zoomed or (0, 0)
            assert 8 <= high - low < 16, "eight steps are the least"
            assert high == 1000

    play(scene())


def test_the_cursor_takes_a_zoomed_window_along(corpus: Corpus) -> None:
    async def scene() -> None:
        async with staged(state_of(corpus, followed(corpus, falling(STEPS)))) as stage:
            await stage.press("plus", "plus", "home", "left", "left", "left")
            assert stage.panel._zoomed is not None
            assert stage.panel._zoomed[0] < 750
            assert stage.panel._zoomed[1] - stage.panel._zoomed[0] == pytest.approx(250)
            assert re.search(r"steps? 74\d", stage.text)

    play(scene())


def test_scale_and_unit_are_kept_in_the_settings(corpus: Corpus) -> None:
    async def scene() -> None:
        state = state_of(corpus, followed(corpus, falling(STEPS)))
        async with staged(state) as stage:
            assert "log scale" in stage.text
            await stage.press("y")
            assert "linear scale" in stage.text
            assert state.settings.loss_scale == "linear"
            await stage.press("u")
            assert state.settings.loss_axis == "epochs"
            assert stage.ticks[0] == "epoch"
            assert stage.ticks[-1] == "100"
            await stage.press("u")
            assert "over seconds" in stage.text
            assert "1:30" in stage.ticks
            await stage.press("u")
            assert stage.ticks[:2] == ["step", "0"]
            await stage.press("y")
            assert state.settings.loss_scale == "log"

    play(scene())


def test_the_window_and_the_cursor_stay_at_their_steps_in_another_unit(corpus: Corpus) -> None:
    async def scene() -> None:
        async with staged(state_of(corpus, followed(corpus, falling(STEPS)))) as stage:
            await stage.press("plus", "left", "u")
            assert stage.panel._zoomed == pytest.approx((50, 100))
            assert "at 500  epoch 100" in stage.text
            await stage.press("u")
            assert stage.panel._zoomed == pytest.approx((50, 100))
            await stage.press("u")
            assert stage.panel._zoomed == pytest.approx((500, 1000))

    play(scene())


def test_a_run_that_goes_on_keeps_a_zoomed_window_and_grows_a_followed_one(corpus: Corpus) -> None:
    async def scene() -> None:
        follower = followed(corpus, falling(300))
        follower.status = "running"
        async with staged(state_of(corpus, follower)) as stage:
            end = stage.ticks[-1]
            await stage.press("plus")
            before = stage.panel._zoomed
            follower._take(block(301, falling(500), 80.0))
            stage.panel.draw()
            assert stage.panel._zoomed == before
            await stage.press("f")
            assert int(stage.ticks[-1].replace(",", "")) > int(end.replace(",", ""))

    play(scene())


def test_what_is_drawn_stays_and_only_the_newest_cells_are_sent(corpus: Corpus) -> None:
    async def scene() -> None:
        follower = followed(corpus, falling(600))
        follower.status = "running"
        async with staged(state_of(corpus, follower)) as stage:
            before = list(stage.view._strips)
            follower._take(block(601, falling(1000)[600:610], 61.0))
            stage.panel.draw()
            spans = [changed_cells(old, new) for old, new in zip(before, stage.view._strips, strict=True)]
            assert 1 <= sum(end - begin for begin, end in spans) <= 12

    play(scene())


def test_other_runs_are_drawn_over_it_and_without_it(corpus: Corpus) -> None:
    async def scene() -> None:
        state = state_of(corpus, followed(corpus, falling(STEPS)))
        names = ["[red]wide[/]", "李小龙\x1b[2J", "short"]
        runs = [falling(STEPS) + 0.3, falling(2 * STEPS) - 0.3, falling(200) + 0.8]
        state.overlays = [Overlay(n, followed(corpus, r)) for n, r in zip(names, runs, strict=True)]
        state.overlays.append(Overlay("empty", followed(corpus, falling(0))))
        async with staged(state, (140, 40)) as stage:
            assert "A [red]wide[/]" in stage.text
            assert "B 李小龙" in stage.text
            assert "\x1b" not in stage.text
            assert "empty" not in stage.text
            assert stage.ticks[-1] in ("2k", "2,000")
            await stage.press("left")
            assert "C ended" in stage.text
            assert re.search(r"A 2\.3\d+  B 1\.7\d+", stage.text)
            state.follower = None
            stage.panel.draw()
            assert "C short" in stage.text
            assert "train mean" not in stage.text
            await stage.press(*KEYS, "plus", "left", "u", "u", "u")

    play(scene())


@pytest.mark.parametrize(("size", "more"), [((36, 8), {"ascii_only": True}), ((80, 24), {"color": False})])
def test_every_key_with_every_run(size: tuple[int, int], more: dict[str, Any], corpus: Corpus) -> None:
    runs = [falling(1), falling(2), np.full(50, np.nan, np.float32), np.array([0, np.inf, 3e38, 1e-30], np.float32)]

    async def scene() -> None:
        state = state_of(corpus, None, **more)
        async with staged(state, size) as stage:
            for losses in runs:
                state.follower = followed(corpus, losses)
                state.follower.status = "running" if len(losses) == 2 else "done"
                stage.panel.draw()
                await stage.press(*KEYS)
                lines = stage.text.split("\n")
                assert len(lines) == stage.view.size.height
                assert all(len(line) <= stage.view.size.width for line in lines)
                assert not more.get("ascii_only") or stage.text.isascii()

    play(scene())


def test_the_counting_model_has_one_step_and_is_drawn(corpus: Corpus) -> None:
    async def scene() -> None:
        follower = followed(corpus, np.array([2.45], np.float32), model="bigram")
        async with staged(state_of(corpus, follower)) as stage:
            assert "•" in stage.text
            assert stage.ticks == ["step", "0", "1", "2"]
            await stage.press("left")
            assert "step 1  train 2.4500" in stage.text
            assert "epoch 1.00" in stage.text

    play(scene())


def counting(corpus: Corpus, model: str, dev: float | None, **flags: Any) -> RunFollower:
    """A run of a model that counted, with the uniform loss as its one step's."""
    follower = followed(corpus, np.array([3.2958], np.float32), model=model, **flags)
    with follower.run.store() as store:
        store.add_evaluation(EvaluationRow(1, 2.3, dev, True, 0.1))
    follower.poll()
    return follower


def test_a_counting_model_lies_over_another_run_as_a_level(corpus: Corpus) -> None:
    async def scene() -> None:
        own = followed(corpus, falling(STEPS), model="gru")
        state = state_of(corpus, own)
        state.overlays = [
            Overlay("counts", counting(corpus, "bigram", 2.45)),
            Overlay("all of it", counting(corpus, "ngram", None)),
            Overlay("backoff", counting(corpus, "backoff", 2.1)),
        ]
        async with staged(state, (120, 36)) as stage:
            assert stage.ticks[-1] in ("1k", "1,000"), "the axis is that of the run that has steps"
            for part in ("A counts bigram, dev 2.450", "B all of it ngram, train 2.300", "C backoff, dev 2.100"):
                assert part in stage.text
            assert sum("─" * 8 in line[6:] for line in stage.text.split("\n")[:-4]) >= 3
            await stage.press("left")
            assert "A 2.4500 B 2.3000 C 2.1000" in " ".join(stage.text.split())
            for axis in ("epochs", "seconds", "steps"):
                await stage.press("u")
                assert f"over {axis}" in stage.text
                assert "A 2.4500 B 2.3000 C 2.1000" in " ".join(stage.text.split())
            await stage.press(*KEYS)

    play(scene())


def test_another_run_has_its_axis_over_a_counting_model_that_is_shown(corpus: Corpus) -> None:
    async def scene() -> None:
        state = state_of(corpus, counting(corpus, "bigram", 2.45))
        async with staged(state, (120, 30)) as stage:
            assert "━ dev 2.450, counted in one step" in stage.text
            await stage.press("left")
            assert "train 2.3000  dev 2.4500  counted in one step" in stage.text
            await stage.press("f")
            state.overlays = [Overlay("steps", followed(corpus, falling(STEPS)))]
            stage.panel.draw()
            assert stage.ticks[-1] in ("1k", "1,000")
            assert "A steps mlp, best 2.500" in stage.text
            await stage.press(*KEYS)

    play(scene())


def test_five_runs_of_different_kinds_and_words_lie_over_each_other_on_every_axis(corpus: Corpus) -> None:
    async def scene() -> None:
        own = followed(corpus, falling(STEPS))
        state = state_of(corpus, own)
        kinds = ("gru", "transformer", "wavenet", "bow", "interpolated")
        runs = [followed(corpus, falling(200 * n + 100), model=kind, batch_size=8 * (n + 1))
                for n, kind in enumerate(kinds[:4])]  # fmt: skip
        runs.append(counting(corpus, "interpolated", 2.2))
        state.overlays = [Overlay(f"run {n}", each) for n, each in enumerate(runs)]
        own.meta["data"]["sha256"], runs[1].meta["data"]["sha256"] = "one", "another"
        async with staged(state, (170, 44)) as stage:
            for _ in range(3):
                for n, letter in enumerate("ABCDE"):
                    assert f"{letter} run {n} {kinds[n]}" in stage.text
                assert "B run 1 transformer, best 3.400, other words" in stage.text
                assert stage.text.count("other words") == 1
                await stage.press("u")

    play(scene())


def test_the_mouse_sets_the_cursor_and_its_wheel_zooms(corpus: Corpus) -> None:
    async def scene() -> None:
        async with staged(state_of(corpus, followed(corpus, falling(STEPS)))) as stage:
            await stage.pilot.click(ChartView, offset=(56, 5))
            assert re.search(r"steps 50\d–510", stage.text)
            for kind, zoomed in ((events.MouseScrollUp, True), (events.MouseScrollDown, False)):
                stage.view.post_message(kind(stage.view, 5, 5, 0, 0, 0, False, False, False))
                await stage.pilot.pause()
                assert (stage.panel._zoomed is not None) == zoomed

    play(scene())


def test_changed_cells() -> None:
    async def scene() -> None:
        async with App[None]().run_test() as pilot:
            view = ChartView()
            await pilot.app.mount(view)
            strips = [view._strip(line) for line in ("abcdef", "abXdef", "abc", "ab\x1b[31mc\x1b[0mdef", "a李d")]
            assert changed_cells(strips[0], strips[0]) == (0, 0)
            assert changed_cells(strips[0], strips[1]) == (2, 3)
            assert changed_cells(strips[0], strips[2]) == (3, 6)
            assert changed_cells(strips[2], strips[0]) == (3, 6)
            assert changed_cells(strips[0], strips[3]) == (2, 3)
            assert changed_cells(strips[0], strips[4]) == (0, 6)

    play(scene())


def test_the_run_that_is_shown_is_not_drawn_over_itself(corpus: Corpus) -> None:
    async def scene() -> None:
        own, other = followed(corpus, falling(STEPS)), followed(corpus, falling(300))
        again = RunFollower(own.run)
        again.poll()
        overlays = [Overlay("itself", again), Overlay("another", other)]
        async with staged(state_of(corpus, own, overlays=overlays)) as stage:
            assert "itself" not in stage.text
            assert "A another" in stage.text

    play(scene())


def test_a_reading_names_the_evaluation_after_its_steps_and_no_range_of_one_value(corpus: Corpus) -> None:
    follower = followed(corpus, np.full(500, 2.0, np.float32))
    assert reading(follower, "steps", (499.0, 500.0))[1:3] == ["train 2.0000", "dev 2.5000 at 500"]
    assert reading(follower, "steps", (0.0, 1.0))[2] == "dev 3.4000 at 0"


def test_without_words_it_says_so() -> None:
    async def scene() -> None:
        async with staged(ViewState(make_config(), fault="words.txt: no such file")) as stage:
            assert "no loss without words: o chooses a list" in stage.text

    play(scene())


@pytest.mark.parametrize("name", [name for name in BUILTIN_THEMES if not name.startswith("ansi")])
def test_colours_are_told_from_the_background_in_every_theme(name: str) -> None:
    variables = BUILTIN_THEMES[name].to_color_system().generate()
    background, colors = Color.parse(variables["background"]), theme_colors(variables)
    assert len({*colors.overlays, colors.train}) == 6
    for color in (colors.train, colors.dev, colors.best, colors.mark, colors.cursor, colors.warning, *colors.overlays):
        assert isinstance(color, tuple)
        assert contrast(Color(*color), background) > 2.9


def test_a_theme_of_the_terminals_colours_leaves_them_to_the_terminal() -> None:
    assert theme_colors(BUILTIN_THEMES["ansi-dark"].to_color_system().generate()) == Colors()


def test_a_chart_is_drawn_again_only_when_something_changed(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with staged(state_of(corpus, followed(corpus, falling(STEPS)))) as stage:
            drawn = []
            chart = loss_panel.loss_chart
            monkeypatch.setattr(loss_panel, "loss_chart", lambda *given: drawn.append(1) or chart(*given))
            stage.panel.draw()
            stage.panel.draw()
            assert not drawn
            stage.state.overlays.append(Overlay("another", followed(corpus, falling(300))))
            stage.panel.draw()
            await stage.press("left", "y")
            assert len(drawn) == 3
            stage.state.follower = followed(corpus, falling(700))
            stage.panel.draw()
            assert len(drawn) == 4

    play(scene())
