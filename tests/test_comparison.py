"""The same question put to models of several kinds, and to the worker that trains one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from data.corpus import Corpus, parse_words
from models.sampling import SamplingConfig, next_distribution, sample
from tui_mm.config import make_config
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run
from tui_mm.training.events import Evaluation, Event
from tui_mm.worker import comparison
from tui_mm.worker import protocol as ask
from tui_mm.worker.comparison import Comparer, Question
from tui_mm.worker.loading import load_model, resume_trainer
from tui_mm.worker.server import Server
from tui_mm.worker.session import training_session

WORDS = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split()
SIZES: dict[str, dict[str, Any]] = {
    "mlp": {"block_size": 3, "embedding": 4, "hidden": 8},
    "bigram": {},
    "gru": {"block_size": 8, "embedding": 4, "hidden": 8},
    "transformer": {"block_size": 8, "embedding": 8, "heads": 2, "layers": 1},
}


def untrained(corpus: Corpus, model: str = "mlp", home: Home | None = None, **flags: Any) -> Run:
    values = {
        "model": model, "steps": 12, "eval_every": 12, "batch_size": 8, "threads": 1, "device": "cpu", **SIZES[model],
        **flags,
    }  # fmt: skip
    facts = {"data": {"name": corpus.name, "sha256": corpus.sha256}, "model": {"kind": model}}
    return create_run(home or Home.find(), make_config(flags=values), corpus, None, facts)


def trained(corpus: Corpus, model: str = "mlp", home: Home | None = None, **flags: Any) -> Run:
    run = untrained(corpus, model, home, **flags)
    trainer, splits = resume_trainer(run)
    with training_session(run, trainer, splits) as session:
        session.train()
    return run


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of each model, which no test changes."""
    home = Home(tmp_path_factory.mktemp("kinds"))
    corpus = parse_words("\n".join(WORDS), "words")
    return {model: trained(corpus, model, home) for model in SIZES}


def test_models_of_every_layout_are_asked_the_same(kinds: dict[str, Run], corpus: Corpus) -> None:
    runs = list(kinds.values())
    answer = Comparer().compare(runs, Question("em", seed=3, count=6, likeliest=5))
    json.dumps(answer, allow_nan=False)
    assert [each["run"] for each in answer["runs"]] == [run.id for run in runs]
    assert [each["step"] for each in answer["runs"]] == [12, 1, 12, 12]
    assert len(answer["next"]) == 5
    words = set(corpus.words())
    for run, told in zip(runs, answer["runs"], strict=True):
        kept = load_model(run)
        assert told["parameters"] == kept.model.parameter_count()
        prefix = kept.vocabulary.encode("em")
        shares = next_distribution(kept.model, torch.tensor([prefix]))[0]
        symbols = [kept.vocabulary.symbol(token) for token in range(len(kept.vocabulary))]
        expected = [float(shares[symbols.index(each["symbol"])]) for each in answer["next"]]
        assert told["next"] == pytest.approx(expected)
        assert told["rest"] == pytest.approx(1 - sum(expected))
        generator = torch.Generator().manual_seed(3)
        drawn = sample(kept.model, 6, generator=generator, prefix=prefix, config=SamplingConfig(max_length=200))
        assert [each["text"] for each in told["samples"]] == [kept.vocabulary.decode(name.tokens) for name in drawn]
        assert all((each["seen_in"] is not None) == (each["text"] in words) for each in told["samples"])
    means = [sum(told["next"][k] for told in answer["runs"]) for k in range(5)]
    assert means == sorted(means, reverse=True), "the likeliest in the mean come first"


