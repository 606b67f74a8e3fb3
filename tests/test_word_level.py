"""Words of sentences through the whole program: runs, models, the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from data.corpus import Corpus
from data.splits import Splits
from data.text import TextCorpus, parse_text
from data.tokens import UNKNOWN
from data.word_vocabulary import WordVocabulary
from models.base import LanguageModel
from models.mlp import MLP, MLPConfig
from models.sampling import SamplingConfig, sample
from tests.conftest import Outcome
from tui_mm.config import NOT_USED, RunConfig, make_config
from tui_mm.dashboard.opening import same_words
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run, find_run
from tui_mm.text import perplexity
from tui_mm.training import rows as rows_module
from tui_mm.training import trainer as trainer_module
from tui_mm.training.events import Evaluation, Finished, Warned
from tui_mm.training.rows import Rows, mean_loss
from tui_mm.training.setup import build_model, build_trainer, prepare
from tui_mm.training.trainer import Trainer
from tui_mm.words import data_facts, load_words, model_facts, split_for
from tui_mm.worker.loading import load_model, resume_trainer
from tui_mm.worker.session import training_session

Cli = Callable[..., Outcome]
TALE = Path(__file__).parent / "tale.txt"
SMALL: dict[str, Any] = {
    "level": "word", "min_count": 2, "block_size": 3, "embedding": 6, "hidden": 12, "steps": 40, "batch_size": 16,
    "threads": 1, "device": "cpu", "eval_every": 20, "lr": 0.02, "weight_decay": 0.01,
}  # fmt: skip
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
CPU = torch.device("cpu")


def config(**flags: Any) -> RunConfig:
    return make_config(flags={"data": str(TALE), **SMALL, **flags})


def tale() -> Corpus:
    return load_words(config(), Path())


def made(settings: RunConfig) -> tuple[Run, Trainer, Splits]:
    splits = split_for(settings, tale())
    facts = {
        "data": data_facts(settings, splits, len(splits.corpus)),
        "model": model_facts(settings, splits.vocabulary),
    }
    return create_run(Home.find(), settings, tale(), None, facts), build_trainer(settings, splits), splits


def trainer_of(**flags: Any) -> Trainer:
    settings = config(**flags)
    return build_trainer(settings, split_for(settings, tale()))


# --- configurations and runs


def test_the_level_is_of_the_words() -> None:
    assert (make_config().level, make_config().min_count) == ("character", 4)
    assert NOT_USED["level", "character"] == ("min_count",)
    assert not same_words(config(), config(level="character"))
    assert not same_words(config(), config(min_count=3))
    assert same_words(config(), config(hidden=7))


def test_a_run_reads_its_own_copy_of_a_text_as_it_was() -> None:
    run, _, splits = made(config())
    kept = run.corpus()
    assert isinstance(kept, TextCorpus)
    assert kept.sha256 == tale().sha256
    assert (kept.codes.tolist(), kept.offsets.tolist()) == (tale().codes.tolist(), tale().offsets.tolist())
    again = run.splits()
    assert again.vocabulary == splits.vocabulary
    assert [s.tokens.tolist() for _, s in again] == [s.tokens.tolist() for _, s in splits]


def test_a_run_of_before_there_were_levels_is_of_characters(corpus: Corpus) -> None:
    settings = make_config(flags={"steps": 3, "hidden": 8, "threads": 1, "device": "cpu"})
    splits = split_for(settings, corpus)
    run = create_run(Home.find(), settings, corpus, None, {"data": {"name": "words"}, "model": {"kind": "mlp"}})
    with training_session(run, build_trainer(settings, splits), splits) as session:
        session.train()
    with run.store() as store:
        values = store.get("config")
        store.set(config={name: value for name, value in values.items() if name not in ("level", "min_count")})
    assert run.config() == settings
    assert run.corpus().text() == corpus.text()
    assert isinstance(load_checkpoint(run.checkpoint("last")).values["vocabulary"], str)
    assert load_model(run).vocabulary == splits.vocabulary


def test_a_stopped_run_goes_on_to_the_same_weights() -> None:
    whole, trainer, splits = made(config(mixture="by-frequency"))
    with training_session(whole, trainer, splits) as session:
        session.train()
    run, trainer, splits = made(config(mixture="by-frequency"))
    with training_session(run, trainer, splits) as session:
        assert session.train(should_stop=lambda: trainer.step >= 20) is None
    trainer, splits = resume_trainer(run)
    with training_session(run, trainer, splits) as session:
        finished = session.train()
    assert finished is not None
    assert finished.reason == "done"
    one, other = (load_checkpoint(r.checkpoint("last")).arrays for r in (whole, run))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    trained = load_model(run)
    assert isinstance(trained.vocabulary, WordVocabulary)
    assert trained.vocabulary == splits.vocabulary


# --- models with many ids


@pytest.mark.parametrize(
    "flags",
    [{"model": "bigram"}, {"model": "ngram", "block_size": 2}, {"model": "interpolated", "block_size": 2},
     {"model": "backoff"}, {"mixture": "fixed"}, {"mixture": "learned"}, {"mixture": "by-frequency"}, {}],
)  # fmt: skip
@torch.no_grad()
def test_what_is_looked_up_is_what_stands_in_the_whole_table(flags: dict[str, Any]) -> None:
    settings = config(**flags)
    splits = split_for(settings, tale())
    model = build_model(settings, len(splits.vocabulary), Generator().manual_seed(3))
    rows = {name: Rows(split, model, CPU) for name, split in splits}
    prepare(model, rows)
    if settings.counts:
        for contexts, targets, counts in rows["train"].distinct():
            model.observe(contexts, targets, counts)  # type: ignore[operator]
    model.adapt(rows["dev"].distinct())
    model.eval()
    contexts, targets = rows["test"].take(torch.arange(len(rows["test"])))
    every = torch.arange(model.vocab_size)
    found = model.target_log_probabilities(contexts, torch.arange(len(contexts)).repeat_interleave(len(every)),
                                           every.repeat(len(contexts)))  # fmt: skip
    table = model(contexts).log_softmax(1)
    assert torch.allclose(found.view_as(table).double(), table.double(), atol=1e-5)
    assert mean_loss(model, rows["test"]) == pytest.approx(float(-table.gather(1, targets[:, None]).mean()), rel=1e-5)


def test_a_large_vocabulary_is_evaluated_in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags in ({}, {"mixture": "learned"}, {"model": "gru", "block_size": 8}):
        trainer = trainer_of(**flags)
        model = trainer.model
        expected = mean_loss(model, trainer.rows["train"])
        monkeypatch.setattr(rows_module, "_CHUNK_LOGITS", 10 * model.vocab_size)
        predictions: list[int] = []
        forward = model.forward

        def counted(contexts: Tensor, forward: Any = forward, seen: list[int] = predictions) -> Tensor:
            logits = forward(contexts)
            seen.append(logits[..., 0].numel())
            return torch.as_tensor(logits)

        monkeypatch.setattr(model, "forward", counted)
        parts = Rows(trainer.rows["train"].split, model, CPU)
        assert mean_loss(model, parts) == pytest.approx(expected, rel=1e-5)
        assert all(n <= (10 if model.layout == "window" else 10 * model.block_size) for n in predictions)
        assert predictions or flags.get("mixture"), "a mixture asks its network"


def test_the_train_loss_of_a_vast_text_is_that_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(dev_fraction=0.0)
    assert trainer.train_examples_evaluated == trainer.rows["train"].split.examples
    monkeypatch.setattr(trainer_module, "_MOST_EVALUATED", 30 * trainer.model.parameter_count())
    trainer = trainer_of(dev_fraction=0.0)
    part = trainer.rows["train"].split.head(30)
    assert 30 <= trainer.train_examples_evaluated == part.examples < trainer.rows["train"].split.examples
    first = next(e for e in trainer.events() if isinstance(e, Evaluation))
    assert first.train == pytest.approx(mean_loss(build_alike(trainer), Rows(part, trainer.model, CPU)), rel=1e-5)
    with_dev = trainer_of(train_fraction=0.6, dev_fraction=0.3)
    assert with_dev.train_examples_evaluated >= with_dev.rows["dev"].split.examples, "as many as dev has"
    assert (
        trainer_of(model="bigram").train_examples_evaluated == trainer_of(model="bigram").rows["train"].split.examples
    )


def build_alike(trainer: Trainer) -> LanguageModel:
    return build_model(trainer.config, trainer.model.vocab_size, Generator().manual_seed(trainer.config.seed))


def test_a_run_says_that_its_train_loss_is_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "_MOST_EVALUATED", 1 << 12)
    run, trainer, splits = made(config(steps=2))
    with training_session(run, trainer, splits) as session:
        session.train()
    with run.store() as store:
        said = [e.message for e in store.events() if e.kind == "evaluates"]
    whole = splits.train.examples
    assert said == [f"the train loss is that of {trainer.train_examples_evaluated:,} of its {whole:,} examples"]


def config_of_paper() -> RunConfig:
    return make_config("bengio", flags={"data": str(TALE), "steps": 5, "threads": 1, "device": "cpu"})


def test_a_mixture_that_unlearns_its_counts_has_not_diverged() -> None:
    """Counts know the train split by heart: while the network takes over, the train loss may rise."""
    trainer = build_trainer(config_of_paper(), split_for(config_of_paper(), tale()))
    events = list(trainer.events())
    taken, finished = [e for e in events if isinstance(e, Evaluation)], events[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == "done"
    assert taken[-1].train > taken[0].train
    assert not [e for e in events if isinstance(e, Warned)]
    wild = list(trainer_of(mixture="by-frequency", steps=60, lr=30.0, optimizer="sgd").events())
    assert any(isinstance(e, Warned) for e in wild)
    assert isinstance(wild[-1], Finished)
    assert wild[-1].reason == "diverged"


def test_sentences_are_the_same_drawn_one_by_one_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MLP(MLPConfig(600, 3, 4, 8, init="kaiming"), Generator().manual_seed(5))
    with torch.no_grad():
        model.b2[0] += 4.5  # so that some end
    drawn = []
    for most in (512, 1000):
        monkeypatch.setattr("models.sampling._MOST_IDS", most)
        drawn.append(sample(model, 12, generator=Generator().manual_seed(1), config=SamplingConfig(max_length=9)))
    assert [s.tokens for s in drawn[0]] == [s.tokens for s in drawn[1]]
    assert {s.ended for s in drawn[0]} == {True, False}
    assert any(s.tokens for s in drawn[0])


# --- the command line


def test_a_text_is_trained_on_sampled_from_and_evaluated(cli: Cli) -> None:
    done = cli("train", "--data", TALE, *FLAGS)
    assert done.code == 0, done.err
    assert "sentences" in done.out.splitlines()[0]
    assert "words with the end of a sentence and the unknown word" in done.out
    assert "perplexity" in done.out
    assert "unigram counts" in done.out
    drawn = cli("sample", "last", "--prefix", "The old", "-n", 3)
    assert drawn.code == 0
    assert all(line.split("  ", 1)[1].strip().startswith("The old") for line in drawn.out.splitlines())
    document = json.loads(cli("sample", "last", "--prefix", "The zebra", "-n", 2, "--json").out)
    assert all(s["text"].startswith(f"The {UNKNOWN}") for s in document["samples"])
    assert "zebra: not in this model's vocabulary, so taken as <unk>" in cli("sample", "last", "--prefix", "zebra").err
    assert "(perplexity" in cli("eval", "last").out
    shown = cli("runs", "show", "last").out
    assert f"{len(tale())} sentences" in shown
    again = cli("resume", "last", "--json")
    assert "nothing to resume" in again.err
    summary = json.loads(again.out)
    assert summary["data"]["level"] == "word"
    assert summary["config"]["min_count"] == 2


def test_a_stopped_training_of_a_text_is_resumed(cli: Cli) -> None:
    run, trainer, splits = made(config())
    with training_session(run, trainer, splits) as session:
        session.train(should_stop=lambda: trainer.step >= 20)
    done = cli("resume", run.id, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["status"] == "done"
    assert find_run(Home.find(), "last").status() == "done"


def test_the_papers_preset_takes_a_text(cli: Cli) -> None:
    settings = make_config("bengio", flags={"data": "book.txt"})
    assert (settings.level, settings.min_count, settings.block_size, settings.mixture) == ("word", 4, 4, "by-frequency")
    refused = cli("train", "--preset", "bengio")
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "give --data a file with plain text" in refused.err
    done = cli("train", "--preset", "bengio", "--data", TALE, "--steps", 5, "--json", "--threads", 1)
    assert done.code == 0, done.err
    assert json.loads(done.out)["losses"]["dev"] < math.log(12)


def test_a_text_in_numbers(cli: Cli) -> None:
    shown = cli("data", "show", TALE, "--level", "word", "--min-count", 2)
    assert shown.code == 0
    corpus = parse_text(TALE.read_text(encoding="utf-8"), "tale")
    vocabulary = WordVocabulary.of(corpus, 2)
    assert f"sentences        {len(corpus)}, " in shown.out
    assert f"{len(corpus.tokens):,}; {len(vocabulary.words):,} in the vocabulary" in shown.out
    assert "sentences by length" in shown.out
    document = json.loads(cli("data", "show", TALE, "--level", "word", "--json").out)
    assert (document["level"], document["words"]) == ("word", len(corpus))
    too_much = cli("data", "show", TALE, "--level", "word", "--min-count", 999)
    assert too_much.code == 2
    assert "no word occurs 999 times" in too_much.err


def test_a_sweep_over_a_text(cli: Cli) -> None:
    done = cli("sweep", "--data", TALE, *FLAGS, "--points", 20, "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["losses"]) == 20


def test_perplexity_is_said_of_words_alone() -> None:
    words, characters = tale().level, parse_level("character")
    assert perplexity(math.log(64), words) == " (perplexity 64.0)"
    assert perplexity(math.log(64), characters) == ""
    assert perplexity(None, words) == perplexity(math.nan, words) == perplexity(math.inf, words) == ""


def parse_level(name: str) -> Any:
    from data.levels import LEVELS

    return LEVELS[name]
