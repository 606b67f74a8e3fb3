"""Every model through the engine: its parameters, exact resume, dropout, the sweep, and what it chooses by dev."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from data.corpus import Corpus
from data.splits import Splits, split_words
from models.base import LanguageModel
from models.mixture import Mixture
from models.neural_bigram import NeuralBigram
from models.sampling import sample
from tui_mm.config import ConfigError, RunConfig, make_config, validate
from tui_mm.kinds import KINDS, ModelName
from tui_mm.presets import PRESETS
from tui_mm.sizes import check_size, parameter_count
from tui_mm.training import trainer as trainer_module
from tui_mm.training.diagnostics import diagnose
from tui_mm.training.engines.autograd import seed_dropout
from tui_mm.training.events import Evaluation, Event, Finished, StepBlock
from tui_mm.training.lr_range import lr_range_test
from tui_mm.training.setup import build_model, build_trainer
from tui_mm.training.trainer import Trainer

SMALL: dict[str, Any] = {
    "block_size": 5,
    "embedding": 6,
    "hidden": 8,
    "heads": 2,
    "steps": 12,
    "batch_size": 8,
    "eval_every": 4,
    "device": "cpu",
    "threads": 1,
}
TRAINED: dict[str, dict[str, Any]] = {
    "bigram": {"model": "bigram"},
    "backoff": {"model": "backoff", "block_size": 3},
    "interpolated": {"model": "interpolated", "block_size": 2},
    "neural-bigram": {"model": "neural-bigram", "regularization": 0.1, "optimizer": "sgd"},
    "deep-mlp": {"layers": 2, "norm": "batch", "dropout": 0.4},
    "mixture": {"mixture": "learned", "init": "unigram", "direct": "yes"},
    "blank-mlp": {"padding": "blank", "init": "torch", "activation": "gelu", "optimizer": "sgd", "momentum": 0.9},
    "wavenet": {"model": "wavenet", "dropout": 0.3},
    "bow": {"model": "bow"},
    "rnn": {"model": "rnn"},
    "gru": {"model": "gru"},
    "lstm": {"model": "lstm"},
    "transformer": {"model": "transformer", "layers": 2, "dropout": 0.3},
}


@pytest.fixture
def splits(corpus: Corpus) -> Splits:
    return split_words(corpus)


def config_of(name: str, **values: Any) -> RunConfig:
    return validate(SMALL | TRAINED[name] | values)


def run(trainer: Trainer) -> list[Event]:
    return list(trainer.events())


def losses_of(events: list[Event]) -> list[float]:
    return [float(x) for event in events if isinstance(event, StepBlock) for x in event.losses]


# --- sizes


MAKEMORE = [
    ("transformer", 204_544),
    ("makemore-mlp", 69_147),
    ("gru", 28_315),
    ("bow", 12_827),
    ("rnn", 11_803),
    ("neural-bigram", 729),
    ("wavenet", 76_579),
]


@pytest.mark.parametrize(("preset", "parameters"), MAKEMORE)
def test_makemores_models_have_makemores_parameters(preset: str, parameters: int) -> None:
    config = make_config(preset)
    assert parameter_count(config, 27) == parameters
    model = build_model(config, 27, Generator())
    assert sum(p.numel() for p in model.parameters()) == model.parameter_count() == parameters


def test_direct_connections_have_the_papers_parameters() -> None:
    config = make_config("lecture", flags={"direct": "yes"})
    assert parameter_count(config, 27) == build_model(config, 27, Generator()).parameter_count() == 12_707


def test_makemores_bigram_starts_at_the_uniform_loss(splits: Splits) -> None:
    config = make_config("neural-bigram", flags={"init": "zero-output", "steps": "1"})
    size = len(splits.vocabulary)
    first = next(e for e in build_trainer(config, splits).events() if isinstance(e, Evaluation))
    assert first.train == pytest.approx(np.log(size), abs=1e-6)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    model=st.sampled_from(list(KINDS)),
    vocab_size=st.integers(2, 40),
    block=st.integers(1, 9),
    heads=st.integers(1, 3),
    width=st.integers(1, 5),
    hidden=st.integers(1, 9),
    layers=st.integers(1, 3),
    choices=st.tuples(*[st.booleans()] * 4),
)
def test_parameters_are_counted_without_building_the_model(
    model: ModelName,
    vocab_size: int,
    block: int,
    heads: int,
    width: int,
    hidden: int,
    layers: int,
    choices: tuple[bool, bool, bool, bool],
) -> None:
    norm, direct, padding, mixture = choices
    config = validate(
        {
            "model": model,
            "block_size": block,
            "heads": heads,
            "embedding": heads * width,
            "hidden": hidden,
            "layers": layers,
            "norm": "batch" if norm else "none",
            "direct": "yes" if direct else "no",
            "padding": "blank" if padding else "boundary",
            "mixture": "fixed" if mixture else "none",
        }
    )
    assert build_model(config, vocab_size, Generator()).parameter_count() == parameter_count(config, vocab_size)


def test_tables_of_counts_have_no_limit_and_weights_have() -> None:
    check_size(validate({"model": "backoff", "block_size": 200}), 100_000)
    with pytest.raises(ConfigError, match="more than the 268,435,456 allowed"):
        check_size(validate({"model": "gru", "hidden": 65536, "embedding": 4096}), 27)


# --- training


@pytest.mark.parametrize("name", TRAINED)
def test_a_resumed_training_goes_on_to_the_bit(name: str, splits: Splits) -> None:
    config = config_of(name)
    whole = build_trainer(config, splits)
    events = run(whole)
    assert isinstance(events[-1], Finished)
    assert whole.step == config.total_steps
    first = build_trainer(config, splits)
    going = first.events()
    for event in going:
        if isinstance(event, StepBlock) and event.last_step >= min(5, config.total_steps):
            break
    going.close()
    state = first.state()
    run(first)  # what it does afterwards must not reach into the state it gave
    second = build_trainer(config.but(seed=config.seed), splits)
    torch.manual_seed(99)  # nothing may depend on what the process drew before
    second.load_state(state)
    after = run(second)
    for key, value in whole.state().arrays.items():
        assert np.array_equal(second.state().arrays[key], value, equal_nan=True), key
    rest = losses_of(after)
    assert rest == losses_of(events)[len(losses_of(events)) - len(rest) :]
    assert [e.dev for e in after if isinstance(e, Evaluation)][-1] == [
        e.dev for e in events if isinstance(e, Evaluation)
    ][-1]


@pytest.mark.parametrize("name", ["deep-mlp", "transformer", "gru"])
def test_losses_do_not_depend_on_how_steps_fall_into_blocks(
    name: str, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(name)
    as_it_comes = losses_of(run(build_trainer(config, splits)))
    monkeypatch.setattr(trainer_module, "_BLOCK_SECONDS", 0.0)  # one step a block
    assert losses_of(run(build_trainer(config, splits))) == as_it_comes


@pytest.mark.parametrize("name", [name for name in TRAINED if not KINDS[str(TRAINED[name].get("model", "mlp"))].counts])
def test_every_network_learns_from_some_words(name: str, splits: Splits) -> None:
    rates = {"neural-bigram": 30.0}
    changes = {"steps": 150, "batch_size": 32, "eval_every": 50, "lr": rates.get(name, 0.02), "dropout": 0.0}
    trainer = build_trainer(config_of(name, mixture="none", **changes), splits)
    evaluations = [e for e in run(trainer) if isinstance(e, Evaluation)]
    assert evaluations[-1].train < evaluations[0].train - 0.2
    assert evaluations[-1].train < np.log(len(splits.vocabulary)) - 0.2


@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_model_says_names_and_shows_its_inside(name: str, splits: Splits) -> None:
    trainer = build_trainer(config_of(name), splits)
    run(trainer)
    names = sample(trainer.model, 5, generator=Generator().manual_seed(1))
    assert len(names) == 5
    assert names == sample(trainer.model, 5, generator=Generator().manual_seed(1))
    assert trainer.model.training
    found = diagnose(trainer)
    if trainer.config.counts:
        assert "counts" in found.reason
    else:
        assert {p.name for p in found.parameters} == dict(trainer.model.named_parameters()).keys()
        assert all(p.grad_norm is not None for p in found.parameters)
    assert list(trainer.model.activations(torch.zeros(2, 5, dtype=torch.int64))) == [a.name for a in found.activations]


@pytest.mark.parametrize("name", TRAINED)
def test_a_sweep_is_the_same_again_and_counting_has_none(name: str, splits: Splits) -> None:
    config = config_of(name)
    trainer = build_trainer(config, splits)

    def swept() -> list[float]:
        generator = Generator().manual_seed(3)
        exponents = np.linspace(-3, -1, 12)
        blocks = lr_range_test(trainer.model, trainer.rows["train"], config, exponents=exponents, generator=generator)
        return [float(loss) for block in blocks for loss in block.losses]

    if config.counts:
        with pytest.raises(ConfigError, match=f"model: {config.model} learns by counting"):
            swept()
    else:
        first = swept()
        torch.manual_seed(5)
        assert swept() == first
        assert len(first) == 12


# --- dropout


def test_dropout_leaves_out_other_values_at_every_step_and_none_in_evaluation(splits: Splits) -> None:
    trainer = build_trainer(config_of("deep-mlp", norm="none"), splits)
    contexts, targets = trainer.rows["train"].take(torch.arange(20))
    seen = []
    for step in (0, 0, 1):
        seed_dropout(trainer.config, step)
        seen.append(float(trainer.model.objective(contexts, targets).detach()))
    assert seen[0] == seen[1] != seen[2]
    run(trainer)
    assert trainer.model.training
    again = [e for e in run(trainer) if isinstance(e, Evaluation)]
    assert not again  # it is done
    trainer.model.eval()
    plain = [float(trainer.model.objective(contexts, targets).detach()) for _ in range(2)]
    assert plain[0] == plain[1]


# --- neural bigram


def test_one_hot_and_indexed_forms_give_the_same_logits_and_gradients() -> None:
    config = validate({"model": "neural-bigram", "init": "lecture"})
    model = build_model(config, 27, Generator().manual_seed(2147483647))
    assert isinstance(model, NeuralBigram)
    contexts = torch.randint(0, 27, (200, 1), generator=Generator().manual_seed(1))
    assert torch.equal(model(contexts), model.one_hot_forward(contexts))
    gradients = []
    for form in (model.forward, model.one_hot_forward):
        (gradient,) = torch.autograd.grad(form(contexts).square().sum(), [model.W])
        gradients.append(gradient)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-5, atol=1e-5)


def test_the_neural_bigram_learns_emma_as_in_the_lecture(lecture: Corpus) -> None:
    splits = split_words(lecture.head(1), split_words(lecture).vocabulary, train_fraction=1, dev_fraction=0)
    config = make_config(
        "neural-bigram",
        flags={"train_fraction": "1", "dev_fraction": "0", "steps": "5", "lr": "0.1", "regularization": "0"},
    )
    losses = losses_of(run(build_trainer(config, splits)))
    assert losses == pytest.approx([3.76930, 3.74921, 3.72916, 3.70915, 3.6891887], abs=5e-6)


def test_the_neural_bigram_reaches_the_lectures_loss(lecture: Corpus) -> None:
    """Its full batch is every bigram, 228,146 of them; taking equal ones together gives the same gradient."""
    splits = split_words(lecture, train_fraction=1, dev_fraction=0)
    config = make_config("neural-bigram", flags={"train_fraction": "1", "dev_fraction": "0"})
    trainer = build_trainer(config, splits)
    model = trainer.model
    ((contexts, targets, counts),) = trainer.rows["train"].distinct()
    share = counts / counts.sum()
    losses = []
    for _ in range(201):
        nll = (model.loss(contexts, targets, reduction="none") * share).sum()
        loss = nll + model.objective(contexts, targets) - model.loss(contexts, targets)
        (gradient,) = torch.autograd.grad(loss, list(model.parameters()))
        next(model.parameters()).data.sub_(config.lr * gradient)
        losses.append(float(loss.detach()))
    assert [losses[0], losses[100], losses[200]] == pytest.approx([3.768619, 2.48996, 2.48297], abs=6e-6)


# --- what is chosen by dev


@pytest.mark.parametrize("flags", [{"model": "backoff"}, {"model": "interpolated"}, {"mixture": "fixed"}])
def test_what_is_chosen_by_dev_needs_dev_words(flags: dict[str, str], corpus: Corpus) -> None:
    config = make_config(flags=flags | {"train_fraction": "1", "dev_fraction": "0"})
    with pytest.raises(ConfigError, match=r"by the dev split; give --dev-fraction above 0"):
        build_trainer(config, split_words(corpus, train_fraction=1, dev_fraction=0))


@pytest.mark.parametrize("mixture", ["fixed", "learned", "by-frequency"])
def test_a_mixture_trains_the_network_as_if_it_was_alone(mixture: str, splits: Splits) -> None:
    alone = build_trainer(config_of("mixture", mixture="none"), splits)
    mixed = build_trainer(config_of("mixture", mixture=mixture), splits)
    assert losses_of(run(alone)) == losses_of(run(mixed))
    network: LanguageModel = mixed.model.network  # type: ignore[assignment]
    for one, other in zip(alone.model.parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_learned_weight_is_no_worse_on_dev_than_one_half_and_one_by_frequency_no_worse_than_that(
    splits: Splits,
) -> None:
    found = {}
    for mixture in ("fixed", "learned", "by-frequency"):
        trainer = build_trainer(config_of("mixture", mixture=mixture, steps=60), splits)
        found[mixture] = [e.dev for e in run(trainer) if isinstance(e, Evaluation)][-1]
        assert isinstance(trainer.model, Mixture)
        assert trainer.model.weights.min() >= 0
        assert trainer.model.weights.max() <= 1
    fixed, learned, by_frequency = (found[name] or 0.0 for name in ("fixed", "learned", "by-frequency"))
    assert by_frequency <= learned + 1e-3
    assert learned <= fixed + 1e-6


# --- presets


@pytest.mark.parametrize("model", KINDS)
def test_a_model_that_is_asked_for_brings_its_preset(model: str) -> None:
    config = make_config(flags={"model": model})
    assert config.model == model
    preset = PRESETS[KINDS[model].preset]
    for name, value in preset.items():
        if name != "model":
            assert getattr(config, name) == value
    assert make_config("default", flags={"model": model}).steps == make_config().steps