def test_what_keeps_a_run_from_answering_stands_in_its_place(kinds: dict[str, Run], corpus: Corpus) -> None:
    other = parse_words("\n".join(["xyz", "zyx", "yxz.", "xx", "yy", "zz", "xyx", "zxz", "yzy", "xz"]), "others")
    sound, foreign, fresh, gone, broken = kinds["mlp"], trained(other), *(untrained(corpus) for _ in range(3))
    gone.delete()
    broken.checkpoint("last").write_bytes(b"no checkpoint")
    answer = Comparer().compare([sound, foreign, fresh, gone, broken], Question("em", count=2))
    told = answer["runs"]
    assert len(told[0]["samples"]) == 2
    for each, word in zip(told[1:], ("'e', 'm'", "has not reached its first", "deleted", "damaged"), strict=True):
        assert set(each) == {"run", "fault"}
        assert word in each["fault"]
        assert "\n" not in each["fault"]


def test_characters_that_a_run_lacks_and_the_end_that_has_another_sign(kinds: dict[str, Run]) -> None:
    dotted = parse_words("\n".join(["em.", "me.", "e.m", "m.e", "ee.", "mm.", "eme.", "mem", "e..", "m"]), "dotted")
    answer = Comparer().compare([kinds["mlp"], trained(dotted)], Question("", count=0, likeliest=40))
    entries = {(each["symbol"], each["end"]): k for k, each in enumerate(answer["next"])}
    one, two = (told["next"] for told in answer["runs"])
    assert one[entries[".", True]] > 0
    assert two[entries[".", True]] > 0, "the end of a word is the same in both"
    assert one[entries[".", False]] is None
    assert two[entries[".", False]] > 0
    assert two[entries["l", False]] is None
    for told in answer["runs"]:
        assert sum(share for share in told["next"] if share is not None) == pytest.approx(1)
        assert told["rest"] == pytest.approx(0, abs=1e-9)


def test_best_and_last_are_different_weights(kinds: dict[str, Run], corpus: Corpus) -> None:
    run, other = trained(corpus, lr=0.2, steps=200, eval_every=20, schedule="constant"), kinds["bigram"]
    best, last = load_model(run, "best"), load_model(run, "last")
    assert best.step < last.step == 200, "the run should overfit, or this test says nothing"
    for checkpoint, step in (("best", best.step), ("last", 200)):
        answer = Comparer().compare([run, other], Question(checkpoint=checkpoint))  # type: ignore[arg-type]
        assert answer["runs"][0]["step"] == step


