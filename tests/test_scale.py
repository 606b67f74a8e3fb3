"""Many runs and a very long one: the lists, the opening and the following stay quick, and no memory grows with them."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from textual.app import App

from benchmarks.terminal import environment
from data.corpus import Corpus, parse_words
from data.lookup import WordIndex
from tests.conftest import REPOSITORY, WORDS
from tests.person import Person
from tui_mm.config import make_config
from tui_mm.dashboard import opening
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.losses import comparison
from tui_mm.dashboard.screens.runs import RunsScreen
from tui_mm.runs.drafts import discard_drafts
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
from tui_mm.runs.listing import RunList, list_runs
from tui_mm.runs.live import live_runs
from tui_mm.runs.run import Run, create_run, find_run
from tui_mm.runs.series import MAX_BUCKETS, LossSeries
from tui_mm.runs.store import EvaluationRow, LossChunk, RunStore
from tui_mm.words import data_facts, model_facts, split_for

RUNS = 100
STEPS = 2_000_000
A_SECOND = 1.0
MB = 1e6
timed = pytest.mark.parametrize(
    "limit", [math.inf, pytest.param(A_SECOND, marks=pytest.mark.faults)], ids=["any", "timed"]
)
"""The same work with its seconds written down, and, in the long form, judged: a busy machine says nothing of them."""

FLAT_MB = 8.0  # what a process may grow by while a store grows by a million steps: the allocator's leavings


def make(home: Home, corpus: Corpus, name: str | None = None) -> Run:
    config = make_config("lecture")
    splits = split_for(config, corpus)
    facts = {
        "data": data_facts(config, splits, WordIndex(splits).distinct),
        "model": model_facts(config, splits.vocabulary),
    }
    return create_run(home, config, corpus, name, facts)


def fill(store: RunStore, rows: int, steps: int, *, first: int = 0) -> None:
    """Rows of so many steps each, as a training writes them, a tenth of a second apart."""
    losses = 2 + np.random.default_rng(0).random(steps).astype(np.float32)
    with store.transaction():
        for row in range(first, first + rows):
            store.add_losses(LossChunk(row * steps + 1, losses, 0.1, (row + 1) * 0.1, (row + 1) * 0.11))


def evaluate(store: RunStore, steps: int, count: int) -> None:
    with store.transaction():
        for n in range(count):
            store.add_evaluation(EvaluationRow(n * steps // count, 2.1, 2.2 - n * 1e-5, True, n * 0.5))


def quickest(call: Callable[[], Any], tries: int = 3) -> float:
    """Seconds of the processor, of the quickest of some calls: what other programs take is not ours. What is read is in
    memory, so that on an idle machine it is the time that a person waits."""
    taken = []
    for _ in range(tries):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return min(taken)


# -- a hundred runs


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of a hundred runs, each of 20,000 steps in 200 rows with 100 evaluations."""
    home = Home(tmp_path_factory.mktemp("crowded"))
    pattern = make(home, parse_words("\n".join(WORDS), "words"))
    with pattern.store() as store:
        fill(store, 200, 100)
        evaluate(store, 20_000, 100)
        store.set(status="done")
    began = datetime.now(UTC)
    for number in range(RUNS):
        run = Run(pattern.folder.with_name(f"{number:08x}"))
        shutil.copytree(pattern.folder, run.folder)
        with run.store() as store:
            created = (began + timedelta(seconds=number)).isoformat()
            store.set(id=run.id, name=f"number-{number}", created=created)
    pattern.delete()
    for file in home.runs.glob("*/run.db*"):
        os.utime(file, (1e9, 1e9))  # not written to lately
    return home


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders of the stores that are opened, one after the other."""
    names: list[str] = []
    usual = RunStore.__init__

    def count(self: RunStore, path: Path, **keywords: Any) -> None:
        names.append(path.parent.name)
        usual(self, path, **keywords)

    monkeypatch.setattr(RunStore, "__init__", count)
    return names


@timed
def test_a_hundred_runs_are_listed_and_found_at_once(
    limit: float, crowded: Home, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, promised: Callable[..., None]
) -> None:
    monkeypatch.setenv("MAKEMORE_HOME", str(crowded.root))
    listed = RunList(crowded)
    assert len(listed.read()) == RUNS
    newest = find_run(crowded, "last")
    taken = {
        "the list": quickest(lambda: list_runs(crowded)),
        "the list again": quickest(listed.read),
        "'makemore-tui runs'": quickest(lambda: cli("runs")),
        "'runs --json'": quickest(lambda: cli("runs", "--json")),
        "a run by its name": quickest(lambda: find_run(crowded, "number-50")),
        "a run by its id": quickest(lambda: find_run(crowded, newest.id)),
        "which are in training": quickest(lambda: live_runs(crowded)),
    }
    assert cli("runs").out.count("number-") == RUNS
    assert len(json.loads(cli("runs", "--json").out)["runs"]) == RUNS
    figures = ", ".join(f"{what} {1000 * seconds:.0f} ms" for what, seconds in taken.items())
    late = sum(seconds > limit for seconds in taken.values())
    promised("A hundred runs are listed and found in less than a second", tried=len(taken), lost=late, figure=figures)


def test_a_list_read_again_opens_no_store_and_a_run_is_found_by_its_id_without_the_others(
    crowded: Home, opened: list[str]
) -> None:
    """What makes the second look and the id quick, on any machine."""
    listed = RunList(crowded)
    first = listed.read()
    assert len(opened) == RUNS
    opened.clear()
    assert listed.read() == first
    assert find_run(crowded, first[0].id).id == first[0].id
    assert opened == []


@timed
def test_the_screen_of_a_hundred_runs_is_there_at_once(
    limit: float, crowded: Home, promised: Callable[..., None]
) -> None:
    async def opens() -> float:
        app: App[None] = App()
        async with app.run_test(size=(120, 36)):
            began = time.process_time()
            screen = RunsScreen(crowded, None)
            await app.push_screen(screen)
            async with asyncio.timeout(30):
                while len(screen._shown) < RUNS:
                    await asyncio.sleep(0.002)
            return time.process_time() - began

    seconds = min(asyncio.run(opens()) for _ in range(2))
    promised(
        "The dashboard lists a hundred runs in less than a second", tried=1, lost=int(seconds > limit),
        figure=f"{seconds:.2f} s",
    )  # fmt: skip


def test_a_start_looks_into_no_other_run_before_its_own_is_there(crowded: Home, opened: list[str]) -> None:
    """So that it takes as long with a hundred runs as with none. What it does behind that looks once into each."""
    words = crowded.root / "words.txt"
    words.write_text("\n".join(WORDS))
    found = opening.begin(make_config("lecture", flags={"data": str(words)}), crowded)
    try:
        assert {name.strip(".").removesuffix(".part") for name in opened} == {found.run.id}
        opened.clear()
        discard_drafts(crowded)
        assert len(opened) == RUNS + 1
        opened.clear()
        assert live_runs(crowded) == []
        assert opened == []
    finally:
        found.run.delete()


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_start_among_a_hundred_runs_takes_as_long_as_without_any(
    crowded: Home, home: Path, words_file: Path, promised: Callable[..., None]
) -> None:
    home.mkdir()
    taken: dict[Path, list[float]] = {home: [], crowded.root: []}
    for _ in range(5):
        for place, seconds in taken.items():
            with Person([str(words_file), "--hidden", "16"], place, 120, 36) as person:
                ready = person.until(lambda p=person: bool(re.search(r"vocabulary +\d", p.text())), "the words")
                seconds.append(ready - person.started)
    alone, among = min(taken[home]), min(taken[crowded.root])
    assert among < alone + 0.25
    promised(
        "A start is not slowed by a hundred runs", tried=5, lost=0, figure=f"{alone:.2f} s without, {among:.2f} s with"
    )


# -- two million steps


@pytest.fixture(scope="module", params=[(5_000, 400), (100_000, 20)], ids=["400 a row", "20 a row"])
def long_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Of two million steps, in rows as a training of 4,000 steps a second writes them, or of 200."""
    rows, steps = request.param
    home = Home(tmp_path_factory.mktemp("long"))
    run = make(home, parse_words("\n".join(WORDS), "words"))
    with run.store() as store:
        fill(store, rows, steps)
        evaluate(store, STEPS, 2_000)
        store.set(status="done")
    return run


