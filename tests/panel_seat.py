"""A panel of what a model has learnt, alone on a screen with a view state made by hand."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot

from data.corpus import Corpus
from tests.calm import prompt
from tui_mm.config import make_config
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.messages import InspectionWanted
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState, Words
from tui_mm.words import split_for

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
    with prompt():
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
