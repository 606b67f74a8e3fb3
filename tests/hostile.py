"""Files of a run and of an experiment as somebody else might have made them, and what all their readers do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from data.corpus import CorpusError, parse_words
from tui_mm.config import ConfigError, make_config
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.kept import KeptExperiment, create_experiment
from tui_mm.experiments.result import ExperimentResult, bar_chart
from tui_mm.runs.checkpoints import Checkpoint, save_checkpoint
from tui_mm.runs.drafts import is_draft
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.listing import read_row
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.store import EvaluationRow, LossChunk, SampleRow
from tui_mm.runs.summary import summarize
from tui_mm.words import data_facts, model_facts, split_for

NASTY = (
    "\x1b[2J", "\x1b]0;owned\x07", "\x1b]52;c;ZXZpbA==\x07", "\x9b31m", "\x90q\x9c", "\r\n\x08\x7f", "\x00",
    "\u202egnp.exe", "\u2066left\u2069", "a\u200b\u2060\ufeffb", "[bold red]b[/]", "[@click=app.quit]q[/]",
    "[link=file:///etc/passwd]l[/link]", "[/]", "[", "a\\[b", "$(id)", "\u3164", "e\u0301" + "\u0316" * 40,
)  # fmt: skip
"""Texts that would move the cursor, name the window, fill the clipboard, turn the line round, quit at a click ..."""

REFUSALS = (RunError, CorpusError, ConfigError)
WORDS = [f"{a}{b}{a}" for a in "bcdfglmnrst" for b in "aeiou"]


def plain_values(depth: int = 2) -> st.SearchStrategy[Any]:
    """What JSON may hold where something else belongs."""
    leaves = (
        st.none()
        | st.booleans()
        | st.sampled_from((-1, 0, 1, 3, 10**9, 10**18, -(10**30), 10**400, 1e308, -1e-300, float("inf"), float("nan")))
        | st.sampled_from(("", "x", "9" * 5000, *NASTY))
    )
    keys = st.sampled_from(("name", "kind", "train", "words", "steps", "x"))
    return st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=3), max_leaves=6)


@st.composite
def damaged(draw: st.DrawFn, raw: bytes) -> bytes:
    """A file cut, with bits turned over, or with other bytes put into it or in place of its own."""
    found = bytearray(raw)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        match draw(st.sampled_from(("cut", "turn", "put", "replace", "repeat"))):
            case "cut":
                del found[at:]
            case "turn" if found:
                found[at] ^= 1 << draw(st.integers(0, 7))
            case "put":
                found[at:at] = draw(st.binary(max_size=9))
            case "replace":
                some = draw(st.binary(min_size=1, max_size=9))
                found[at : at + len(some)] = some
            case "repeat":
                found += found[at : at + 4096]
    return bytes(found)


def sound_run(home: Home, name: str | None = "sound", **facts: Any) -> Run:
    """A run that was trained, with something in each of its tables."""
    config = make_config(flags={"block_size": 2, "embedding": 3, "hidden": 4, "steps": 10})
    corpus = parse_words("\n".join(WORDS), "words")
    splits = split_for(config, corpus)
    told = {"data": data_facts(config, splits, len(corpus)), "model": model_facts(config, splits.vocabulary)}
    run = create_run(home, config, corpus, name, told | facts)
    parameter = {"name": "W1", "shape": [6, 4], "std": 0.1, "grad_norm": 1.0, "grad_std": 0.1, "update_ratio": -3.0}
    activation = {"name": "tanh", "saturated": 0.1, "mean": 0.0, "std": 0.5, "low": -1, "high": 1,
                  "histogram": [0.05] * 20}  # fmt: skip
    with run.store() as store, store.transaction():
        for first in (1, 6):
            store.add_losses(LossChunk(first, np.full(5, 2.5, np.float32), 0.1, first / 10, first / 5))
            store.add_evaluation(EvaluationRow(first, 2.4, 2.5, first == 6, first / 5))
            store.add_snapshot(first, "names", ["emma", "ava"])
            store.add_snapshot(first, "embedding", {"step": first, "ids": [0, 1], "vectors": [[0.5, 1], [1, 0]]})
            store.add_snapshot(first, "layers", {"step": first, "activations": [activation], "parameters": [parameter]})
        store.set_samples(10, [SampleRow("emma", "train"), SampleRow("avy", None)])
        store.add_event(0, "started", "started at step 0 on cpu")
        store.add_event(10, "done", "steps at step 10", "pts/3 (17)")
        store.add_sweep_points(1, 0, np.array([-3.0, -2.0]), np.array([3.0, 2.9]))
        store.put_command("pts/3 (17)", "pause", {})
        store.set(status="done", finished="steps", device="cpu", threads=1)
    arrays = {"model.C": np.zeros((4, 3), np.float32), "generator": np.zeros(16, np.uint8)}
    values = {"trainer": {"step": 10}, "config": config.values(), "vocabulary": splits.vocabulary.entries}
    save_checkpoint(run.checkpoint("last"), Checkpoint(arrays, values))
    (run.folder / "worker.log").write_text("a warning\n")
    (run.folder / "lock").touch()
    return run


def sound_experiment(home: Home) -> KeptExperiment:
    """One that has ended, with a table, a chart and an answer."""
    kept = create_experiment(home, "part1-e03", make_config())
    rows = tuple({"smoothing": 0.1 * n, "train": 2.2, "dev": 2.3 + n / 10} for n in range(1, 4))
    chart = bar_chart(rows, "smoothing", "dev", ("added", "loss"))
    record = kept.read()
    result = ExperimentResult(EXPERIMENTS["part1-e03"].columns, rows, chart, "An answer.", ("a note",))
    kept.write(type(record)(**{**_fields(record), "status": "done", "seconds": 1.5, "result": result}))
    return kept


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}


def settle(path: Path) -> None:
    """Bring the log of a store into its file."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def change(run: Run, sql: str, *values: Any) -> None:
    """One statement in the run's store, as anybody may give it."""
    with sqlite3.connect(run.folder / "run.db") as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute(sql, values)
    db.close()