@timed
def test_a_run_of_two_million_steps_is_opened_in_less_than_a_second(
    limit: float, long_run: Run, cli: Callable[..., Any], promised: Callable[..., None]
) -> None:
    follower: list[RunFollower] = []

    def follow() -> None:
        follower.append(RunFollower(long_run))
        follower[-1].poll()

    place = ("--home", str(long_run.folder.parent.parent))
    taken = {"opened": quickest(follow)}
    assert follower[-1].steps == STEPS
    look = Look(100, 30)
    taken |= {
        "chart": quickest(lambda: comparison([("it", follower[-1])], "steps", look)),
        "chart over seconds": quickest(lambda: comparison([("it", follower[-1])], "seconds", look)),
        "'runs'": quickest(lambda: cli("runs", *place)),
        "'runs show'": quickest(lambda: cli("runs", "show", "last", *place)),
    }
    for each in follower:
        each.close()
    assert f"{STEPS:,}" in cli("runs", "show", "last", *place).out
    late = sum(seconds > limit for seconds in taken.values())
    size = sum(path.stat().st_size for path in long_run.folder.glob("run.db*")) / STEPS
    figures = ", ".join(f"{what} {1000 * seconds:.0f} ms" for what, seconds in taken.items())
    promised(
        "A run of 2,000,000 steps is opened in less than a second", tried=len(taken), lost=late,
        figure=f"{figures}; {size:.1f} bytes a step",
    )  # fmt: skip


