"""Step engines: the gradient derived by hand is autograd's, and blocks of any length give the same bits."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from tui_mm.config import RunConfig, make_config
from tui_mm.training.engines.autograd import AutogradEngine
from tui_mm.training.engines.base import StepEngine
from tui_mm.training.engines.choice import make_engine
from tui_mm.training.engines.derived import DerivedEngine, is_derived
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.setup import build_model

V, STEPS, ROWS = 7, 12, 5
UPDATES = [
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.05},
]


def small(**flags: Any) -> RunConfig:
    return make_config(flags={"block_size": 3, "embedding": 4, "hidden": 16, "threads": 1, "device": "cpu", **flags})


def model_of(config: RunConfig) -> Any:
    return build_model(config, V, Generator().manual_seed(1))


def minibatches(steps: int = STEPS, rows: int = ROWS) -> tuple[Tensor, Tensor]:
    draws = Generator().manual_seed(2)
    contexts = torch.randint(0, V, (steps, rows, 3), generator=draws)
    return contexts, torch.randint(0, V, (steps, rows), generator=draws)


def run_in_blocks(engine: StepEngine, lengths: list[int], lr: float) -> Tensor:
    (contexts, targets), first, losses = minibatches(), 0, []
    for length in lengths:
        at = slice(first, first + length)
        rates = [lr / (1 + step) for step in range(first, first + length)]
        losses.append(engine.run(contexts[at], targets[at], rates, first).clone())
        first += length
    assert first == STEPS
    return torch.cat(losses)


@pytest.mark.parametrize("update", UPDATES, ids=["sgd", "momentum", "adamw"])
def test_the_gradient_derived_by_hand_is_autograds(update: dict[str, Any]) -> None:
    """In float64, where rounding hides nothing: losses and weights after a dozen steps."""
    config = small(**update)
    derived = model_of(config).double()
    plain = copy.deepcopy(derived)
    engines = [
        kind(model, make_optimizer(config, dict(model.named_parameters())), *more)
        for kind, model, more in ((DerivedEngine, derived, ()), (AutogradEngine, plain, (config,)))
    ]
    torch.set_default_dtype(torch.float64)  # the losses that autograd's engine collects
    try:
        found, expected = (run_in_blocks(engine, [STEPS], config.lr) for engine in engines)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    for (name, a), b in zip(derived.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}")
    assert (found[0] - found[-1]).abs() > 1e-3, "nothing was learnt"


@pytest.mark.parametrize("update", UPDATES, ids=["sgd", "momentum", "adamw"])
@given(cuts=st.sets(st.integers(1, STEPS - 1)))
def test_blocks_of_any_length_give_the_same_bits(update: dict[str, Any], cuts: set[int]) -> None:
    config = small(**update)
    edges = [0, *sorted(cuts), STEPS]
    found = []
    for lengths in ([STEPS], [b - a for a, b in itertools.pairwise(edges)]):
        model = model_of(config)
        engine = make_engine(model, make_optimizer(config, dict(model.named_parameters())), config)
        assert isinstance(engine, DerivedEngine)
        found.append([run_in_blocks(engine, lengths, config.lr), *model.parameters()])
    assert all(map(torch.equal, *found))


def test_a_batch_of_another_size_is_taken_too() -> None:
    config = small(**UPDATES[0])
    model = model_of(config)
    engine = make_engine(model, make_optimizer(config, {}), config)
    for rows in (5, 2, 5):
        contexts, targets = minibatches(1, rows)
        before = copy.deepcopy(model)
        loss = engine.run(contexts, targets, [0.1], 0)
        assert float(loss) == pytest.approx(before.loss(contexts[0], targets[0]).item(), rel=1e-6)


def test_a_whole_split_is_repeated_without_being_copied() -> None:
    """Steps on the whole split look at the same rows, which are expanded, not stacked."""
    config = small(**UPDATES[0])
    (contexts, targets), found = minibatches(1), []
    for count in (1, 3):
        model = model_of(config)
        engine = make_engine(model, make_optimizer(config, {}), config)
        rows = contexts[0].expand(count, ROWS, 3), targets[0].expand(count, ROWS)
        found.append(torch.cat([engine.run(*rows, [0.1] * count, 0) for _ in range(3 // count)]))
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, True),
        ({"init": "kaiming"}, True),
        ({"layers": 2}, False),
        ({"activation": "relu"}, False),
        ({"norm": "batch"}, False),
        ({"dropout": 0.1}, False),
        ({"direct": "yes"}, False),
        ({"padding": "blank"}, False),
        ({"mixture": "learned"}, False),
        ({"model": "neural-bigram"}, False),
        ({"model": "gru"}, False),
    ],
    ids=str,
)
def test_which_models_it_knows(flags: dict[str, Any], expected: bool) -> None:
    model = model_of(small(**flags))
    assert is_derived(model) is expected
    engine = make_engine(model, make_optimizer(small(), dict(model.named_parameters())), small(**flags))
    assert isinstance(engine, DerivedEngine if expected else AutogradEngine)