def test_only_what_changed_is_loaded_and_asked_again(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [trained(corpus, seed=seed) for seed in (1, 2, 3)]
    loaded: list[str] = []
    asked: list[Question] = []
    indexed: list[int] = []
    load, put, index = comparison.load_model, comparison._ask, comparison.WordIndex
    monkeypatch.setattr(comparison, "load_model", lambda run, which: loaded.append(run.id) or load(run, which))
    monkeypatch.setattr(comparison, "_ask", lambda *given: asked.append(given[2]) or put(*given))
    monkeypatch.setattr(comparison, "WordIndex", lambda splits: indexed.append(1) or index(splits))
    comparer = Comparer()
    first = comparer.compare(runs, Question("e"))
    assert (loaded, len(asked), len(indexed)) == ([run.id for run in runs], 3, 1), "they have the same words"
    assert comparer.compare(runs, Question("e")) == first
    assert (len(loaded), len(asked)) == (3, 3)
    comparer.compare(runs, Question("el"))
    assert (len(loaded), len(asked)) == (3, 6)
    runs[1].checkpoint("last").write_bytes(runs[0].checkpoint("last").read_bytes())
    told = comparer.compare(runs, Question("el"))["runs"]
    assert told[1]["next"] == told[0]["next"]
    assert loaded[3:] == [runs[1].id]
    comparer.compare(runs[:2], Question("el"))
    comparer.compare(runs, Question("el"))
    assert loaded[4:] == [runs[2].id], "what was left out of a comparison is not held"


# -- through a worker


class _Absent:
    gone = True

    def wait(self, seconds: float) -> None:
        pass


def served(run: Run, *commands: ask.Command) -> list[dict[str, Any]]:
    """What the worker of a run answers to commands that stand in its inbox; it trains if it is told to."""
    trainer, splits = resume_trainer(run)
    with training_session(run, trainer, splits, serves=True) as session, run.store() as viewer:
        numbers = [viewer.put_command("me", command.kind, command.arguments()) for command in commands]
        Server(session, _Absent()).serve()  # type: ignore[arg-type]
        answers = [viewer.answer(number) for number in numbers]
    assert all(answer is not None for answer in answers)
    return [answer for answer in answers if answer is not None]


def test_the_run_that_is_asked_answers_as_it_is_now(corpus: Corpus) -> None:
    other, own = trained(corpus, "gru"), untrained(corpus)
    answer, again = served(
        own, ask.Compare((other.id, own.id), "em", count=3), ask.Compare((other.id, own.id), checkpoint="best")
    )
    told = answer["runs"]
    assert [each["step"] for each in told] == [12, 0]
    assert all(len(each["samples"]) == 3 for each in told)
    assert answer["seconds"] > 0
    assert "has not reached its first" in again["runs"][1]["fault"], "its best is what is kept, not what is live"


def test_a_run_that_diverged_is_asked_by_its_last_good_checkpoint(corpus: Corpus) -> None:
    other = trained(corpus)
    own = untrained(corpus, optimizer="sgd", lr=1e30, schedule="constant", steps=50)
    trainer, splits = resume_trainer(own)
    with training_session(own, trainer, splits, serves=True) as session, own.store() as viewer:
        server = Server(session, _Absent())  # type: ignore[arg-type]
        viewer.put_command("me", "start", {})
        server.serve()
        assert own.status() == "diverged"
        command = ask.Compare((own.id, other.id))
        number = viewer.put_command("me", command.kind, command.arguments())
        server.serve()
        answer = viewer.answer(number)
    assert answer is not None
    assert len(answer["runs"][0]["samples"]) == 10


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (ask.Compare(("0a1b2c3d",)), "2 to 5 runs"),
        (ask.Compare(tuple(f"0a1b2c3{n}" for n in range(6))), "2 to 5 runs"),
        (ask.Compare(("0a1b2c3d", "0a1b2c3d")), "each once"),
        (ask.Compare(("0a1b2c3d", "../secret")), "is no run's id"),
        (ask.Compare(("0a1b2c3d", "0a1b2c3e"), count=10**6), "count"),
        (ask.Compare(("0a1b2c3d", "0a1b2c3e"), likeliest=-1), "likeliest"),
    ],
)
def test_what_a_worker_cannot_compare_is_one_line(command: ask.Compare, word: str, corpus: Corpus) -> None:
    (answer,) = served(untrained(corpus), command)
    assert set(answer) == {"error", "seconds"}
    assert word in answer["error"]


def test_a_comparison_changes_nothing_in_a_training(corpus: Corpus) -> None:
    """The same bits with questions between its blocks and without."""
    plain, asked, other = trained(corpus, eval_every=4), untrained(corpus, eval_every=4), trained(corpus, "bigram")
    trainer, splits = resume_trainer(asked)
    comparer = Comparer()

    def question(event: Event) -> None:
        if isinstance(event, Evaluation):
            assert "samples" in comparer.compare([other, asked], Question("e", count=2))["runs"][0]

    with training_session(asked, trainer, splits) as session:
        session.train(observe=question)
    one, two = load_model(plain).model.state_dict(), load_model(asked).model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_ids_beside_a_run_are_whole_ids(corpus: Corpus) -> None:
    run = untrained(corpus)
    assert run.beside("0a1b2c3d") == Run(run.folder.parent / "0a1b2c3d")
    for wrong in ("", "0a1b", "../0a1b2c3d", "0A1B2C3D", "0a1b2c3d\n"):
        with pytest.raises(Exception, match="no run's id"):
            run.beside(wrong)
