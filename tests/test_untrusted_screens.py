"""Texts from elsewhere on the screen: no escape sequence, no turned line, no markup reaches the terminal from them, and
nothing that cannot be seen; on every panel, screen, question and message of the dashboard."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.segment import Segment
from textual.strip import Strip

from data.corpus import parse_words
from tests.calm import prompt
from tests.conftest import Promise
from tests.hostile import NASTY, change, settle, sound_experiment, sound_run
from tests.panel_seat import played
from tests.still import Seat, StillApp, held
from tui_mm.config import make_config
from tui_mm.dashboard.app import DashboardApp
from tui_mm.dashboard.state import Overlay, ViewState, Words
from tui_mm.experiments.kept import KeptExperiment
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run
from tui_mm.words import split_for

CLICK, LINK, BOLD = "[@click=app.quit]q[/]", "[link=file:///etc/passwd]l[/link]", "[bold red]b[/]"
UNSEEN = set("\u115f\u1160\u3164\uffa0\u2800\u034f")
MIXED = ("\x1b]0;owned\x07\x9b2J", "\u202egnp\u2066.exe\r\n\u3164", f"{CLICK}{BOLD}", f"{LINK}[",
         "a\x00\x7f\u200b\u2060b", "[/]\\[" + "e\u0301" + "\u0316" * 40)  # fmt: skip
SIZES = ((200, 60), (120, 36), (60, 20))


def check_cells(app: StillApp) -> str:
    """All that stands on the screen, after a look at every cell that would be sent."""
    strips = app.screen._compositor.render_strips()
    for segment in _segments(strips):
        for c in segment.text:
            assert c.isprintable() or c in "\u200c\u200d", f"{c!r} in {segment.text!r}"
            assert c not in UNSEEN, f"{c!r} in {segment.text!r}"
        meta = segment.style.meta if segment.style else {}
        assert meta.get("@click") != "app.quit"
        assert not (segment.style and segment.style.link)
    return "\n".join(strip.text for strip in strips)


def _segments(strips: list[Strip]) -> Iterator[Segment]:
    return (segment for strip in strips for segment in strip)


def hostile_run(home: Home, text: str, name: str | None = None) -> Run:
    """A run that has ``text`` in all places that hold texts."""
    run = sound_run(home, None)
    with run.store() as store, store.transaction():
        told = store.meta()
        store.set(
            name=name or text[:200],
            torch=text,
            data=told["data"] | {"name": text, "source": text},
            model=told["model"] | {"kind": text[:64]},
        )
        for number in range(3):
            store.add_event(number, text, f"{text} event", text)
    change(run, "UPDATE samples SET text = ?", text)
    for kind, value in (
        ("names", [text, "emma"]),
        (
            "layers",
            {"activations": [{"name": text, "std": 0.1}], "parameters": [{"name": text, "shape": [3], "std": 1}]},
        ),
    ):
        change(run, "UPDATE snapshots SET data = ? WHERE kind = ?", json.dumps(value), kind)
    (run.folder / "worker.log").write_text(f"{text}\n" * 3, encoding="utf-8", errors="surrogatepass")
    settle(run.folder / "run.db")
    return run


def hostile_state(state: ViewState, run: Run, text: str) -> None:
    """All that a worker may answer, and the words, hold ``text``."""
    letters = "".join(t for t in NASTY if "\0" not in t).replace("\n", "").replace("\r", "")
    corpus = parse_words("\n".join(["ab", "abc", "bca"] * 9 + [f"a{letters}", f"{letters}b", "xyz"]), text)
    config = make_config(flags={"block_size": 2, "embedding": 3, "hidden": 4})
    state.words = Words.of(split_for(config, corpus), corpus)
    state.follower = RunFollower(run)
    state.follower.poll()
    size = len(state.words.splits.vocabulary)
    ids = list(range(min(64, size)))
    rng = np.random.default_rng(0)
    state.samples = {"step": 3, "prefix": "", "next": [1 / size] * size,
                     "names": [{"text": t, "seen_in": None} for t in (text, *NASTY)]}  # fmt: skip
    state.inspections = {
        "embedding": {"step": 3, "ids": ids, "vectors": rng.normal(size=(len(ids), 3)).tolist()},
        "bigrams": {"step": 3, "ids": ids, "table": np.full((len(ids), len(ids)), 0.01).tolist(), "average": False},
        "layers": {"step": 3, "activations": [{"name": text, "std": 0.1}], "parameters": [{"name": text, "std": 1}]},
    }
    state.overlays = [Overlay(text, RunFollower(run))]
    state.overlays[0].follower.poll()
    for each in (text, *NASTY):
        state.note(f"worker: {each}")


async def look_at_all(seat: Seat, sizes: Sequence[tuple[int, int]] = SIZES) -> tuple[int, str]:
    """How many screens were looked at, and what stood on all of them."""
    seen = []
    for size in sizes:
        await seat.resize(*size)
        seen.append(check_cells(seat.app))
        for key in "123456789" if size == SIZES[-1] else "2345678" if size == SIZES[1] else "":
            await seat.press(key)
            seen.append(check_cells(seat.app))
    return len(seen), "\n".join(seen)


@pytest.mark.parametrize("text", [CLICK + LINK + BOLD, "\x1b]0;owned\x07\x9b2J\u202egnp\u2066.exe\u3164"])
@played
async def test_every_panel_shows_hostile_texts_as_text(text: str, home: Path, promised: Promise) -> None:
    place = Home(home)
    run = hostile_run(place, text)
    async with held("done", SIZES[0], home=place) as seat:
        hostile_state(seat.app.state, run, text)
        seat.app.show_all()
        await seat.settle()
        number, seen = await look_at_all(seat)
    assert ("[@click=app.quit]" in seen) == (text[0] == "[") or "\\x1b]0;" in seen
    promised("No text on any panel is a command or markup", tried=number, lost=0, figure="screens, every cell")


@pytest.mark.faults
@pytest.mark.parametrize("text", [CLICK + BOLD, "\x1b]0;owned\x07\u202egnp"])
@played
async def test_what_panels_say_of_faults_is_text(text: str, home: Path, promised: Promise) -> None:
    async with held("done", SIZES[0], home=Home(home)) as seat:
        state = seat.app.state
        state.inspections = {kind: {"reason": text} for kind in ("embedding", "bigrams", "layers")}
        state.samples_fault, state.fault = text, text
        seat.app.show_all()
        await seat.settle()
        number, _ = await look_at_all(seat, SIZES[::2])
        state.words = state.follower = None
        seat.app.show_all()
        await seat.settle()
        more, seen = await look_at_all(seat, SIZES[::2])
    assert "[@click" in seen or "\\x1b" in seen
    promised("No fault on any panel is a command or markup", tried=number + more, lost=0, figure="screens, every cell")


@played
async def test_messages_are_text(home: Path, promised: Promise) -> None:
    app = StillApp("done", home=Home(home))
    with prompt():
        async with app.run_test(size=(120, 60), notifications=True) as pilot:
            await _send_messages(Seat(app, pilot))
    promised("No message is a command or markup", tried=2 * len(NASTY), lost=0)


async def _send_messages(seat: Seat) -> None:
    await seat.settle()
    seat.app.hold()
    for text in NASTY:
        DashboardApp.notify(seat.app, f"run: {text}", title=text, timeout=1000)
        DashboardApp.notify(seat.app, f"run: {text}", markup=True, timeout=1000)
        seen = ""
        async with asyncio.timeout(30):
            while "run: " not in seen:  # Textual puts them up by and by
                await seat.settle()
                seen = check_cells(seat.app)
        if text in (CLICK, LINK, BOLD):
            assert text in seen
        seat.app.clear_notifications()


@pytest.mark.faults
@played
async def test_the_runs_and_its_questions_are_text(home: Path, promised: Promise) -> None:
    place = Home(home)
    runs = [hostile_run(place, text) for text in MIXED[:3]]
    damaged = sound_run(place, None)
    change(damaged, "UPDATE meta SET value = ? WHERE key = 'created'", json.dumps(NASTY[0]))
    number = 0
    async with held("done", (160, 40), home=place) as seat:
        await seat.press("r")
        for row in range(len(runs) + 1):
            for keys in (("n",), ("escape", "d"), ("escape", "space")):
                await seat.press(*keys)
                number += 1
                seen = check_cells(seat.app)
                if row == 0 and keys == ("n",):
                    assert "A name for run" in seen
            await seat.press("down")
        for size in SIZES:
            await seat.resize(*size)
            check_cells(seat.app)
            number += 1
    promised("No run in the list is a command or markup", tried=number, lost=0, figure="screens, every cell")


@pytest.mark.faults
@played
async def test_the_comparison_is_text(home: Path, promised: Promise) -> None:
    place, number = Home(home), 0
    runs = [hostile_run(place, text) for text in MIXED]
    for begin in (len(runs) - 4,):
        async with held("done", SIZES[0], home=place) as seat:
            seat.app.compare([run.id for run in runs[begin : begin + 4]])
            await seat.settle()
            screen: Any = seat.app.screen
            names = [{"text": t, "seen_in": None, "ended": True} for t in NASTY]
            symbols = [{"symbol": t, "end": False} for t in NASTY]
            told = {"step": 3, "parameters": 3, "next": [0.01] * len(NASTY), "rest": 0.1, "samples": names}
            answer = {"prefix": NASTY[0], "seed": 1, "checkpoint": "last", "next": symbols}
            screen._take(answer | {"runs": [told, {"fault": NASTY[1]}, told, {"fault": CLICK}]})
            for size in SIZES:
                await seat.resize(*size)
                check_cells(seat.app)
                number += 1
            screen._refuse(NASTY[begin % len(NASTY)])
            await seat.settle()
            check_cells(seat.app)
            number += 1
    promised("No run in a comparison is a command or markup", tried=number, lost=0, figure="screens, every cell")


@played
async def test_experiments_are_text(home: Path, promised: Promise) -> None:
    place, number = Home(home), 0
    for text in (*MIXED, 7):
        kept = sound_experiment(place)
        file = kept.folder / "experiment.json"
        document = json.loads(file.read_text())
        result = document["result"]
        if isinstance(text, str):
            result |= {"answer": text, "notes": [text]}
            result["columns"][0]["title"] = result["chart"]["x_title"] = result["chart"]["y_title"] = text
            result["chart"]["labels"] = [text] * len(result["chart"]["labels"])
            result["rows"][0]["smoothing"] = text
            document |= {"doing": text, "fault": text, "data": text,
                         "words": {"name": text, "sha256": text, "words": 3, "vocabulary": 3}}  # fmt: skip
        else:
            document = {**document, "id": text}
        file.write_text(json.dumps(document))
    async with held("done", (120, 40), home=place) as seat:
        seat.app.action_experiments()
        await seat.settle()
        check_cells(seat.app)
        await seat.press("escape")
        for folder in sorted((home / "experiments").iterdir()):
            seat.app._show_experiment(KeptExperiment(folder))
            await seat.settle()
            check_cells(seat.app)
            number += 1
            await seat.press("escape")
    promised("No experiment is a command or markup", tried=number, lost=0, figure="screens, every cell")


@pytest.mark.faults
@played
async def test_names_of_files_and_settings_are_text(home: Path, tmp_path: Path, promised: Promise) -> None:
    """In the choice of words, among the recent ones, and in the set-up."""
    os.chdir(tmp_path)
    folder, number = tmp_path / "lists", 0
    folder.mkdir()
    names = [text.replace("/", "_").replace("\0", "") for text in MIXED]
    for name in names:
        (folder / name[:100]).write_text("emma\n\x1b[2J[@click=app.quit]q[/]\n", encoding="utf-8")
    async with held("done", (120, 40), home=Home(home)) as seat:
        state = seat.app.state
        for name in names[::3]:
            state.settings.remember_words(str(folder / name))
            state.config = state.config.but(data=str(folder / name), encoding=name)
            for key in ("o", "down", "escape", "e"):
                await seat.press(key)
                check_cells(seat.app)
                number += 1
            await seat.press("escape")
    promised("No name of a file is a command or markup", tried=number, lost=0, figure="screens, every cell")
