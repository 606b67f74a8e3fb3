"""A run and its engines: what the store says of them, and a run that is cut off before and behind the change."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from data.corpus import Corpus
from tests.test_session import Session, config, new_run
from tests.uncompiled import FakeSupply, PythonProgram
from tui_mm.runs.home import RunError
from tui_mm.runs.run import Run
from tui_mm.training import trainer as trainer_module
from tui_mm.training.engines import changeover
from tui_mm.training.events import EngineChanged, Event, StepBlock
from tui_mm.training.trainer import Trainer
from tui_mm.worker import session as session_module
from tui_mm.worker.loading import resume_trainer


class _Closed(FakeSupply):
    def close(self) -> None:
        pass


@pytest.fixture
def supply(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How a training is supplied: ``after`` so many looks, or with an ``error``."""
    how: dict[str, Any] = {"after": 5, "error": ""}

    def supply_for(trainer: Trainer) -> FakeSupply | None:
        if trainer.config.engine == "eager":
            return None
        return _Closed(how["error"] or PythonProgram(trainer.config, trainer.model.vocab_size), how["after"])

    monkeypatch.setattr(session_module, "supply_for", supply_for)
    monkeypatch.setattr(trainer_module, "_MEASURED_SECONDS", 0.0)
    monkeypatch.setattr(trainer_module, "_MAX_BLOCK", 8)
    monkeypatch.setattr(changeover, "_WORTH_SECONDS", 0.0)
    monkeypatch.setattr(changeover, "_GAIN", 0.0)
    return how


def engines(run: Run) -> tuple[Any, list[str]]:
    with run.store() as store:
        return store.get("engines"), [event.message for event in store.events() if event.kind == "engine"]


def weights(trainer: Trainer) -> list[torch.Tensor]:
    return [value.clone() for value in trainer.model.state_dict().values()]


def test_the_store_knows_who_took_which_steps(supply: dict[str, Any], corpus: Corpus) -> None:
    run, session = new_run(corpus, config(steps=120))
    assert session.train() is not None
    record, said = engines(run)
    step = int(record.removeprefix("eager:").removesuffix(",compiled"))
    assert 0 < step < 120
    assert said == [f"compiled engine from step {step + 1:,} on"]


def test_the_change_is_kept_before_a_step_behind_it(supply: dict[str, Any], corpus: Corpus) -> None:
    run, session = new_run(corpus, config(steps=120))
    changed: list[int] = []

    def observe(event: Event) -> None:
        if isinstance(event, EngineChanged):
            assert engines(run)[0] == str(event.record)
            with run.store() as store:
                assert store.steps == event.step, "the steps before it are kept too"
            changed.append(event.step)

    session.train(observe=observe)
    assert len(changed) == 1


@pytest.mark.parametrize("kept_at", ["before", "behind"])
def test_a_run_that_was_cut_off_comes_to_the_same_bits(supply: dict[str, Any], corpus: Corpus, kept_at: str) -> None:
    """Its last checkpoint is of a step before the change, or of one behind it; who goes on has its program at once."""
    run, session = new_run(corpus, config(steps=120, eval_every=120))
    done = 0

    def cut(event: Event) -> None:
        nonlocal done
        done += isinstance(event, StepBlock)
        changed = session.trainer.engines is not None and "compiled" in str(session.trainer.engines.record)
        if changed and session.trainer.step >= 100:
            raise KeyboardInterrupt  # as a kill: nothing is put away

    if kept_at == "behind":
        session.train(should_stop=lambda: "compiled" in (engines(run)[0] or ""))
    with pytest.raises(KeyboardInterrupt):
        session.train(observe=cut)
    record, _ = engines(run)
    assert record.startswith("eager:")
    supply["after"] = 0
    trainer, splits = resume_trainer(run)
    Session(run, trainer, splits).train()
    assert engines(run)[0] == record, "it was followed, and not found anew"
    again, other = new_run(corpus, config(steps=120, eval_every=120, engine=record))
    other.train()
    assert engines(again)[0] == record
    assert all(map(torch.equal, weights(trainer), weights(other.trainer)))


def test_a_run_without_a_compiler(supply: dict[str, Any], corpus: Corpus) -> None:
    supply["error"] = "no compiler is here"
    run, session = new_run(corpus, config(steps=60))
    assert session.train() is not None
    assert engines(run) == ("eager", ["the eager engine takes all steps: no compiler is here"])
    run, session = new_run(corpus, config(steps=60, engine="compiled"))
    with pytest.raises(RunError, match="engine: compiled is not to be had at step 0: no compiler is here; train with"):
        session.train()
    assert run.status() == "failed"


def test_compiled_waits_and_can_be_stopped_meanwhile(supply: dict[str, Any], corpus: Corpus) -> None:
    supply["after"] = 10**9
    run, session = new_run(corpus, config(steps=60, engine="compiled"))
    looks = 0

    def stop() -> bool:
        nonlocal looks
        looks += 1
        return looks > 4

    assert session.train(should_stop=stop) is None
    assert run.status() == "stopped"
    assert engines(run) == ("compiled", ["the step is being compiled; the training waits for it"])
    supply["after"] = 0
    trainer, splits = resume_trainer(run)
    assert Session(run, trainer, splits).train() is not None
    assert trainer.step == 60
