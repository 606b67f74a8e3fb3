"""The dashboard held still: the real app, laid out, over a run made by hand, with nothing behind it that moves.

No thread reads words, no worker trains and no clock is looked at; what would be sent to a worker is written down and
answered at once with fixed values.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from data.corpus import parse_words
from tests.calm import prompt, settle
from tui_mm.config import RunConfig, make_config
from tui_mm.dashboard.app import DashboardApp
from tui_mm.dashboard.opening import Opened
from tui_mm.dashboard.state import Words
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run
from tui_mm.runs.store import EvaluationRow, EventRow, LossBlock
from tui_mm.settings import Settings
from tui_mm.words import data_facts, model_facts, split_for
from tui_mm.worker import protocol as ask

Moment = Literal["no words", "refused", "untrained", "training", "paused", "done", "not finite"]
"""Where the dashboard stands: before its words or without any, before its training, in it and after it."""

STATUS: dict[Moment, str] = {
    "untrained": "created", "training": "running", "paused": "paused", "done": "done", "not finite": "diverged",
}  # fmt: skip
NOON = 1_767_268_800.0  # 2026-01-01, 12:00 UTC
NOWHERE = Home(Path("/nowhere"))
CONFIG = make_config(flags={"data": "words.txt", "block_size": 3, "embedding": 8, "hidden": 32, "steps": 1000})
REFUSAL = "words.txt: no such file; give a file with one word a line"
DIVERGED = "step 401: the loss is not a finite number; train with a lower learning rate (lr)"
NO_NUMBERS = "this model's weights are not numbers: its training diverged; train with a lower learning rate (lr)"
_EVERY = 50  # steps between evaluations
_DONE_STEPS, _SEEN_STEPS = 1000, 700


@cache
def still_words() -> Words:
    text = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8")
    corpus = parse_words(text, "words")
    return Words.of(split_for(CONFIG, corpus), corpus)


class StillFollower(RunFollower):
    """Of a run whose store is not there; ``poll`` finds nothing new."""

    def __init__(self, moment: Moment) -> None:
        words = still_words()
        self.run = Run(NOWHERE.runs / "0a1b2c3d")
        self.status, self.waits_for = STATUS[moment], ""
        self.meta = {
            "status": self.status,
            "config": CONFIG.values(),
            "data": data_facts(CONFIG, words.splits, words.statistics.distinct),
            "model": model_facts(CONFIG, words.splits.vocabulary),
            "device": "cpu",
            "threads": 1,
        }
        self._forget()
        self.events = [EventRow(NOON, 0, "created", "run 0a1b2c3d made")]
        if moment == "untrained":
            return
        steps = _DONE_STEPS if moment == "done" else _SEEN_STEPS
        bad = 400 if moment == "not finite" else steps
        losses = still_losses(steps, bad)
        for k in range(0, steps, 100):
            self._take(LossBlock(k + 1, losses[k : k + 100], np.array([k + 100]), 0.012, np.array([k / 500 + 0.2]),
                                 np.array([k / 400 + 0.25])))  # fmt: skip
        taken = range(0, steps + 1, _EVERY)
        self.evaluations = [still_evaluation(step, is_bad=step > bad) for step in taken]
        self.sweep_exponents, self.sweep_losses = still_sweep()
        sound = [step for step in taken if step <= bad]
        self.snapshots = {
            "names": [(step, still_names(step, 10)) for step in sound],
            "embedding": [(step, still_embedding(step)) for step in sound],
            "layers": [(step, still_layers(step)) for step in sound],
        }
        self.events += [
            EventRow(NOON + 2, 0, "started", "training began on cpu, 1 thread"),
            *([EventRow(NOON + 3, 401, "not finite", DIVERGED)] if bad < steps else []),
            *(
                [EventRow(NOON + 65, steps, self.status, f"{self.status} at step {steps:,}")]
                if moment == "done"
                else []
            ),
        ]

    def poll(self) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""


def still_losses(steps: int, bad: int) -> Any:
    """From 3.3 down to 2.2 with a ripple and one spike; from step ``bad`` on not finite."""
    k = np.arange(steps)
    losses = 2.2 + 1.1 * np.exp(-k / 150) + 0.12 * np.sin(k * 1.7) * np.cos(k * 0.37)
    losses[299:303] += np.array([0.6, 1.4, 0.9, 0.3])[: max(0, steps - 299)]
    losses[bad:] = np.nan
    return losses.astype(np.float32)


def still_evaluation(step: int, *, is_bad: bool) -> EvaluationRow:
    if is_bad:
        return EvaluationRow(step, math.nan, math.nan, False, step / 400)
    train = 2.2 + 1.1 * math.exp(-step / 150)
    return EvaluationRow(step, train, train + 0.05 + 0.15 * (step / 1000) ** 2, step <= 600, step / 400)


def still_sweep() -> tuple[Any, Any]:
    """The lecture's range test: a slope to a valley near a tenth, then a wall. 200 points."""
    exponents = np.linspace(-3, 0, 200)
    losses = 3.3 - 0.9 / (1 + np.exp(-5 * (exponents + 1.8))) + 3 * np.maximum(0, exponents + 0.6) ** 2
    return exponents, losses + 0.05 * np.sin(np.arange(200) * 2.3)


