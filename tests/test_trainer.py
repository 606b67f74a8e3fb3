"""The trainer: the lecture's numbers, events, exact state, and results that do not depend on speed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch

from data.corpus import Corpus, parse_words
from tui_mm.config import ConfigError, RunConfig, make_config
from tui_mm.sizes import MAX_PARAMETERS, parameter_count
from tui_mm.training import trainer as trainer_module
from tui_mm.training.events import Evaluating, Evaluation, Event, Finished, StepBlock, Warned
from tui_mm.training.setup import build_trainer
from tui_mm.training.trainer import Trainer
from tui_mm.words import split_for

FIVE = "emma\nolivia\nava\nisabella\nsophia\nliam"  # six words: the last is only in the vocabulary


def small(**flags: Any) -> RunConfig:
    values = {"block_size": 3, "embedding": 4, "hidden": 16, "batch_size": 8, "steps": 60, "threads": 1, **flags}
    return make_config(flags=values)


def trainer_of(config: RunConfig, corpus: Corpus) -> Trainer:
    return build_trainer(config, split_for(config, corpus))


def losses_of(events: Iterable[Event]) -> np.ndarray[Any, Any]:
    return np.concatenate([e.losses for e in events if isinstance(e, StepBlock)])


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_five_words_reach_the_lectures_numbers(lecture: Corpus) -> None:
    trainer = trainer_of(make_config("five-words"), lecture)
    events = list(trainer.events())
    evaluations = [e for e in events if isinstance(e, Evaluation)]
    assert trainer.rows["train"].split.examples == 32
    assert evaluations[0].train == pytest.approx(17.76971, abs=1e-4)
    assert evaluations[-1].step == 1000
    assert evaluations[-1].train == pytest.approx(0.25613, abs=1e-4)
    assert evaluations[-1].dev is None


def test_five_words_without_the_lectures_list_approach_the_floor() -> None:
    """The floor is 5 * ln 5 / 32: the five words share the context '...'."""
    trainer = trainer_of(make_config("five-words"), parse_words(FIVE, "five"))
    last = [e for e in trainer.events() if isinstance(e, Evaluation)][-1]
    assert 5 * math.log(5) / 32 < last.train < 0.27


def test_the_lectures_first_batch(lecture: Corpus) -> None:
    trainer = trainer_of(make_config("lecture", flags={"steps": 1, "threads": 1}), lecture)
    assert {name: len(rows) for name, rows in trainer.rows.items()} == {"train": 182_625, "dev": 22_655, "test": 22_866}
    events = list(trainer.events())
    assert losses_of(events)[0] == pytest.approx(27.8817, abs=1e-4)
    first = next(e for e in events if isinstance(e, Evaluation))
    assert first.train == pytest.approx(26.0047, abs=1e-3)


def test_full_batch_is_plain_gradient_descent(corpus: Corpus) -> None:
    config = small(batch_size=0, optimizer="sgd", lr=0.1, weight_decay=0, schedule="constant", steps=5)
    trainer = trainer_of(config, corpus)
    reference = trainer_of(config, corpus)
    contexts, targets = reference.rows["train"].take(torch.arange(len(reference.rows["train"])))
    expected = []
    for _ in range(5):
        loss = reference.model.loss(contexts, targets)
        gradients = torch.autograd.grad(loss, list(reference.model.parameters()))
        with torch.no_grad():
            for p, g in zip(reference.model.parameters(), gradients, strict=True):
                p -= 0.1 * g
        expected.append(loss.item())
    np.testing.assert_allclose(losses_of(trainer.events()), expected, rtol=1e-5)


def test_minibatches_are_drawn_step_by_step_from_the_one_generator(corpus: Corpus) -> None:
    """The notebook draws randint once a step; a block's one draw must give the same numbers."""
    config = small(steps=40)
    generator = torch.Generator().manual_seed(config.seed)
    trainer = trainer_of(config, corpus)
    rows = trainer.rows["train"]
    generator.set_state(trainer.generator.get_state())
    expected = [torch.randint(0, len(rows), (8,), generator=generator) for _ in range(40)]
    seen = []
    inner = rows.__class__.take

    def spy(self: Any, index: torch.Tensor) -> Any:
        seen.extend(index.unbind())
        return inner(self, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows.__class__, "take", spy)
        for _ in trainer.events():
            pass
    assert len(seen) == 40
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