def set_meta(run: Run, key: str, value: Any) -> None:
    change(
        run, "INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value if isinstance(value, bytes) else json.dumps(value)
    )


def one_line(error: BaseException) -> str:
    """The line of a refusal, after a look that it is one, and not a screen full."""
    line = str(error)
    assert line.strip()
    assert "\n" not in line
    assert len(line) < 2500, f"{len(line)} characters"
    return line


def follow(run: Run) -> None:
    """All that a viewer reads of a run, and what it reckons from it."""
    follower = RunFollower(run)
    try:
        follower.poll()
        assert follower.epochs_per_step >= 0
        assert follower.recent_loss == follower.recent_loss or not follower.steps or follower.series.first_bad
        places = follower.at("seconds", np.array([0, follower.steps]))
        assert follower.done_by("seconds", places).tolist() == sorted(follower.done_by("seconds", places).tolist())
    finally:
        follower.close()


READERS: dict[str, Callable[[Run], Any]] = {
    "its configuration": Run.config,
    "its words": Run.corpus,
    "its summary": summarize,
    "its losses": lambda run: _in_store(run, lambda store: store.losses()),
    "its inbox": lambda run: _in_store(run, lambda store: store.open_commands()),
    "its sweep": lambda run: _in_store(run, lambda store: store.sweep_points()),
    "whether it is a draft": is_draft,
    "what a viewer follows": follow,
    "its row in the list": read_row,
}
"""By what they read of a run; the last one never raises."""


def _in_store(run: Run, look: Callable[[Any], Any]) -> Any:
    with run.store() as store:
        return look(store)


def read_all(run: Run) -> int:
    """Ask every reader: how many of them refused, each in one line."""
    refused = 0
    for read in READERS.values():
        try:
            read(run)
        except REFUSALS as error:
            one_line(error)
            refused += 1
    return refused
