"""A look inside the training: the lectures' figures, and the training that does not notice."""

from __future__ import annotations

import json
import math
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from data.corpus import Corpus
from models.mlp import MLP
from tui_mm.config import RunConfig, make_config
from tui_mm.training import diagnostics as diagnostics_module
from tui_mm.training.diagnostics import BINS, Diagnostics, diagnose
from tui_mm.training.setup import build_trainer
from tui_mm.training.trainer import Trainer
from tui_mm.words import split_for

STATISTICS = ("std", "grad_norm", "grad_std", "update_ratio")


def config(preset: str = "default", **flags: Any) -> RunConfig:
    values = {
        "block_size": 3, "embedding": 4, "hidden": 16, "batch_size": 8, "steps": 100, "threads": 1, "device": "cpu",
        "eval_every": 20, **flags,
    }  # fmt: skip
    return make_config(preset, flags=values)


def trainer_of(settings: RunConfig, corpus: Corpus) -> Trainer:
    return build_trainer(settings, split_for(settings, corpus))


def train_to(trainer: Trainer, step: int) -> None:
    trainer.pause_at = step
    for _ in trainer.events():
        if trainer.step >= step:
            return


def model_of(trainer: Trainer) -> MLP:
    assert isinstance(trainer.model, MLP)
    return trainer.model


def numbers(found: Diagnostics) -> dict[str, dict[str, float | None]]:
    return {p.name: {name: getattr(p, name) for name in STATISTICS} for p in found.parameters}


# --- by value


@pytest.mark.parametrize(("init", "saturated"), [("lecture", 0.697), ("kaiming", 0.194)])
def test_the_lectures_share_of_saturated_tanh(init: str, saturated: float, lecture: Corpus) -> None:
    settings = make_config("lecture", flags={"init": init, "batch_size": 2048, "device": "cpu", "threads": 1})
    (tanh,) = diagnose(trainer_of(settings, lecture)).activations
    assert tanh.saturated == pytest.approx(saturated, abs=0.01)


def test_figures_of_the_whole_split_are_those_computed_by_hand(corpus: Corpus) -> None:
    trainer = trainer_of(config(batch_size=0, init="lecture"), corpus)
    model = model_of(trainer)
    contexts, targets = trainer.rows["train"].take(torch.arange(len(trainer.rows["train"])))
    h = torch.tanh(model.C[contexts].view(len(contexts), -1) @ model.W1 + model.b1).detach()
    found = diagnose(trainer)
    (tanh,) = found.activations
    assert (tanh.name, tanh.low, tanh.high) == ("tanh", -1.0, 1.0)
    assert tanh.saturated == pytest.approx(float((h.abs() > 0.97).float().mean()))
    assert tanh.saturated > 0.2, "a lecture start is saturated, or this test says little"
    assert tanh.mean == pytest.approx(float(h.mean()), abs=1e-6)
    assert tanh.std == pytest.approx(float(h.std()), rel=1e-5)
    share_below = [float((h < -1 + 2 * (k + 1) / BINS).float().mean()) for k in range(BINS)]
    so_far = torch.tensor(tanh.histogram).cumsum(0).tolist()
    assert so_far[:-1] == pytest.approx(share_below[:-1], abs=2e-3)
    assert so_far[-1] == pytest.approx(1)

    model.loss(contexts, targets).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None
        assert numbers(found)[name]["std"] == pytest.approx(float(p.detach().std()), rel=1e-5)
        assert numbers(found)[name]["grad_norm"] == pytest.approx(float(p.grad.norm()), rel=1e-4)
        assert numbers(found)[name]["grad_std"] == pytest.approx(float(p.grad.std()), rel=1e-4)
    assert [p.shape for p in found.parameters] == [tuple(p.shape) for p in model.parameters()]


def test_the_update_ratio_of_sgd_is_rate_times_gradient_to_value(corpus: Corpus) -> None:
    trainer = trainer_of(config(optimizer="sgd", weight_decay=0, lr=0.3, schedule="constant"), corpus)
    train_to(trainer, 10)
    for statistics in diagnose(trainer).parameters:
        assert statistics.std is not None
        assert statistics.grad_std is not None
        expected = math.log10(0.3 * statistics.grad_std / statistics.std)
        assert statistics.update_ratio == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("flags", [{"optimizer": "adamw"}, {"optimizer": "sgd", "momentum": 0.9}], ids=str)
