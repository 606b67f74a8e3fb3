"""The question on quitting: every answer by key, by arrows and enter, at every size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button

from tui_mm.dashboard.screens.quit import QuitScreen

pytestmark = pytest.mark.usefixtures("prompt_pilot")

SIZES = [(50, 15), (80, 24), (120, 36), (200, 60), (300, 100)]


class Tiny(App[None]):
    AUTO_FOCUS = None


@asynccontextmanager
async def asked(size: tuple[int, int]) -> AsyncIterator[tuple[Pilot[None], list[Any]]]:
    """The question, and what will be answered."""
    app = Tiny()
    answers: list[Any] = []
    async with app.run_test(size=size) as pilot:
        app.push_screen(QuitScreen(), answers.append)
        await pilot.pause()
        yield pilot, answers


def text_of(app: App[None]) -> str:
    """All that is on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["k"], "keep"), (["s"], "stop"), (["escape"], "stay"), (["q"], "stay"), (["enter"], "keep"),
        (["right", "enter"], "stop"), (["down", "down", "enter"], "stay"), (["left", "enter"], "stay"),
        (["t", "space", "l", "2", "y", "n", "k"], "keep"),
    ],
)  # fmt: skip
def test_the_question_on_quitting(keys: list[str], answer: str) -> None:
    async def scene() -> None:
        async with asked((50, 15)) as (pilot, answers):
            await pilot.press(*keys[:-1])
            assert answers == []
            await pilot.press(keys[-1])
            await pilot.pause()
            assert answers == [answer]

    asyncio.run(scene())


def test_the_answers_are_seen_at_every_size() -> None:
    async def scene() -> None:
        async with asked((80, 24)) as (pilot, _):
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await pilot.pause()
                for label in ("under way", "Keep training (k)", "Stop, keep a checkpoint (s)", "Stay (esc)"):
                    assert label in text_of(pilot.app), size

    asyncio.run(scene())


def test_the_answers_stack_when_it_gets_narrow() -> None:
    async def scene() -> None:
        async with asked((120, 36)) as (pilot, _):
            rows = {button.region.y for button in pilot.app.screen.query(Button)}
            assert len(rows) == 1
            await pilot.resize_terminal(50, 15)
            await pilot.pause()
            assert len({button.region.y for button in pilot.app.screen.query(Button)}) == 3

    asyncio.run(scene())
