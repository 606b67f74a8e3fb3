"""The compiled engine without a compiler: its steps are those of the other engines, and a training changes over to it,
goes on from its record to the same bits, and does without it where it is not to be had."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from data.corpus import Corpus
from data.splits import Splits, split_words
from models.base import IGNORED
from tests.uncompiled import FakeSupply, PythonProgram
from tui_mm.config import RunConfig, validate
from tui_mm.engine_record import EngineRecord
from tui_mm.training import trainer as trainer_module
from tui_mm.training.engines import changeover
from tui_mm.training.engines.autograd import AutogradEngine
from tui_mm.training.engines.base import EngineError, StepEngine
from tui_mm.training.engines.choice import make_engine
from tui_mm.training.engines.compiled import BlockShape, CompiledEngine
from tui_mm.training.engines.graphs import GraphEngine, Work, cuda_capture
from tui_mm.training.engines.state import moving_state
from tui_mm.training.events import Compiling, EngineChanged, EngineKept, Event, Finished, StepBlock
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.setup import build_model, build_trainer
from tui_mm.training.trainer import Trainer

V, STEPS, ROWS = 7, 9, 6
SMALL: dict[str, Any] = {
    "block_size": 4, "embedding": 6, "hidden": 8, "heads": 2, "batch_size": ROWS, "device": "cpu", "threads": 1,
    "steps": 40, "eval_every": 20,
}  # fmt: skip
UPDATES: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": "sgd", "lr": 0.1, "weight_decay": 0.0},
    "momentum": {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "decay": {"optimizer": "sgd", "lr": 0.1, "weight_decay": 0.1},
    "adamw": {"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.05},
}
MODELS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "deep-mlp": {"layers": 2, "norm": "batch"},
    "relu": {"activation": "relu", "direct": "yes"},
    "blank": {"padding": "blank", "activation": "gelu"},
    "mixture": {"mixture": "fixed"},
    "neural-bigram": {"model": "neural-bigram", "regularization": 0.1},
    "wavenet": {"model": "wavenet"},
    "bow": {"model": "bow"},
    "rnn": {"model": "rnn"},
    "gru": {"model": "gru"},
    "lstm": {"model": "lstm"},
    "transformer": {"model": "transformer", "layers": 2},
}


def config_of(model: str, update: str = "sgd", **values: Any) -> RunConfig:
    return validate(SMALL | MODELS[model] | UPDATES[update] | values)


def minibatches(config: RunConfig, steps: int = STEPS) -> tuple[Tensor, Tensor]:
    """Of a sequence model, with padding at the end of some rows."""
    draws = Generator().manual_seed(2)
    shape = steps, ROWS, config.context
    contexts = torch.randint(0, V, shape, generator=draws)
    if build_model(config, V, Generator()).layout == "window":
        return contexts, torch.randint(0, V, shape[:2], generator=draws)
    targets = torch.randint(0, V, shape, generator=draws)
    targets[:, 1:, -1] = IGNORED
    return contexts, targets


def engine_of(config: RunConfig, kind: str, dtype: torch.dtype = torch.float32) -> tuple[StepEngine, list[Tensor]]:
    """An engine, and the state that it moves."""
    model = build_model(config, V, Generator().manual_seed(1)).to(dtype)
    optimizer = make_optimizer(config, dict(model.named_parameters()))
    state = moving_state(model, optimizer)
    if kind == "eager":
        return make_engine(model, optimizer, config), state
    if kind == "autograd":
        return AutogradEngine(model, optimizer, config), state
    shape = BlockShape(4, ROWS, config.context)
    if kind == "graphs":  # captured by nothing: the work itself stands for its replay
        return GraphEngine(model, optimizer, config, shape, lambda work: work), state
    return CompiledEngine(PythonProgram(config, V, dtype), model, optimizer, shape), state


def rates(config: RunConfig, first: int, last: int) -> list[float]:
    return [config.lr / (1 + step) for step in range(first, last)]


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("model", MODELS)
def test_the_steps_are_those_of_the_other_engines(model: str, update: str) -> None:
    """In float64, where rounding hides nothing: losses, weights, batch norms' statistics, the optimizer's state."""
    config = config_of(model, update)
    block = minibatches(config)
    torch.set_default_dtype(torch.float64)
    try:
        engines = [engine_of(config, kind, torch.float64) for kind in ("compiled", "eager", "autograd", "graphs")]
        losses = [engine.run(*block, rates(config, 0, STEPS), 0) for engine, _ in engines]
    finally:
        torch.set_default_dtype(torch.float32)
    found = engines[0][1]
    for (_, expected), other in zip(engines[1:], losses[1:], strict=True):
        torch.testing.assert_close(losses[0], other, rtol=1e-9, atol=1e-11)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b.to(a.dtype), rtol=1e-6, atol=1e-8)
    assert (losses[0][0] - losses[0][-1]).abs() > 1e-4, "nothing was learnt"


@pytest.mark.parametrize("kind", ["compiled", "graphs"])
@pytest.mark.parametrize("update", UPDATES)
@given(cuts=st.sets(st.integers(1, STEPS - 1)))
@settings(max_examples=15)
def test_blocks_of_any_length_give_the_same_bits(update: str, kind: str, cuts: set[int]) -> None:
    config = config_of("mlp", update)
    contexts, targets = minibatches(config)
    found = []
    for edges in ([0, STEPS], [0, *sorted(cuts), STEPS]):
        engine, state = engine_of(config, kind)
        losses = [engine.run(contexts[a:b], targets[a:b], rates(config, a, b), a) for a, b in itertools.pairwise(edges)]
        found.append([torch.cat(losses), *state])
    assert all(map(torch.equal, *found))


def test_captured_work_is_replayed_and_capturing_changes_nothing() -> None:
    """A CUDA graph's work is carried out while it is captured, on the very tensors of the training."""
    config = config_of("mlp", "adamw")
    model = build_model(config, V, Generator().manual_seed(1))
    optimizer = make_optimizer(config, dict(model.named_parameters()))
    captured: list[int] = []

    def capture(work: Work) -> Work:
        work()
        captured.append(1)
        return work

    engine = GraphEngine(model, optimizer, config, BlockShape(4, ROWS, config.context), capture)
    other, state = engine_of(config, "graphs")
    block = minibatches(config)
    for _ in range(2):
        found, expected = (e.run(*block, rates(config, 0, STEPS), 0) for e in (engine, other))
        assert torch.equal(found, expected)
    assert all(map(torch.equal, moving_state(model, optimizer), state))
    assert len(captured) == 2, "whole blocks, and single steps, once each"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("model", MODELS)