def test_the_update_ratio_is_that_of_the_step_that_comes_next(flags: dict[str, Any], corpus: Corpus) -> None:
    """With the whole split as the minibatch, the next step is the one that was looked at."""
    trainer = trainer_of(config(batch_size=0, lr=0.01, weight_decay=0.5, **flags), corpus)
    train_to(trainer, 15)
    found = numbers(diagnose(trainer))
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    train_to(trainer, 16)
    for name, p in trainer.model.named_parameters():
        moved = float((p.detach() - before[name]).std() / before[name].std())
        assert found[name]["update_ratio"] == pytest.approx(math.log10(moved), abs=1e-5)


# --- what does not happen


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_training_does_not_notice(optimizer: str, corpus: Corpus) -> None:
    settings = config(optimizer=optimizer, momentum=0.5)
    plain, watched = trainer_of(settings, corpus), trainer_of(settings, corpus)
    for _ in plain.events():
        pass
    everyone, looks = torch.get_rng_state(), 0
    for _ in watched.events():
        first, again = diagnose(watched), diagnose(watched)
        assert first == again
        looks += 1
    assert looks > 6
    assert torch.equal(torch.get_rng_state(), everyone)
    a, b = plain.state(), watched.state()
    for name, array in a.arrays.items():
        assert (array == b.arrays[name]).all(), name
    assert all(p.grad is None for p in watched.model.parameters())


def test_each_step_is_looked_at_on_another_minibatch(corpus: Corpus) -> None:
    settings = config(optimizer="sgd", lr=1e-30, weight_decay=0)  # the weights stay
    trainer = trainer_of(settings, corpus)
    first = diagnose(trainer)
    list(islice(trainer.events(), 3))
    assert trainer.step > 0
    assert diagnose(trainer).activations != first.activations


# --- what has no figure


def test_a_model_that_counts_has_none_and_says_so(corpus: Corpus) -> None:
    found = diagnose(trainer_of(make_config("bigram"), corpus)).as_json()
    assert found == {"step": 0, "activations": [], "parameters": [], "reason": found["reason"]}
    assert "counts" in found["reason"]


def test_a_model_too_large_for_copies_is_left_alone(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(config(), corpus)
    monkeypatch.setattr(diagnostics_module, "MOST_PARAMETERS", trainer.model.parameter_count())
    assert diagnose(trainer).parameters
    monkeypatch.setattr(diagnostics_module, "MOST_PARAMETERS", trainer.model.parameter_count() - 1)
    monkeypatch.setattr(trainer, "trial", None)
    assert "parameters" in diagnose(trainer).as_json()["reason"]


def test_weights_that_are_not_numbers_give_none(corpus: Corpus) -> None:
    trainer = trainer_of(config(), corpus)
    with torch.no_grad():
        model_of(trainer).W1[0, 0] = math.nan
        model_of(trainer).C[0, 0] = math.inf
    found = diagnose(trainer).as_json()
    json.dumps(found, allow_nan=False)
    assert found["activations"][0]["mean"] is None
    statistics = {p["name"]: p for p in found["parameters"]}
    assert statistics["W1"]["std"] is None
    assert statistics["W1"]["update_ratio"] is None
    assert statistics["W2"]["std"] is not None


def test_no_ratio_without_a_rate_and_none_to_a_tensor_of_equal_numbers(corpus: Corpus) -> None:
    trainer = trainer_of(config(), corpus)  # b2 starts as zeros
    found = numbers(diagnose(trainer))
    assert found["b2"]["std"] == 0
    assert found["b2"]["update_ratio"] is None
    assert found["W1"]["update_ratio"] is not None
    for _ in trainer.events():
        pass
    assert trainer.current_lr() == 0, "one-cycle ends at a rate of 0"
    assert {statistics["update_ratio"] for statistics in numbers(diagnose(trainer)).values()} == {None}


class Linear(MLP):
    """Without the tanh."""

    def activations(self, contexts: Tensor) -> dict[str, Tensor]:
        return {"linear": self.C[contexts].flatten(1) @ self.W1}


def test_a_layer_beyond_one_has_a_range_that_holds_it(corpus: Corpus) -> None:
    trainer = trainer_of(config(init="lecture"), corpus)
    trainer.model = Linear(model_of(trainer).config, Generator().manual_seed(1))
    (layer,) = diagnose(trainer).activations
    assert layer.high > 1
    assert layer.low == -layer.high
    assert sum(layer.histogram) == pytest.approx(1)
    assert max(layer.histogram[0], layer.histogram[-1]) > 0, "the range is as narrow as it can be"
