"""Runs made by hand to be exported, and what is read back of them."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.runs.export_csv import write_csv
from tui_mm.runs.export_jsonl import write_jsonl
from tui_mm.runs.export_source import RunSnapshot
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.store import EvaluationRow, LossChunk, SampleRow
from tui_mm.words import data_facts, model_facts, split_for


def new_run(corpus: Corpus, name: str | None = "one", **flags: Any) -> Run:
    config = make_config(
        flags={"steps": 6, "schedule": "step", "lr": 0.1, "decay_at": 0.5, "decay_factor": 0.1} | flags
    )
    splits = split_for(config, corpus)
    facts = {"data": data_facts(config, splits, 61), "model": model_facts(config, splits.vocabulary)}
    return create_run(Home.find(), config, corpus, name, facts)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def made_run(corpus: Corpus) -> Run:
    """Six steps, three evaluations, and one of all else that a run may hold. Two steps a second."""
    run = new_run(corpus)
    with run.store() as store:
        store.set(status="done", finished="done", device="cpu", threads=1, torch="2.0")
        store.add_evaluation(EvaluationRow(0, 3.25, 3.5, True, 1.0))
        store.add_losses(LossChunk(1, f32(3.1, 2.5, math.nan, 0.1), 0.1 * 0.1, 2.0, 3.0))
        store.add_evaluation(EvaluationRow(4, math.nan, math.inf, False, 4.0))
        store.add_losses(LossChunk(5, f32(math.inf, 1e-5), 0.1 * 0.1, 3.0, 5.0))
        store.add_evaluation(EvaluationRow(6, 2.0, None, False, 5.5))
        store.set_samples(6, [SampleRow("em\x1bma", "train"), SampleRow("=zq|<b>", None)])
        store.add_snapshot(0, "names", ["a", "*b*"])
        store.add_snapshot(4, "names", ["anna"])
        store.add_snapshot(4, "embedding", {"step": 4, "ids": [0], "vectors": [[0.5, None]]})
        store.add_sweep_points(1, 0, np.array([-3.0, -2.0]), np.array([3.0, math.nan]))
        store.add_event(0, "started", "started at step 0")
        store.add_event(6, "asked", "lr 0.3", "ada")
    return run


def table(run: Run) -> list[dict[str, str]]:
    out = io.BytesIO()
    with RunSnapshot(run) as source:
        write_csv(source, out)
    return list(csv.DictReader(io.StringIO(out.getvalue().decode("ascii"))))


def lines_of(run: Run) -> list[dict[str, Any]]:
    out = io.BytesIO()
    with RunSnapshot(run) as source:
        write_jsonl(source, out)
    return [json.loads(line, parse_constant=pytest.fail) for line in out.getvalue().decode("ascii").splitlines()]


def many_steps(corpus: Corpus, count: int, name: str = "long") -> Run:
    run = new_run(corpus, name, steps=count, schedule="constant")
    with run.store() as store, store.transaction():
        for first in range(1, count + 1, 500):
            losses = np.linspace(3, 2, 500).astype(np.float32)
            store.add_losses(LossChunk(first, losses, 0.1, first / 1e4, first / 1e4))
        store.set(status="done")
    return run
