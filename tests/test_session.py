"""A training with its run folder: stopping, going on, failing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator

from data.corpus import Corpus
from data.splits import Splits
from models.sampling import sample
from tui_mm.config import ConfigError, RunConfig, make_config
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.summary import summarize
from tui_mm.training.devices import DeviceError
from tui_mm.training.events import Evaluation, Event, Finished, StepBlock
from tui_mm.training.setup import build_trainer
from tui_mm.training.trainer import Trainer
from tui_mm.words import split_for
from tui_mm.worker import session as session_module
from tui_mm.worker.loading import load_model, resume_trainer
from tui_mm.worker.session import is_snapshot_due, training_session


def config(**flags: Any) -> RunConfig:
    values = {
        "block_size": 3, "embedding": 4, "hidden": 16, "batch_size": 8, "steps": 300, "threads": 1, "eval_every": 20,
        "device": "cpu", **flags,
    }  # fmt: skip
    return make_config(flags=values)


@dataclass
class Session:
    """A training session that is opened for each training, as a process of its own would."""

    run: Run
    trainer: Trainer
    splits: Splits

    def train(self, **options: Any) -> Finished | None:
        with training_session(self.run, self.trainer, self.splits) as session:
            return session.train(**options)


def new_run(corpus: Corpus, settings: RunConfig) -> tuple[Run, Session]:
    splits = split_for(settings, corpus)
    trainer = build_trainer(settings, splits)
    facts = {
        "data": {"name": corpus.name, "words": len(corpus)},
        "model": {"kind": settings.model, "parameters": trainer.model.parameter_count()},
    }
    run = create_run(Home.find(), settings, corpus, None, facts)
    return run, Session(run, trainer, splits)


def resumed(run: Run) -> Session:
    trainer, splits = resume_trainer(run)
    return Session(run, trainer, splits)


def last_arrays(run: Run) -> dict[str, Any]:
    return load_checkpoint(run.checkpoint("last")).arrays


def stored(run: Run) -> tuple[Any, Any]:
    with run.store() as store:
        return store.losses(), [(e.step, e.train, e.dev, e.is_best) for e in store.evaluations()]


def assert_same(a: Run, b: Run) -> None:
    first, second = last_arrays(a), last_arrays(b)
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert np.array_equal(array, second[name]), name
    assert np.array_equal(stored(a)[0], stored(b)[0])
    assert stored(a)[1] == stored(b)[1]
    with a.store() as x, b.store() as y:
        assert x.samples() == y.samples()
        for kind in ("names", "embedding", "layers"):
            assert x.snapshots(kind) == y.snapshots(kind), kind


def test_a_run_keeps_every_step_and_ends_done(corpus: Corpus) -> None:
    run, session = new_run(corpus, config())
    heard: list[Event] = []
    finished = session.train(observe=heard.append)
    assert finished is not None
    assert finished.reason == "done"
    assert run.status() == "done"
    told = np.concatenate([e.losses for e in heard if isinstance(e, StepBlock)])
    losses, evaluations = stored(run)
    assert np.array_equal(losses, told)
    assert len(losses) == 300
    assert [e[0] for e in evaluations] == list(range(0, 301, 20))
    with run.store() as store:
        assert len(store.samples()) == 20
        for kind in ("names", "embedding", "layers"):
            assert [step for step, _ in store.snapshots(kind)] == list(range(0, 301, 20)), kind
        assert [e.kind for e in store.events()] == ["started", "done"]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_stopping_and_going_on_ends_with_the_same_bits(
    optimizer: str, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(optimizer=optimizer, momentum=0.5)
    whole, session = new_run(corpus, settings)
    session.train()
    cut, session = new_run(corpus, settings)
    for stop_at in (1, 90, 91, 200):
        trainer = session.trainer
        finished = session.train(should_stop=lambda t=trainer, s=stop_at: t.step >= s)  # type: ignore[misc]
        assert finished is None
        assert cut.status() == "stopped"
        assert len(stored(cut)[0]) == load_checkpoint(cut.checkpoint("last")).values["trainer"]["step"]
        session = resumed(cut)
    assert session.train() is not None
    assert_same(whole, cut)


@pytest.mark.parametrize("step", [0, 1, 19, 20, 21, 150, 299])
def test_dying_at_any_event_and_going_on_ends_with_the_same_bits(step: int, corpus: Corpus) -> None:
    """The process is gone: no last flush, no last checkpoint, the status still says running."""

    class Death(BaseException):
        pass

    whole, session = new_run(corpus, config())
    session.train()
    cut, session = new_run(corpus, config())

    def die(_: Event) -> None:
        if session.trainer.step >= step:
            raise Death

    with pytest.raises(Death):
        session.train(observe=die)
    assert cut.status() == "crashed"
    assert resumed(cut).train() is not None
    assert_same(whole, cut)


def test_what_was_evaluated_beyond_the_checkpoint_is_done_again_once(corpus: Corpus) -> None:
    """Without a dev split nothing is ever best, so checkpoints are only those of stopping."""

    class Death(BaseException):
        pass

    settings = config(dev_fraction=0.0)
    whole, session = new_run(corpus, settings)
    session.train()
    cut, session = new_run(corpus, settings)
    # stopped with step 40 done and its evaluation not, then killed after it, and once more from the start of a resume
    for stop_at, die_at in ((40, None), (None, 60), (None, 40)):

        def watch(event: Event, trainer: Trainer = session.trainer, die_at: int | None = die_at) -> None:
            if isinstance(event, Evaluation) and event.step == die_at:
                raise Death

        def stop(trainer: Trainer = session.trainer, stop_at: int | None = stop_at) -> bool:
            return trainer.step == stop_at

        try:
            session.train(should_stop=stop, observe=watch)
            assert load_checkpoint(cut.checkpoint("last")).values["trainer"]["evaluated_at"] == 20
        except Death:
            with cut.store() as store:
                assert store.last_snapshot() == die_at
        session = resumed(cut)
    assert session.train() is not None
    assert_same(whole, cut)


def test_a_failure_between_best_and_last_is_made_good(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, session = new_run(corpus, config())
    session.train()
    cut, session = new_run(corpus, config())
    inner = session_module.save_checkpoint
    saves = []

    def fail_on_fourth(path: Path, checkpoint: Any) -> None:
        saves.append(path.name)
        if len(saves) == 4:
            raise OSError(5, "Input/output error")
        inner(path, checkpoint)

    monkeypatch.setattr(session_module, "save_checkpoint", fail_on_fourth)
    with pytest.raises(OSError, match="output error"):
        session.train()
    assert saves[2:] == ["best.safetensors", "last.safetensors"]
    assert cut.status() == "failed"
    monkeypatch.setattr(session_module, "save_checkpoint", inner)
    assert resumed(cut).train() is not None
    assert_same(whole, cut)


def test_best_has_the_least_dev_loss_and_last_the_last_step(corpus: Corpus) -> None:
    run, session = new_run(corpus, config(lr=0.1, steps=600))
    session.train()
    evaluations = [(dev, step) for step, _, dev, _ in stored(run)[1]]
    assert load_model(run, "best").step == min(evaluations)[1]
    assert load_model(run, "last").step == 600
    assert min(evaluations)[1] < 600, "the run should overfit, or this test says nothing"


def test_a_diverged_run_keeps_its_last_good_checkpoint(corpus: Corpus) -> None:
    run, session = new_run(corpus, config(optimizer="sgd", lr=1e30, schedule="constant"))
    finished = session.train()
    assert finished is not None
    assert finished.reason == "diverged"
    assert run.status() == "diverged"
    for array in last_arrays(run).values():
        assert np.isfinite(array).all()
    losses = stored(run)[0]
    assert not np.isfinite(losses).all()
    with run.store() as store:
        assert [step for step, _ in store.snapshots("layers")] == [0]
    summary = summarize(run)
    assert summary["status"] == "diverged"


def test_out_of_memory_says_what_to_change(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    run, session = new_run(corpus, config())

    def exhausted(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    monkeypatch.setattr(session.trainer, "_train", exhausted)
    with pytest.raises(RunError, match="--batch-size"):
        session.train()
    assert run.status() == "failed"


def test_a_checkpoint_of_another_shape_is_refused(corpus: Corpus) -> None:
    run, session = new_run(corpus, config())
    session.train(should_stop=lambda: session.trainer.step > 50)
    other, session = new_run(corpus, config(hidden=17))
    session.train(should_stop=lambda: session.trainer.step >= 20)
    run.checkpoint("last").write_bytes(other.checkpoint("last").read_bytes())
    with pytest.raises(RunError, match="does not fit"):
        resumed(run).train()


def test_bigram_runs_are_kept_like_others(corpus: Corpus) -> None:
    run, session = new_run(corpus, make_config("bigram"))
    assert session.train() is not None
    summary = summarize(run)
    assert summary["steps"] == 1
    assert summary["losses"]["train"] < summary["losses"]["initial"]
    assert len(summary["samples"]) == 20
    assert load_model(run).model.parameter_count() == summary["model"]["parameters"]


def test_a_stop_before_the_first_step_keeps_a_checkpoint(corpus: Corpus) -> None:
    run, session = new_run(corpus, config())
    assert session.train(should_stop=lambda: True) is None
    assert load_model(run).step == 0


# --- snapshots


def test_the_same_names_are_seen_coming_to_be(corpus: Corpus) -> None:
    run, session = new_run(corpus, config(steps=60, seed=5))
    session.train()
    model, splits = load_model(run).model, run.splits()
    with run.store() as store:
        names = store.snapshots("names")
    assert [len(texts) for _, texts in names] == [10] * 4
    drawn = [sample(model, 1, generator=Generator().manual_seed(5 + 10 + i))[0] for i in range(10)]
    assert names[-1] == (60, [splits.vocabulary.decode(name.tokens)[:30] for name in drawn])
    assert names[0][1] != names[-1][1]


@pytest.mark.parametrize(("total", "every"), [(1, 1), (20, 1), (2500, 125), (10**6, 1), (10**9, 50_000_000)])
def test_snapshots_are_the_first_the_last_and_a_bounded_number_between(total: int, every: int) -> None:
    kept: list[int] = []
    for step in [*range(0, total, every), total]:
        if is_snapshot_due(step, kept[-1] if kept else None, total):
            kept.append(step)
    assert kept[0] == 0
    assert kept[-1] == total
    assert len(kept) < 400
    if every * 20 >= total:
        assert len(kept) == total // every + 1, "evaluations that are few are all kept"


# --- other hyperparameters before the training


@pytest.mark.parametrize("threads", [0, 1])
def test_a_run_that_was_configured_anew_is_as_if_made_so(threads: int, corpus: Corpus) -> None:
    values = {"hidden": 24, "block_size": 4, "lr": 0.02, "seed": 9, "optimizer": "sgd", "threads": threads}
    whole, session = new_run(corpus, config(**values))
    session.train()
    run, _ = new_run(corpus, config(hidden=9))
    first = resumed(run)
    with training_session(first.run, first.trainer, first.splits) as opened:
        opened.trainer.set_lr(0.5)
        opened.checkpoint("last")  # of another model, as a changed rate before the training leaves it
        opened.configure(values)
        assert not run.checkpoint("last").exists()
        assert opened.trainer.config == config(**values)
        with run.store() as store:
            assert store.get("model")["parameters"] == opened.trainer.model.parameter_count()
            assert "hidden 24" in store.events()[-1].message
        assert opened.train(should_stop=lambda: opened.trainer.step >= 50) is None
    assert run.config() == config(**values)
    assert resumed(run).train() is not None
    assert_same(whole, run)


def test_the_kind_of_model_can_change_before_the_training(corpus: Corpus) -> None:
    run, session = new_run(corpus, config())
    with training_session(run, session.trainer, session.splits) as opened:
        opened.configure({"model": "bigram"})
        assert opened.train() is not None
    assert load_model(run).config.model == "bigram"
    assert summarize(run)["model"]["kind"] == "bigram"


@pytest.mark.parametrize(
    ("values", "error", "word"),
    [
        ({"hidden": 0}, ConfigError, "hidden"),
        ({"hiden": 5}, ConfigError, "hidden"),
        ({"max_words": 5}, ConfigError, "max_words"),
        ({"data": "other.txt"}, ConfigError, "data"),
        ({"split_seed": 1}, ConfigError, "split_seed"),
        ({"device": "cuda:99"}, DeviceError, "cuda:99"),
        ({"block_size": 256, "embedding": 4096, "hidden": 65536}, ConfigError, "parameters"),
    ],
    ids=str,
)
def test_what_cannot_be_configured_changes_nothing(
    values: dict[str, Any], error: type[Exception], word: str, corpus: Corpus
) -> None:
    run, session = new_run(corpus, config())
    with training_session(run, session.trainer, session.splits) as opened:
        opened.checkpoint("last")
        with pytest.raises(error, match=word):
            opened.configure(values)
        assert opened.trainer is session.trainer
    assert run.config() == config()
    assert load_model(run).step == 0


@pytest.mark.parametrize("step", [0, 1])
def test_a_run_that_was_begun_cannot_be_configured(step: int, corpus: Corpus) -> None:
    run, session = new_run(corpus, config())
    session.train(should_stop=lambda: session.trainer.step >= step)
    with (
        training_session(run, session.trainer, session.splits) as opened,
        pytest.raises(RunError, match="trained already"),
    ):
        opened.configure({"lr": 0.1})


def test_a_run_made_with_threads_has_them_from_its_first_worker_on(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    run, _ = new_run(corpus, config(threads=3))
    resumed(run)
    assert asked == [3, 3]