def still_names(step: int, count: int) -> list[str]:
    """Long and new at first, some of them the list's own later on."""
    words = list(still_words().splits.corpus.words())
    made = []
    for k in range(count):
        word = words[(7 * k + 3) % len(words)]
        made.append(word if (k + step // _EVERY) % 3 == 0 and step else word[::-1] + "xqe"[: max(0, 3 - step // 200)])
    return made


def still_embedding(step: int) -> dict[str, Any]:
    """Vectors of two dimensions, that no principal axes need be found."""
    size = len(still_words().splits.vocabulary)
    k = np.arange(size)
    reach = 0.4 + step / 1000
    vectors = np.stack((reach * np.cos(k * 2.4) * (0.3 + k / size), reach * np.sin(k * 2.4) * (0.3 + k / size)), 1)
    return {"step": step, "ids": k.tolist(), "vectors": np.round(vectors, 6).tolist()}


def still_layers(step: int) -> dict[str, Any]:
    share = step / 1000
    shape = [1 + 3 * (k in (0, 19)) * share + math.exp(-((k - 9.5) ** 2) / 20) for k in range(20)]
    activation = {
        "name": "tanh", "saturated": 0.02 + 0.2 * share, "mean": 0.01, "std": 0.5 + 0.2 * share, "low": -1.0,
        "high": 1.0, "histogram": [v / sum(shape) for v in shape],
    }  # fmt: skip
    sizes = {"C": [27, 8], "W1": [24, 32], "b1": [32], "W2": [32, 27], "b2": [27]}
    parameters = [
        {"name": name, "shape": size, "std": 0.1 * (n + 1), "grad_norm": 1.5 - share, "grad_std": 0.01 / (n + 1),
         "update_ratio": -2.2 - share - n / 10}
        for n, (name, size) in enumerate(sizes.items())
    ]  # fmt: skip
    return {"step": step, "activations": [activation], "parameters": parameters}


def still_bigrams(*, average: bool) -> dict[str, Any]:
    words = still_words()
    size = len(words.splits.vocabulary)
    table = np.ones((size, size)) * (2 if average else 1)
    table[words.bigrams.first, words.bigrams.second] += words.bigrams.counts
    table /= table.sum(1, keepdims=True)
    return {"step": _SEEN_STEPS, "ids": list(range(size)), "table": np.round(table, 6).tolist(), "average": average}


class StillClient:
    """Stands where the worker's client does: writes commands down in ``sent`` and answers each at once."""

    exit_code = None
    fault = ""

    def __init__(self, follower: StillFollower) -> None:
        self.run = follower.run
        self._follower = follower
        self.sent: list[ask.Command] = []

    def send(self, command: ask.Command) -> int:
        self.sent.append(command)
        return len(self.sent)

    async def ask(self, command: ask.Command, timeout: float = 30.0) -> dict[str, Any]:
        """Raises CommandError where a model's weights are not numbers."""
        self.sent.append(command)
        step = self._follower.steps
        if self._follower.status == "diverged" and isinstance(command, ask.Sample | ask.Inspect):
            raise ask.CommandError(NO_NUMBERS)
        if isinstance(command, ask.Sample):
            return self._names(command)
        if isinstance(command, ask.Inspect):
            return self._part(command)
        if isinstance(command, ask.Compare):
            return self._compared(command)
        return {"step": step, "split": "dev", "loss": 2.25, "lr": getattr(command, "lr", 0.0), "parameters": 2_115}

    def _names(self, command: ask.Sample) -> dict[str, Any]:
        words, step = still_words(), self._follower.steps
        texts = [command.prefix + name for name in still_names(step, command.count)]
        share = 1 / np.arange(2.0, len(words.splits.vocabulary) + 2)
        names = [{"text": text, "seen_in": words.index.find(text)} for text in texts]
        return {"step": step, "names": names, "next": (share / share.sum()).tolist()}

    def _compared(self, command: ask.Compare) -> dict[str, Any]:
        """The second run lacks the capital letters, or those of ``command.prefix`` that are."""
        shares = [0.4 * 0.7**k for k in range(command.likeliest)]
        runs: list[dict[str, Any]] = []
        for n, ident in enumerate(command.runs):
            texts = [command.prefix + name for name in still_names(400 + 50 * n + command.seed % 7, command.count)]
            names = [{"text": t, "seen_in": still_words().index.find(t), "ended": True} for t in texts]
            told = shares[n:] + shares[:n]
            runs.append({"run": ident, "step": 400 + 50 * n, "parameters": 100, "next": told, "rest": 0.01,
                         "samples": names})  # fmt: skip
            if n == 1 and not command.prefix.islower() and command.prefix:
                runs[n] = {"run": ident, "fault": f"{command.prefix!r}: is not in this model's vocabulary"}
        symbols = [{"symbol": "." if k == 3 else chr(ord("a") + k % 26), "end": k == 3} for k in range(len(shares))]
        return {"prefix": command.prefix, "seed": command.seed, "checkpoint": command.checkpoint, "next": symbols,
                "runs": runs}  # fmt: skip

    def _part(self, command: ask.Inspect) -> dict[str, Any]:
        step = self._follower.steps
        if command.what == "bigrams":
            return still_bigrams(average=command.average)
        return still_embedding(step) if command.what == "embedding" else still_layers(step)

    def start_worker(self) -> None:
        """There is none to start."""

    def is_left(self) -> bool:
        return False

    def new_lines(self) -> list[str]:
        return []

    def last_lines(self, count: int = 12) -> list[str]:
        return []

    def close(self) -> None:
        """There is nothing to close."""


class StillApp(DashboardApp):
    """Opens no run: ``hold`` puts one there. ``begun`` are the configurations that it was told to go over to."""

    CSS_PATH = Path(inspect.getfile(DashboardApp)).parent / str(DashboardApp.CSS_PATH)

    def __init__(self, moment: Moment, *, home: Home = NOWHERE, ascii_only: bool = False) -> None:
        super().__init__(CONFIG, home, ascii_only=ascii_only, settings=Settings())
        self.begun: list[RunConfig] = []
        self.said: list[str] = []
        self._moment = moment

    async def furnish(self) -> None:
        await super().furnish()
        await self.furnish_all()  # there are no words to wait for

    def begin(self, config: RunConfig) -> None:
        self.begun.append(config)

    def _poll(self) -> None:
        """Nothing new is to be found."""

    def notify(self, message: str, **named: Any) -> None:
        """Said, but not shown: a toast goes with the time."""
        self.said.append(message)

    @property
    def sent(self) -> list[ask.Command]:
        return self.client.sent if isinstance(self.client, StillClient) else []

    def hold(self) -> None:
        """Bring the moment about."""
        moment, state = self._moment, self.state
        if moment == "refused":
            self._refuse_run(self.RunRefused(REFUSAL))
        elif moment != "no words":
            words, follower = still_words(), StillFollower(moment)
            state.words, state.follower = words, follower
            state.parameters = follower.meta["model"]["parameters"]
            self.opened = Opened(CONFIG, words, follower.run)
            self.client = StillClient(follower)  # type: ignore[assignment]
        self.show_all()


class Seat:
    """A person before a dashboard that is held still."""

    def __init__(self, app: StillApp, pilot: Pilot[str]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def resize(self, columns: int, rows: int) -> None:
        await self.pilot.resize_terminal(columns, rows)
        await self.settle()

    @property
    def screen(self) -> str:
        """What stands on the terminal, without its colours."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    @property
    def focused(self) -> Widget | None:
        return self.app.focused


@asynccontextmanager
async def held(
    moment: Moment, size: tuple[int, int] = (120, 36), *, home: Home = NOWHERE, ascii_only: bool = False
) -> AsyncIterator[Seat]:
    app = StillApp(moment, home=home, ascii_only=ascii_only)
    with prompt():
        async with app.run_test(size=size) as pilot:
            seat = Seat(app, pilot)
            await seat.settle()
            app.hold()
            await seat.settle()
            yield seat


@contextmanager
def still_clock() -> Iterator[None]:
    """The dashboard's notes are of noon, and noon is in Greenwich."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        patch.setattr("tui_mm.dashboard.state.time", SimpleNamespace(time=lambda: NOON + 1))
        yield
