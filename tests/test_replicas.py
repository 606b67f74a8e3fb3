"""Replicas trained at once: each gets what a trainer of its own would give it, and none reaches another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator

from data.corpus import Corpus
from tui_mm.config import ConfigError, RunConfig, make_config
from tui_mm.training.events import Finished, StepBlock
from tui_mm.training.replicas import training
from tui_mm.training.replicas.alike import used_variations
from tui_mm.training.replicas.base import Replica
from tui_mm.training.replicas.derived import DerivedReplicas
from tui_mm.training.replicas.mapped import MappedReplicas
from tui_mm.training.replicas.separate import SeparateReplicas
from tui_mm.training.replicas.training import Replicas, build_replicas
from tui_mm.training.rows import all_rows, mean_loss
from tui_mm.training.setup import build_model, build_trainer, prepare
from tui_mm.training.trainer import Trainer
from tui_mm.words import split_for

STEPS = 12
TINY = {"threads": 1, "device": "cpu", "steps": STEPS, "batch_size": 8, "hidden": 12, "embedding": 6}
CPU = torch.device("cpu")

MODELS: list[tuple[str, dict[str, Any], type]] = [
    ("lecture", {}, DerivedReplicas),
    ("lecture", {"momentum": 0.9}, DerivedReplicas),
    ("lecture", {"momentum": 0.5, "weight_decay": 0.02, "schedule": "one-cycle"}, DerivedReplicas),
    ("default", {}, DerivedReplicas),  # AdamW with decay
    ("lecture", {"init": "unigram", "schedule": "cosine", "batch_size": 0}, DerivedReplicas),
    ("lecture", {"layers": 2, "activation": "relu", "direct": "yes"}, MappedReplicas),
    ("lecture", {"layers": 2, "optimizer": "adamw", "weight_decay": 0.1, "lr": 0.01}, MappedReplicas),
    ("lecture", {"norm": "batch", "momentum": 0.9, "weight_decay": 0.02}, MappedReplicas),
    ("lecture", {"mixture": "learned", "padding": "blank"}, MappedReplicas),
    ("lecture", {"dropout": 0.2}, SeparateReplicas),
    ("neural-bigram", {"regularization": 0.01}, MappedReplicas),
    ("wavenet", {}, MappedReplicas),
    ("bow", {}, MappedReplicas),
    ("gru", {}, MappedReplicas),
    ("lstm", {}, MappedReplicas),
    ("transformer", {"dropout": 0.0, "embedding": 8}, MappedReplicas),
]


def configs_of(preset: str, flags: dict[str, Any]) -> list[RunConfig]:
    """Two rates with two seeds each."""
    config = make_config(preset, flags=TINY | flags)
    return [config.but(lr=config.lr * factor, seed=seed) for factor in (1, 0.3) for seed in (1, 2)]


def replicas_of(configs: list[RunConfig], corpus: Corpus, dtype: torch.dtype = torch.float32) -> Replicas:
    splits = split_for(configs[0], corpus)
    V = len(splits.vocabulary)
    rows = all_rows(splits, build_model(configs[0], V, Generator()), CPU)
    return Replicas(configs, rows, V, CPU, dtype=dtype)


def alone(config: RunConfig, corpus: Corpus, dtype: torch.dtype) -> tuple[Trainer, np.ndarray]:
    """One configuration by the trainer: it, and its losses."""
    splits = split_for(config, corpus)
    generator = Generator().manual_seed(config.seed)
    model = build_model(config, len(splits.vocabulary), generator)
    rows = all_rows(splits, model, CPU)
    prepare(model, rows)
    trainer = Trainer(
        model.double() if dtype == torch.float64 else model, rows, config, generator=generator, device=CPU
    )
    return trainer, np.concatenate([e.losses for e in trainer.events() if isinstance(e, StepBlock)])


def train(replicas: Replicas, count: int) -> np.ndarray:
    """One block of so many steps: its losses."""
    replicas._block = count
    return next(replicas.blocks()).losses


SINGLE = [MODELS[k] for k in (0, 2, 3, 7)]
"""Those that are compared in float32 too, where rounding leaves room for a fault."""


@pytest.mark.parametrize(
    ("dtype", "preset", "flags", "engine"),
    [(torch.float64, *case) for case in MODELS] + [(torch.float32, *case) for case in SINGLE],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_a_replica_is_what_its_trainer_would_make(
    dtype: torch.dtype, preset: str, flags: dict[str, Any], engine: type, corpus: Corpus
) -> None:
    configs = configs_of(preset, flags)
    together = replicas_of(configs, corpus, dtype)
    assert all(type(group.engine) is engine for group in together._groups)
    losses = np.concatenate([block.losses for block in together.blocks()])
    assert losses.shape == (STEPS, len(configs))
    # AdamW's first updates are signs of gradients, of which some are nothing but rounding
    sign_like = configs[0].optimizer == "adamw"
    tolerance = (2e-3 if sign_like else 1e-4) if dtype == torch.float32 else (1e-6 if sign_like else 1e-9)
    for i, config in enumerate(configs):
        trainer, expected = alone(config, corpus, dtype)
        np.testing.assert_allclose(losses[:, i], expected, rtol=max(tolerance, 2e-6), err_msg=str(config))
        own = together.put(i).state_dict()
        for name, value in trainer.model.state_dict().items():
            if "trigram" not in name and name != "weights":  # of a mixture: counts, and what dev decides
                torch.testing.assert_close(own[name], value, rtol=tolerance, atol=tolerance, msg=f"{config}: {name}")
    assert np.ptp(losses[-1]) > 1e-3, "the replicas are all alike"


def test_the_dev_loss_is_the_trainers(corpus: Corpus) -> None:
    for flags in ({}, {"mixture": "learned"}):
        configs = configs_of("lecture", flags)
        together = replicas_of(configs, corpus)
        list(together.blocks())
        for config, dev in zip(configs, (together.loss(i, "dev") for i in range(4)), strict=True):
            trainer, _ = alone(config, corpus, torch.float32)
            assert dev == pytest.approx(mean_loss(trainer.model, trainer.rows["dev"]), rel=1e-5)


def test_every_number_may_be_a_replicas_own(corpus: Corpus) -> None:
    """Plain SGD beside momentum and decay, schedules and starts: one batch, and each as alone."""
    config = make_config("lecture", flags=TINY)
    configs = [
        config,
        config.but(momentum=0.9, seed=3),
        config.but(weight_decay=0.1),
        config.but(schedule="cosine", init="kaiming"),
        config.but(schedule="step", decay_at=0.25, decay_factor=0.5, momentum=0.3, weight_decay=0.01),
    ]
    together = replicas_of(configs, corpus, torch.float64)
    list(together.blocks())
    for i, one in enumerate(configs):
        trainer, _ = alone(one, corpus, torch.float64)
        own = together.put(i).state_dict()
        for name, value in trainer.model.state_dict().items():
            torch.testing.assert_close(own[name], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("flags", [{}, {"layers": 2}, {"momentum": 0.5}], ids=str)
def test_one_that_diverges_leaves_the_others_alone(flags: dict[str, Any], corpus: Corpus) -> None:
    config = make_config("lecture", flags=TINY | flags)
    calm = [config.but(seed=seed) for seed in (1, 2)]
    wild = config.but(lr=1e38, seed=3)
    beside = replicas_of([calm[0], wild, calm[1]], corpus)
    without = replicas_of(calm, corpus)
    list(beside.blocks()), list(without.blocks())
    assert beside.diverged_at[1] > 0
    assert beside.diverged_at[[0, 2]].tolist() == [0, 0]
    for at, place in ((0, 0), (1, 2)):
        expected = {name: value.clone() for name, value in without.put(at).state_dict().items()}
        for name, value in beside.put(place).state_dict().items():
            torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-7)
    dev = [beside.loss(i, "dev") for i in range(3)]
    assert [math.isfinite(loss) for loss in dev] == [True, False, True]
    assert np.isfinite(beside.recent_losses()).tolist() == [True, False, True]


def test_groups_and_blocks_change_nothing(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config("lecture", flags=TINY)
    configs = [config.but(seed=seed, momentum=0.5 * (seed % 2)) for seed in range(7)]
    whole = replicas_of(configs, corpus)
    expected = train(whole, STEPS)
    monkeypatch.setattr(training, "_CACHE_NUMBERS", 2 * training.working_set(whole.model, 8))
    parts = replicas_of(configs, corpus)
    assert [group.members for group in parts._groups] == [[0, 2], [4, 6], [1], [3, 5]]
    found = np.concatenate([train(parts, count) for count in (1, 4, 2, 5)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("preset", "flags", "expected"),
    [
        ("lecture", {}, [8] * 8),
        ("lecture", {"layers": 2}, [16] * 4),
        ("lecture", {"dropout": 0.1}, [1] * 64),
        ("default", {}, [1] * 64),
        ("gru", {}, [1] * 64),
    ],
    ids=str,
)
def test_how_many_are_one_batch(preset: str, flags: dict[str, Any], expected: list[int]) -> None:
    """As many as stay in the cache; those whose steps are nearly all arithmetic are trained one by one."""
    config = make_config(preset, flags=flags)
    model = build_model(config, 27, Generator())
    found = training.groups(model, [Replica(config, {})] * 64, config.batch_size)
    assert [len(members) for members in found] == expected
    assert [i for members in found for i in members] == list(range(64))


def test_what_is_recent_is_the_last_tenth(corpus: Corpus) -> None:
    config = make_config("lecture", flags=TINY | {"steps": 40})
    together = replicas_of([config, config.but(seed=1)], corpus)
    losses = np.concatenate([train(together, count) for count in (1, 10, 9, 20)])
    np.testing.assert_allclose(together.recent_losses(), losses[-4:].mean(0), rtol=1e-6)


def test_a_trainers_run_and_a_replica_end_alike(corpus: Corpus) -> None:
    """By the ways in which programs build them, with the threads that are chosen."""
    config = make_config("lecture", flags=TINY | {"threads": 0})
    together = build_replicas([config, config.but(lr=0.01)], split_for(config, corpus))
    list(together.blocks())
    trainer = build_trainer(config, split_for(config, corpus))
    assert isinstance(list(trainer.events())[-1], Finished)
    torch.testing.assert_close(
        together.put(0).state_dict()["W1"], trainer.model.state_dict()["W1"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        ({}, {"hidden": 99}, "hidden: cannot differ between replicas; allowed are init, lr, "),
        ({}, {"steps": 99}, "steps: cannot differ"),
        ({}, {"optimizer": "adamw"}, "optimizer: cannot differ"),
        ({"model": "bigram"}, {"model": "bigram"}, "model: bigram learns by counting"),
    ],
    ids=str,
)
def test_what_cannot_be_one_batch_is_refused(
    first: dict[str, Any], second: dict[str, Any], line: str, corpus: Corpus
) -> None:
    config = make_config("lecture", flags=TINY)
    with pytest.raises(ConfigError, match=line):
        build_replicas([config.but(**first), config.but(**second)], split_for(config, corpus))


def test_too_many_are_refused_before_they_are_made(corpus: Corpus) -> None:
    config = make_config("lecture", flags={"hidden": 60000})
    with pytest.raises(ConfigError, match="parameters, more than the"):
        build_replicas([config] * 200, split_for(config, corpus))
    with pytest.raises(ConfigError, match="5,000 are not allowed"):
        build_replicas([make_config("lecture")] * 5000, split_for(config, corpus))


def test_which_numbers_are_used_under_a_choice() -> None:
    assert used_variations(make_config("lecture")) == [
        "init", "lr", "momentum", "weight_decay", "seed", "schedule", "decay_at", "decay_factor",
    ]  # fmt: skip
    assert "momentum" not in used_variations(make_config("default"))
    assert "init" not in used_variations(make_config("gru"))