@pytest.mark.parametrize("flags", [{"optimizer": "adamw"}, {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}])
def test_blocks_do_not_change_the_result(
    flags: dict[str, Any], corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for seconds in (0.0, 10.0):  # one step a block; as many as an evaluation allows
        monkeypatch.setattr(trainer_module, "_BLOCK_SECONDS", seconds)
        trainer = trainer_of(small(**flags), corpus)
        blocks = [e for e in trainer.events() if isinstance(e, StepBlock)]
        found.append((len(blocks), losses_of(blocks), weights(trainer)))
    assert found[0][0] > found[1][0]
    assert np.array_equal(found[0][1], found[1][1])
    assert same(found[0][2], found[1][2])


def test_the_same_seed_gives_the_same_bits_and_another_does_not(corpus: Corpus) -> None:
    runs = []
    for seed in (1, 1, 2):
        trainer = trainer_of(small(seed=seed), corpus)
        list(trainer.events())
        runs.append(weights(trainer))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize("flags", [{"optimizer": "adamw"}, {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}])
@pytest.mark.parametrize("stop", [0, 1, 7, 30, 59])
def test_state_goes_on_to_the_bit_from_any_event(flags: dict[str, Any], stop: int, corpus: Corpus) -> None:
    config = small(eval_every=7, **flags)
    whole = trainer_of(config, corpus)
    events = list(whole.events())
    cut = trainer_of(config, corpus)
    for number, _ in enumerate(cut.events()):
        if number == stop or cut.step >= 50:
            break
    resumed = trainer_of(config, corpus)
    resumed.load_state(cut.state())
    rest = list(resumed.events())
    assert same(weights(whole), weights(resumed))
    assert np.array_equal(losses_of(events)[cut.step :], losses_of(rest))
    evaluations = [(e.step, e.train, e.dev, e.is_best) for e in events if isinstance(e, Evaluation)]
    again = [(e.step, e.train, e.dev, e.is_best) for e in rest if isinstance(e, Evaluation)]
    assert again == evaluations[len(evaluations) - len(again) :]
    assert (whole.best_dev, whole.best_step) == (resumed.best_dev, resumed.best_step)


def test_events_come_in_order_and_steps_are_whole(corpus: Corpus) -> None:
    trainer = trainer_of(small(eval_every=25), corpus)
    events = [e for e in trainer.events() if not isinstance(e, Evaluating)]
    assert isinstance(events[0], Evaluation)
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"
    assert [e.step for e in events if isinstance(e, Evaluation)] == [0, 25, 50, 60]
    expected = 1
    for e in events:
        if isinstance(e, StepBlock):
            assert e.first_step == expected
            expected = e.last_step + 1
    assert expected == 61


def test_best_dev_is_marked(corpus: Corpus) -> None:
    trainer = trainer_of(small(eval_every=5, lr=0.1, steps=200), corpus)
    evaluations = [e for e in trainer.events() if isinstance(e, Evaluation)]
    best = math.inf
    for e in evaluations:
        assert e.dev is not None
        assert e.is_best == (e.dev < best)
        best = min(best, e.dev)
    assert trainer.best_dev == best


def test_patience_stops_early(corpus: Corpus) -> None:
    trainer = trainer_of(small(eval_every=5, lr=0.3, steps=5000, patience=3, schedule="constant"), corpus)
    events = list(trainer.events())
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "early stopping"
    evaluations = [e for e in events if isinstance(e, Evaluation)]
    assert not any(e.is_best for e in evaluations[-3:])
    assert evaluations[-4].is_best
    assert trainer.step < 5000


def test_nan_is_warned_of_and_ends_the_training(corpus: Corpus) -> None:
    trainer = trainer_of(small(optimizer="sgd", lr=1e30, schedule="constant"), corpus)
    events = list(trainer.events())
    warned = next(e for e in events if isinstance(e, Warned) and e.kind == "not finite")
    losses = losses_of(events)
    assert not np.isfinite(losses[warned.step - 1])
    assert np.isfinite(losses[: warned.step - 1]).all()
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "diverged"
    assert trainer.step < 60


def test_a_loss_that_ends_above_its_start_has_diverged(corpus: Corpus) -> None:
    trainer = trainer_of(small(optimizer="sgd", lr=1000, schedule="constant", weight_decay=0), corpus)
    events = list(trainer.events())
    assert [e.kind for e in events if isinstance(e, Warned)] == ["diverging"]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "diverged"
    assert "above where it started" in events[-1].message
    assert trainer.step == 60


def test_bigram_counts_in_one_step(corpus: Corpus) -> None:
    trainer = trainer_of(make_config("bigram"), corpus)
    events = list(trainer.events())
    first, last = (e for e in events if isinstance(e, Evaluation))
    assert trainer.step == 1
    assert first.train == pytest.approx(math.log(len(split_for(trainer.config, corpus).vocabulary)))
    assert last.train < first.train
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"


def test_raw_bigram_counts_may_give_dev_no_probability_and_that_is_no_divergence() -> None:
    words = parse_words("ab cd ef gh ij kl mn op qr st uv wx".replace(" ", "\n"), "no letter twice")
    trainer = trainer_of(make_config("bigram", flags={"smoothing": 0}), words)
    events = list(trainer.events())
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"
    assert [e for e in events if isinstance(e, Evaluation)][-1].dev == math.inf


def test_set_lr_changes_the_base_rate_from_the_next_step_on(corpus: Corpus) -> None:
    trainer = trainer_of(small(schedule="constant", lr=0.01, eval_every=10), corpus)
    rates = []
    for event in trainer.events():
        if isinstance(event, StepBlock):
            rates.append((event.last_step, event.lr))
        if trainer.step == 20:
            trainer.set_lr(0.002)
    assert {lr for step, lr in rates if step <= 20} == {0.01}
    assert {lr for step, lr in rates if step > 20} == {0.002}
    with pytest.raises(ValueError, match="above 0"):
        trainer.set_lr(0)


def test_a_long_evaluation_lets_the_listener_in(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "_BLOCK_SECONDS", 0.0)
    trainer = trainer_of(small(steps=1), corpus)
    events = list(trainer.events())
    heard = [e for e in events if isinstance(e, Evaluating)]
    assert {e.split for e in heard} == {"train", "dev"}
    assert all(0 < e.done <= e.total for e in heard)


def test_parameter_count_is_known_before_the_model_is_built(corpus: Corpus) -> None:
    for config in (small(), make_config("lecture"), make_config("bigram")):
        splits = split_for(config, corpus)
        trainer = build_trainer(config, splits)
        assert parameter_count(config, len(splits.vocabulary)) == trainer.model.parameter_count()


def test_too_large_a_model_is_refused_before_it_is_allocated(corpus: Corpus) -> None:
    config = small(block_size=256, embedding=4096, hidden=65536)
    with pytest.raises(ConfigError, match=f"{MAX_PARAMETERS:,}"):
        trainer_of(config, corpus)