def test_captured_steps_on_a_gpu_are_those_of_its_plain_loop(model: str) -> None:
    config = config_of(model, device="cuda")
    contexts, targets = (tensor.cuda() for tensor in minibatches(config))
    found = []
    for captured in (False, True):
        net = build_model(config, V, Generator().manual_seed(1)).cuda()
        optimizer = make_optimizer(config, dict(net.named_parameters()))
        shape = BlockShape(4, ROWS, config.context)
        engine = GraphEngine(net, optimizer, config, shape, cuda_capture) if captured else None
        engine = engine or AutogradEngine(net, optimizer, config)
        found.append([engine.run(contexts, targets, rates(config, 0, STEPS), 0), *moving_state(net, optimizer)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_no_exponential_overflows() -> None:
    """tanh is written by its exponential, and the softmax by the greatest logit."""
    config = config_of("mlp", init="lecture")
    block = minibatches(config, 1)
    losses = []
    for kind in ("compiled", "eager"):
        engine, state = engine_of(config, kind)
        with torch.no_grad():
            for tensor in state:
                tensor.mul_(100)
        losses.append(float(engine.run(*block, [0.0], 0)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert math.isfinite(losses[0])
    assert losses[0] > 100


def test_a_block_is_as_large_as_it_is_worth() -> None:
    assert BlockShape.of(32, 3) == BlockShape(64, 32, 3)
    large = BlockShape.of(16_384, 16)
    assert 1 <= large.steps < 4
    assert BlockShape.of(10**7, 8).steps == 1


# --- a training


@pytest.fixture
def splits(corpus: Corpus) -> Splits:
    return split_words(corpus)


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training this short would not change over; and steps in Python are not faster."""
    monkeypatch.setattr(trainer_module, "_MEASURED_SECONDS", 0.0)
    monkeypatch.setattr(changeover, "_WORTH_SECONDS", 0.0)
    monkeypatch.setattr(changeover, "_GAIN", 0.0)
    monkeypatch.setattr(trainer_module, "_MAX_BLOCK", 3)


def trainer_of(splits: Splits, engine: str = "auto", model: str = "mlp", **values: Any) -> Trainer:
    return build_trainer(config_of(model, engine=engine, **values), splits)


def supplied(trainer: Trainer, after: int = 0) -> FakeSupply:
    assert trainer.engines is not None
    supply = FakeSupply(PythonProgram(trainer.config, trainer.model.vocab_size), after)
    trainer.engines.supply = supply
    return supply


def record_of(trainer: Trainer) -> str:
    assert trainer.engines is not None
    return str(trainer.engines.record)


def weights(trainer: Trainer) -> list[Tensor]:
    return [p.detach().clone() for p in trainer.model.state_dict().values()]


def losses_of(events: list[Event]) -> list[float]:
    return [float(x) for event in events if isinstance(event, StepBlock) for x in event.losses]


@pytest.mark.parametrize("model", ["mlp", "deep-mlp", "gru"])
def test_auto_begins_in_the_eager_engine_and_changes_over(splits: Splits, model: str) -> None:
    trainer, eager = trainer_of(splits, model=model), trainer_of(splits, "eager", model)
    supply = supplied(trainer, after=3)
    events, expected = list(trainer.events()), list(eager.events())
    (change,) = (event for event in events if isinstance(event, EngineChanged))
    assert 0 < change.step < 40
    assert record_of(trainer) == f"eager:{change.step},compiled" == str(change.record)
    assert supply.program.turns >= 40 - change.step  # type: ignore[union-attr]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"
    assert losses_of(events) == pytest.approx(losses_of(expected), rel=1e-4), "the result is the same but for rounding"
    assert losses_of(events)[: change.step] == losses_of(expected)[: change.step]


def test_the_record_repeats_a_training_to_the_bit(splits: Splits) -> None:
    first = trainer_of(splits)
    supplied(first, after=4)
    expected = losses_of(list(first.events()))
    again = trainer_of(splits, record_of(first))
    supplied(again)
    assert losses_of(list(again.events())) == expected
    assert all(map(torch.equal, weights(first), weights(again)))
    assert record_of(again) == record_of(first)


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_each_engine_is_reproducible_to_the_bit(splits: Splits, engine: str) -> None:
    found = []
    for blocks in (1, 4):
        trainer = trainer_of(splits, engine)
        trainer._block = blocks
        supplied(trainer)
        found.append(losses_of(list(trainer.events())))
        assert record_of(trainer) == engine
    assert found[0] == found[1]


@pytest.mark.parametrize("stop_at", [3, 12, 25])
def test_what_was_stopped_follows_the_record_to_the_same_bits(splits: Splits, stop_at: int) -> None:
    """From a state before the change, at which the store already knew of it, and from one behind it."""
    whole = trainer_of(splits)
    supplied(whole, after=4)
    list(whole.events())
    record = record_of(whole)
    cut = trainer_of(splits, record)
    supplied(cut)
    cut.pause_at = stop_at
    for _ in cut.events():
        if cut.step >= stop_at:
            break
    state = copy.deepcopy(cut.state())
    resumed = trainer_of(splits)
    supplied(resumed)
    resumed.load_state(state)
    assert resumed.engines is not None
    resumed.engines.record = EngineRecord.parse(record)  # as the session takes it from the store
    list(resumed.events())
    assert record_of(resumed) == record
    assert all(map(torch.equal, weights(whole), weights(resumed)))


def test_a_state_carries_its_record(splits: Splits) -> None:
    trainer = trainer_of(splits)
    supplied(trainer, after=2)
    list(trainer.events())
    other = trainer_of(splits)
    other.load_state(trainer.state())
    assert record_of(other) == record_of(trainer) != "eager"
    old = trainer.state()
    del old.values["engines"]
    other.load_state(old)
    assert record_of(other) == "eager", "version 0.1 had no other"


def test_a_training_does_without_what_is_not_to_be_had(splits: Splits) -> None:
    trainer, eager = trainer_of(splits), trainer_of(splits, "eager")
    assert trainer.engines is not None
    trainer.engines.supply = supply = FakeSupply("no compiler is here", after=2)
    events = list(trainer.events())
    (kept,) = (event for event in events if isinstance(event, EngineKept))
    assert kept.message == "the eager engine takes all steps: no compiler is here"
    assert len(supply.asked) == 3, "it is not asked again"
    assert record_of(trainer) == "eager"
    assert losses_of(events) == losses_of(list(eager.events()))


def test_compiled_waits_for_its_program(splits: Splits) -> None:
    trainer = trainer_of(splits, "compiled")
    supply = supplied(trainer, after=5)
    events = list(trainer.events())
    assert sum(isinstance(event, Compiling) for event in events) == 5
    assert supply.asked[:6] == [math.inf] * 6
    assert record_of(trainer) == "compiled"
    assert len(losses_of(events)) == 40


def test_compiled_alone_is_refused_without_a_program(splits: Splits) -> None:
    trainer = trainer_of(splits, "compiled")
    with pytest.raises(EngineError, match="nothing here compiles it"):
        list(trainer.events())
    assert trainer.engines is not None
    trainer.engines.supply = FakeSupply("no compiler is here")
    with pytest.raises(EngineError, match="no compiler is here"):
        list(trainer.events())
    assert trainer.step == 0


def test_auto_goes_on_in_the_eager_engine_where_its_record_cannot_be_followed(splits: Splits) -> None:
    """A run that was trained with a compiler, and is resumed where there is none."""
    trainer = trainer_of(splits)
    assert trainer.engines is not None
    trainer.engines.record = EngineRecord.parse("eager:10,compiled")
    trainer.engines.supply = FakeSupply("no compiler is here")
    (change,) = (event for event in trainer.events() if isinstance(event, EngineChanged))
    assert change.step == 10
    assert "equal up to rounding: no compiler is here" in change.message
    assert record_of(trainer) == "eager"


class _Wrong(PythonProgram):
    def run(self, inputs: list[Tensor]) -> list[Tensor]:
        losses, *state = super().run(inputs)
        return [losses, state[0] + 0.01, *state[1:]]


class _Broken(PythonProgram):
    def run(self, inputs: list[Tensor]) -> list[Tensor]:
        raise RuntimeError("expected inputs vector size to be 8\nand more")


@pytest.mark.parametrize(
    ("kind", "message"),
    [(_Wrong, "a compiled step is not the eager one: loss"), (_Broken, "cannot be run (expected inputs vector size")],
)
def test_a_program_is_tried_on_copies_before_it_is_trusted(splits: Splits, kind: Any, message: str) -> None:
    trainer, eager = trainer_of(splits), trainer_of(splits, "eager")
    assert trainer.engines is not None
    trainer.engines.supply = FakeSupply(kind(trainer.config, trainer.model.vocab_size))
    events = list(trainer.events())
    (kept,) = (event for event in events if isinstance(event, EngineKept))
    assert message in kept.message
    assert losses_of(events) == losses_of(list(eager.events()))


def test_what_is_not_faster_is_not_taken(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changeover, "_GAIN", 1e9)
    trainer = trainer_of(splits)
    supplied(trainer)
    (kept,) = (event for event in trainer.events() if isinstance(event, EngineKept))
    assert "compiled steps are no faster here" in kept.message
    assert record_of(trainer) == "eager"


def test_a_short_training_asks_for_nothing(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changeover, "_WORTH_SECONDS", 1e6)
    trainer = trainer_of(splits)
    supply = supplied(trainer)
    list(trainer.events())
    assert supply.asked == []


def test_a_record_does_not_grow_for_ever(splits: Splits) -> None:
    """Of a run that is resumed again and again, here with and there without a compiler."""
    trainer = trainer_of(splits)
    supplied(trainer)
    assert trainer.engines is not None
    changes = tuple((k, ("eager", "compiled")[k % 2]) for k in range(changeover._MOST_CHANGES + 1))
    trainer.engines.record = EngineRecord(changes)  # type: ignore[arg-type]
    list(trainer.engines.prepare(1000, 1e6))
    assert trainer.engines.record.changes == changes
    assert trainer.engines.record.at(1000) == "eager"
