"""Grids of hyperparameters: which combinations, what is refused, and what is said of them."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from data.corpus import Corpus
from tests.conftest import Outcome
from tui_mm.cli.app import app
from tui_mm.config import ConfigError, make_config
from tui_mm.training.grid import GRID_FIELDS, GridResult, make_grid
from tui_mm.training.replicas.training import build_replicas
from tui_mm.words import split_for

Cli = Callable[..., Outcome]
NAN = float("nan")
TINY = ("--threads", "1", "--device", "cpu", "--hidden", "8", "--embedding", "4", "--batch-size", "8", "--steps", "30")


def test_every_combination_is_made_and_each_with_every_seed() -> None:
    grid = make_grid("lecture", None, {"lr": "0.1,0.2", "momentum": "0,0.9,0", "steps": "50", "seed": "7"}, 2)
    assert grid.varied == {"lr": (0.1, 0.2), "momentum": (0.0, 0.9)}
    assert [grid.values(k) for k in range(4)] == [
        {"lr": 0.1, "momentum": 0.0},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.2, "momentum": 0.0},
        {"lr": 0.2, "momentum": 0.9},
    ]
    assert [c.seed for c in grid.configs] == [7, 8] * 4
    base = make_config("lecture", flags={"steps": 50, "seed": 7})
    assert all(c.but(**grid.values(0)) == base.but(lr=0.1) for c in grid.combinations)


def test_without_several_values_it_is_one_configuration_with_several_seeds() -> None:
    grid = make_grid("lecture", None, {"data": "a,b.txt"}, 3)
    assert (grid.varied, len(grid.configs), grid.configs[0].data) == ({}, 3, "a,b.txt")


def test_all_that_a_grid_varies_can_be_one_batch(corpus: Corpus) -> None:
    """Each allowed field, with values that differ."""
    several = {
        "init": "lecture,kaiming,unigram,torch", "lr": "0.1,0.2", "momentum": "0,0.5", "weight_decay": "0,0.1",
        "schedule": "constant,step,cosine,one-cycle,bengio", "decay_at": "0.2,0.4", "decay_factor": "0.5,0.25",
        "warmup": "0.1,0.3", "decay_rate": "0,0.1",
    }  # fmt: skip
    assert set(several) == set(GRID_FIELDS)
    needs = {"decay_at": "step", "decay_factor": "step", "warmup": "one-cycle", "decay_rate": "bengio"}
    tiny = {"threads": "1", "device": "cpu", "hidden": "8", "embedding": "4", "batch_size": "8", "steps": "10"}
    for name, text in several.items():
        schedule = {"schedule": needs[name]} if name in needs else {}
        grid = make_grid("lecture", None, tiny | schedule | {name: text}, 1)
        together = build_replicas(grid.configs, split_for(grid.combinations[0], corpus))
        list(together.blocks())
        ends = [together.loss(k, "dev") for k in range(len(together))]
        assert len(set(ends)) == len(ends) == text.count(",") + 1, f"{name} has no effect"


@pytest.mark.parametrize(
    ("preset", "flags", "seeds", "line"),
    [
        ("lecture", {"hidden": "8,16"}, 1, r"--hidden: a grid cannot vary it; .* several of --init, --lr, --momentum"),
        ("lecture", {"steps": "8,16"}, 1, "--steps: a grid cannot vary it"),
        ("lecture", {"seed": "1,2"}, 1, "--seed: a grid cannot vary it"),
        ("lecture", {"model": "mlp,gru"}, 1, "--model: a grid cannot vary it"),
        ("lecture", {"lr": "0.1,"}, 1, "--lr: '' is not allowed; give a number above 0"),
        ("lecture", {"lr": "0.1,-1"}, 1, "--lr: '-1' is not allowed"),
        ("default", {"momentum": "0,0.9"}, 1, "--momentum: has no effect with model mlp, optimizer adamw"),
        ("gru", {"init": "lecture,torch"}, 1, "--init: has no effect with model gru"),
        ("lecture", {"lr": "0.1,0.2"}, 0, "--seeds: 0 is not allowed; give a whole number from 1 to 64"),
    ],
)
def test_what_a_grid_cannot_do_is_refused_in_one_line(
    preset: str, flags: dict[str, str], seeds: int, line: str
) -> None:
    with pytest.raises(ConfigError, match=line) as raised:
        make_grid(preset, None, flags, seeds)
    assert "\n" not in str(raised.value)


def test_combinations_are_sorted_by_what_diverged_then_by_the_mean() -> None:
    result = GridResult(np.array([[2.5, 2.7], [2.0, NAN], [NAN, NAN], [2.3, 3.0], [2.75, 2.6]]))
    assert result.order == [0, 3, 4, 1, 2]
    assert result.best == 0
    assert [result.is_as_good(k) for k in range(5)] == [True, False, False, True, True]
    assert (result.mean(1), result.mean(2)) == (2.0, math.inf)
    assert GridResult(np.array([[1.0, NAN]])).best is None


def test_the_table_and_the_json_say_the_same_and_the_command_trains_the_best(cli: Cli, words_file: Path) -> None:
    given = ("--preset", "lecture", *TINY, "--data", words_file, "--lr", "0.05,0.5,1000", "--weight-decay", "0,0.01")
    done = cli("grid", *given, "--seeds", 2, "--json")
    assert done.code == 0
    found: dict[str, Any] = json.loads(done.out)
    assert found["varied"] == {"lr": [0.05, 0.5, 1000.0], "weight_decay": [0.0, 0.01]}
    assert len(found["combinations"]) == 6
    means = [c["mean"] for c in found["combinations"] if not c["diverged"]]
    assert means == sorted(means)
    assert [c["values"]["lr"] for c in found["combinations"][-2:]] == [1000.0, 1000.0], "diverged, and so the last"
    assert found["combinations"][0]["values"] == found["best"]
    assert all(len(c["losses"]) == 2 for c in found["combinations"])

    shown = cli("grid", *given, "--seeds", 2)
    assert f"{found['combinations'][0]['mean']:.4f}" in shown.out
    assert "dev, mean" in shown.out
    assert "2 of 2" in shown.out
    assert shown.out.splitlines()[-1] == f"train it: {found['command']}"
    parts = shlex.split(found["command"])
    assert parts[:2] == ["makemore-tui", "train"]
    trained = cli(*parts[1:], "--json")
    assert trained.code == 0
    dev = json.loads(trained.out)["losses"]["dev"]
    assert dev == pytest.approx(found["combinations"][0]["losses"][0], rel=1e-4), "the first seed's training"


def test_a_model_that_counts_is_refused(cli: Cli, words_file: Path) -> None:
    done = cli("grid", "--model", "bigram", "--data", words_file)
    assert done.code == 2
    assert "learns by counting" in done.err


def test_the_help_names_what_may_vary() -> None:
    said = CliRunner().invoke(app, ["grid", "--help"]).output
    assert all(f"--{name.replace('_', '-')}" in said for name in GRID_FIELDS)