_FOLLOW = """
import gc, sys
from pathlib import Path
import psutil
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.losses import comparison
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.run import Run

follower, me = RunFollower(Run(Path(sys.argv[1]))), psutil.Process()
for line in sys.stdin:
    follower.poll()
    comparison([("it", follower)], "steps", Look(100, 30))
    print(follower.steps, me.memory_info().rss, flush=True)
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("millions", [2, pytest.param(10, marks=pytest.mark.faults)])
def test_who_follows_a_store_that_grows_takes_no_more_memory(
    millions: int, home: Path, corpus: Corpus, promised: Callable[..., None]
) -> None:
    """A viewer in a process of its own, while another goes on writing: from the first million steps on it is as large
    as it will be."""
    run = make(Home(home), corpus)
    child = subprocess.Popen(
        [sys.executable, "-c", _FOLLOW, str(run.folder)], env=environment(home), cwd=REPOSITORY, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        sizes = []
        parts, rows = 10, 500  # a part is a tenth of a million, in rows of 200
        with run.store() as store:
            for part in range(parts * millions):
                fill(store, rows, 200, first=part * rows)
                child.stdin.write("look\n")
                child.stdin.flush()
                steps, size = map(int, child.stdout.readline().split())
                assert steps == (part + 1) * rows * 200
                sizes.append(size / MB)
    finally:
        child.kill()
        child.communicate()
    grown = max(sizes[parts:]) - sizes[parts]
    assert grown < FLAT_MB, sizes
    promised(
        "A viewer's memory does not grow with the run", tried=parts * millions, lost=0,
        figure=f"{sizes[parts]:.0f} MB after 1,000,000 steps, {grown:+.1f} MB at most up to {millions},000,000",
    )  # fmt: skip


def test_a_series_is_as_large_after_two_million_steps_as_after_its_first_merge() -> None:
    series = LossSeries()
    ones = np.ones(MAX_BUCKETS // 4, np.float32)
    sizes = set()
    while series.steps < STEPS:
        series.append(ones)
        sizes.add((len(series._low), series._low.nbytes + series._high.nbytes + series._total.nbytes))
    assert max(sizes) == (MAX_BUCKETS, MAX_BUCKETS * 16)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("steps", [pytest.param(200_000, marks=pytest.mark.faults)])
def test_a_trainings_memory_does_not_grow_with_its_steps(
    steps: int, words_file: Path, home: Path, promised: Callable[..., None]
) -> None:
    """A real training of a tiny model: from a tenth of its steps on it is as large as it will be."""
    child = subprocess.Popen(
        [
            sys.executable, "-P", "-m", "tui_mm", "train", "--data", str(words_file), "--steps", str(steps),
            "--block-size", "3", "--hidden", "16", "--embedding", "4", "--batch-size", "1", "--lr", "0.001",
            "--threads", "1", "--device", "cpu", "--json",
        ], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    me, sizes = psutil.Process(child.pid), []
    run: Run | None = None
    try:
        while child.poll() is None:
            threading.Event().wait(0.05)
            run = run or (find_run(Home(home), "last") if any(Home(home).runs.glob("????????")) else None)
            if run is None:
                continue
            with run.store() as store:
                last = store.last_chunk()
            if last is not None and child.poll() is None:
                sizes.append((last.first_step, me.memory_info().rss / MB))
    except psutil.NoSuchProcess:
        pass
    finally:
        child.kill()
        child.communicate()
    assert run is not None
    assert run.status() == "done"
    late = [size for step, size in sizes if step >= steps // 10 and size]
    grown = max(late) - late[0]
    assert grown < FLAT_MB, sizes[:: len(sizes) // 20]
    promised(
        "A training's memory does not grow with its steps", tried=len(late), lost=0,
        figure=f"{late[0]:.0f} MB after {steps // 10:,} steps, {grown:+.1f} MB at most up to {steps:,}",
    )  # fmt: skip
