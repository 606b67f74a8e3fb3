"""The experiments: complete, right by value, the same for the same seed, and as the lecture has them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from data.bigrams import BigramCounts
from data.corpus import Corpus, CorpusError, parse_words
from tui_mm.config import LECTURE_SEED, ConfigError, make_config
from tui_mm.experiments import ladder, part1
from tui_mm.experiments.catalog import EXPERIMENTS, experiment_named
from tui_mm.experiments.engine import WHOLE, Lab, Order, StoppedError, difference
from tui_mm.experiments.every import PROCEDURES
from tui_mm.experiments.figures import FIGURES, LECTURE_SHA256, SEEDED
from tui_mm.experiments.kept import Record, create_experiment
from tui_mm.experiments.overfit import floor_of
from tui_mm.experiments.part1_nets import negative_log_likelihood
from tui_mm.experiments.part2_bengio import BASELINE, IDEAS, Paired, mixed
from tui_mm.experiments.part2_start import first_batch_loss, saturated_share
from tui_mm.experiments.part2_tuning import changes
from tui_mm.experiments.result import Row, row_of
from tui_mm.experiments.running import run_experiment
from tui_mm.experiments.table import table_lines, table_of
from tui_mm.kinds import KINDS
from tui_mm.presets import PRESETS
from tui_mm.runs.home import Home
from tui_mm.runs.run import all_runs
from tui_mm.training.events import StepBlock
from tui_mm.training.rows import mean_loss

NAMES = [
    *(f"part1-e0{n}" for n in range(1, 7)), "overfit", "part2-e01", "part2-e02", "part2-e03", "ladder",
]  # fmt: skip
TESTED = {"part1-e02": 2, "part1-e03": 1, "part1-e06": 1, "part2-e01": 1, "part2-e03": 2}
QUICK = 0.0005
Run = Callable[..., Record]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs an experiment on a corpus, at a scale; the ladder has three rungs, one of each way to learn, and contexts
    are short: backing off from long ones takes seconds."""
    monkeypatch.setattr(part1, "CONTEXTS", (1, 2))
    monkeypatch.setattr(ladder, "rungs", lambda _: ["trigram", "default", "gru"])

    def call(name: str, corpus: Corpus, scale: float = QUICK, *, seed: int = LECTURE_SEED, **named: Any) -> Record:
        config = make_config(flags={"data": "words", "seed": seed})
        kept = create_experiment(Home.find(), name, config, scale=scale)
        record = run_experiment(kept, Order(corpus, {"data": "names"}, seed, scale, 1), Home.find(), **named)
        assert kept.read() == record
        return record

    return call


@pytest.fixture
def lab(corpus: Corpus) -> Lab:
    return Lab(Order(corpus, {"data": "names"}, LECTURE_SEED, 1.0, 1), Home.find(), "00000000")


# -- the catalog


def test_every_experiment_is_known_made_and_compared() -> None:
    assert [*EXPERIMENTS] == [*PROCEDURES] == [*FIGURES] == NAMES
    assert set(SEEDED) <= set(NAMES)
    for name, experiment in EXPERIMENTS.items():
        columns = {column.name for column in experiment.columns}
        assert len(columns) == len(experiment.columns)
        assert experiment.title and experiment.asks.endswith(("?", "."))
        for figures in FIGURES[name].values():
            assert set(figures) <= columns
            assert all(math.isfinite(figure.value) for figure in figures.values())


def test_a_name_that_there_is_not_is_said_with_what_may_be_meant() -> None:
    assert experiment_named("overfit").title.startswith("part 2")
    with pytest.raises(ConfigError, match=r"'part1-e7' is not one; give one of .*did you mean part1-e06"):
        experiment_named("part1-e7")


def test_figures_stand_only_where_they_compare() -> None:
    counted, seeded = EXPERIMENTS["part1-e03"], EXPERIMENTS["part2-e02"]
    assert counted.figures(LECTURE_SHA256, 7, 1.0)["0.15"]["dev"].value == 2.2221
    assert seeded.figures(LECTURE_SHA256, LECTURE_SEED, 1.0)["lecture"]["first"].stated
    for arguments in ((LECTURE_SHA256, 7, 1.0), (LECTURE_SHA256, LECTURE_SEED, 0.5), ("other", LECTURE_SEED, 1.0)):
        assert seeded.figures(*arguments) == {}


def test_the_ladder_has_every_kind_of_model() -> None:
    rungs = ladder.rungs()
    words = {name for name, values in PRESETS.items() if values.get("level") == "word"}
    assert {*rungs} == {*PRESETS} - {*ladder.LEFT_OUT} - words
    assert {*ladder.rungs("word")} == {*PRESETS} - {*ladder.LEFT_OUT}
    assert len(set(rungs)) == len(rungs)
    assert {make_config(preset).model for preset in rungs} == set(KINDS)
    assert all(kind.preset in rungs for kind in KINDS.values())


# -- all of them


@pytest.mark.parametrize("name", NAMES)
def test_each_runs_to_an_answer_with_a_table_and_a_chart(name: str, run: Run, corpus: Corpus) -> None:
    rows: list[Row] = []
    record = run(name, corpus, on_row=lambda row, _: rows.append(row))
    result, experiment = record.result, EXPERIMENTS[name]
    assert record.status == "done"
    assert result.answer
    assert name == "part1-e05" or not {"nan", "inf", "None"} & set(
        result.answer.replace(",", " ").replace(".", " ").split()
    )
    assert result.columns == experiment.columns
    assert result.chart is not None and len(result.chart.series[0].x) > 1
    assert len(result.rows) <= len(rows), "a row that is known better takes the place of the one before"
    key = experiment.columns[0].name
    assert {str(row[key]) for row in rows} == {str(row[key]) for row in result.rows}
    assert all(any(column.name in row for row in result.rows) for column in result.columns), "each column is filled"
    assert result.test_evaluations == sum("test" in row for row in result.rows) == TESTED.get(name, 0)
    lines = table_lines(table_of(result, {}))
    assert len(lines) >= len(result.rows) + 1
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("name", ["part1-e01", "part1-e05", "overfit", "part2-e02"])
def test_the_same_seed_gives_the_same_rows(name: str, run: Run, corpus: Corpus) -> None:
    timed = {column.name for column in EXPERIMENTS[name].columns if column.timed} | {"run"}

    def rows(seed: int) -> list[Row]:
        found = run(name, corpus, 0.002, seed=seed).result.rows
        return [{k: v for k, v in row.items() if k not in timed} for row in found]

    first = rows(5)
    assert rows(5) == first
    assert rows(6) != first


def test_asked_to_stop_it_keeps_the_rows_that_are_done(run: Run, corpus: Corpus) -> None:
    done: list[Row] = []
    record = run("part1-e03", corpus, should_stop=lambda: len(done) == 3, on_row=lambda row, _: done.append(row))
    assert record.status == "stopped"
    assert [row["smoothing"] for row in record.result.rows] == [0.001, 0.003, 0.01]
    assert record.result.answer == ""
    assert record.result.chart is not None
    assert record.ended


def test_what_it_raises_is_kept_and_raised(run: Run, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(part1, "_unseen", broken)
    with pytest.raises(ZeroDivisionError):
        run("part1-e06", corpus)
    from tui_mm.experiments.kept import find_experiment

    record = find_experiment(Home.find(), "last").read()
    assert (record.status, record.fault) == ("failed", "ZeroDivisionError: a fault of ours")


def test_too_few_words_are_said(run: Run) -> None:
    with pytest.raises(CorpusError, match=r"three: 3 words cannot be split .* at least 10 words"):
        run("part1-e01", parse_words("a\nb\nc", "three"))


def test_ten_words_of_any_script_are_enough(run: Run) -> None:
    corpus = parse_words("\n".join(["李小龙", "ё", "a.b", "zoë", "é"] * 2), "ten")
    for name in ("part1-e01", "part1-e04", "overfit", "part2-e02", "ladder"):
        assert run(name, corpus).status == "done", name


# -- values


def trigrams_of(words: list[str]) -> list[tuple[str, str]]:
    return [(padded[i : i + 2], padded[i + 2]) for word in words for padded in [f"..{word}."]
            for i in range(len(padded) - 2)]  # fmt: skip


def entropy_of(pairs: list[tuple[str, str]]) -> float:
    """Mean loss of the counts' own shares: plain Python, straight from the definition."""
    contexts, both = Counter(context for context, _ in pairs), Counter(pairs)
    return -sum(n * math.log(n / contexts[context]) for (context, _), n in both.items()) / len(pairs)


def test_the_trigram_and_the_trap(run: Run, corpus: Corpus) -> None:
    rows = run("part1-e01", corpus).result.rows
    words = [*corpus.words()]
    pairs = trigrams_of(words)
    plain, trap, bigram = (
        row_of(rows, "model", name) for name in ("trigram counts", "the trap: no first letters", "bigram counts")
    )
    assert plain is not None and trap is not None and bigram is not None
    assert plain["all"] == pytest.approx(entropy_of(pairs))
    assert plain["predictions"] == len(pairs)
    inside = [pair for pair in pairs if pair[0] != ".."]
    assert trap["all"] == pytest.approx(entropy_of(inside))
    assert trap["predictions"] == len(inside) == len(pairs) - len(words)
    assert bigram["all"] == pytest.approx(entropy_of([(context[-1], after) for context, after in pairs]))


def test_the_split_is_counted_on_train_alone(run: Run, corpus: Corpus, lab: Lab) -> None:
    row = row_of(run("part1-e02", corpus).result.rows, "model", "bigram, 1 added")
    splits = lab.splits(lab.config())
    size = len(splits.vocabulary)
    train, dev = (BigramCounts.of(split.tokens, size) for split in (splits.train, splits.dev))
    assert row is not None
    assert row["train"] == pytest.approx(train.loss(1))
    assert row["dev"] == pytest.approx(train.loss(1, dev))
    assert row["gap"] == row["dev"] - row["train"]


def test_the_smoothing_is_chosen_by_dev_and_tested_alone(run: Run, corpus: Corpus) -> None:
    record = run("part1-e03", corpus)
    (tested,) = [row for row in record.result.rows if "test" in row]
    assert tested["dev"] == min(row["dev"] for row in record.result.rows)
    assert f"Least on dev with {tested['smoothing']:g} added" in record.result.answer
    assert f"{tested['test']:.4f}" in record.result.answer


def test_indexing_and_the_product_agree_and_the_hand_written_loss_overflows(run: Run, corpus: Corpus) -> None:
    product, index = run("part1-e04", corpus, 0.1).result.rows
    assert product["start"] == pytest.approx(index["start"], abs=1e-6)
    assert product["end"] == pytest.approx(index["end"], abs=1e-6)
    assert index["end"] < index["start"]
    assert index["mebibytes"] < product["mebibytes"]
    hand, library = run("part1-e05", corpus).result.rows
    assert hand["loss"] == pytest.approx(library["loss"], abs=1e-6)
    assert (hand["logit"], library["logit"]) == ("nan", "0")
    assert library["mebibytes"] < hand["mebibytes"]


def test_the_hand_written_loss_has_the_librarys_gradients() -> None:
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    targets = torch.arange(50) % 7
    found = [torch.autograd.grad(loss(logits, targets), logits)[0]
             for loss in (negative_log_likelihood, torch.nn.functional.cross_entropy)]  # fmt: skip
    assert torch.allclose(*found, atol=1e-12)


def test_the_floor_is_the_entropy_of_what_follows(lab: Lab) -> None:
    config = lab.config("five-words")
    words = [*lab.order.corpus.head(5).words()]
    for block_size in (1, 2, 3):
        found = floor_of(lab.splits(config), block_size)
        pairs = [("." * (block_size - i) + word[max(0, i - block_size) : i], (word + ".")[i])
                 for word in words for i in range(len(word) + 1)]  # fmt: skip
        assert found.examples == len(pairs)
        assert found.loss == pytest.approx(entropy_of(pairs))
        contexts = Counter(context for context, _ in set(pairs))
        assert {context for context, _ in found.ambiguous} == {c for c, n in contexts.items() if n > 1}


def test_the_training_comes_near_its_floor_and_not_below(run: Run, corpus: Corpus) -> None:
    rows = run("overfit", corpus, 0.1).result.rows
    assert rows[0]["step"] == 0 and rows[-1]["step"] == 1000
    assert all(row["above"] > 0 for row in rows)
    assert rows[-1]["above"] < 0.05


def test_the_first_batch_is_that_of_the_first_step(lab: Lab) -> None:
    trainer = lab.trainer(lab.config("lecture", steps=3))
    expected = first_batch_loss(trainer)
    block = next(event for event in trainer.events() if isinstance(event, StepBlock))
    assert block.losses[0] == pytest.approx(expected)


def test_saturation_is_counted_over_all_of_train(lab: Lab) -> None:
    trainer = lab.trainer(lab.config("lecture"))
    rows = trainer.rows["train"]
    values = trainer.model.activations(rows.take(torch.arange(len(rows)))[0])["tanh"]
    expected = float((values.abs() > 0.97).double().mean())
    assert saturated_share(trainer.model, rows) == pytest.approx(expected)
    assert expected > 0.3


def test_a_mixture_of_the_trained_baseline_is_what_a_run_with_that_mixture_ends_as(lab: Lab) -> None:
    def config(**more: Any) -> Any:
        return lab.config("lecture", init="unigram", steps=50, schedule="constant", **more)

    baseline = lab.trained(config(), "baseline")
    for weighting in ("fixed", "learned", "by-frequency"):
        whole = lab.trained(config(mixture=weighting), weighting)
        for split in ("train", "dev"):
            assert mean_loss(mixed(lab, baseline, weighting).model, whole.rows[split]) == pytest.approx(
                mean_loss(whole.model, whole.rows[split]), abs=1e-6
            )


def test_paired_differences_and_their_verdicts() -> None:
    paired = Paired.of([-0.1, -0.2, -0.3])
    assert paired.mean == pytest.approx(-0.2)
    assert paired.error == pytest.approx(0.1 / math.sqrt(3))
    assert paired.half == pytest.approx(4.303 * 0.1 / math.sqrt(3))
    assert paired.verdict == "no difference that can be told"
    assert Paired.of([-0.2, -0.21, -0.22]).verdict == "helped"
    assert Paired.of([0.2, 0.21, 0.22]).verdict == "hurt"
    assert Paired.of([-0.0002, -0.00021, -0.00019]).verdict == "too little to matter"
    assert Paired.of([0.0002, -0.00021, -0.00019]).verdict == "no difference that can be told"


def test_ideas_are_paired_with_the_baseline_by_seed(run: Run, corpus: Corpus) -> None:
    record = run("part2-e03", corpus)
    rows = record.result.rows
    base = row_of(rows, "idea", BASELINE)
    assert base is not None
    for idea in IDEAS:
        row = row_of(rows, "idea", idea.label)
        assert row is not None
        assert row["difference"] == pytest.approx(row["dev"] - base["dev"])
        assert row["difference"] == pytest.approx(np.mean(row["differences"]))
        assert len(row["differences"]) == row["seeds"] == 5
        assert idea.label in record.result.answer


def test_each_step_of_the_tuning_changes_what_it_says(lab: Lab) -> None:
    steps = changes()
    assert [len(change) > 0 for _, change in steps] == [False, *[True] * (len(steps) - 1)]
    values: dict[str, Any] = {}
    before = lab.config("lecture")
    for _, change in steps[1:]:
        values |= change
        now = lab.config("lecture", **values)
        assert now != before
        before = now


def test_the_ladder_keeps_its_trainings_as_runs(run: Run, corpus: Corpus) -> None:
    record = run("ladder", corpus)
    runs = {run.id: run for run in all_runs(Home.find())}
    assert [row["preset"] for row in record.result.rows] == ["trigram", "default", "gru"]
    for row in record.result.rows:
        with runs[row["run"]].store() as store:
            assert store.get("name") == f"ladder-{row['preset']}-{record.id}"
            assert store.get("status") == "done"
            assert [sample.text for sample in store.samples()][:5] == row["samples"]
            assert store.evaluations()[-1].dev == pytest.approx(row["dev"])
        assert 0 <= row["new"] <= 1


def test_the_ladder_stopped_in_a_training_keeps_the_run_to_go_on_with(run: Run, corpus: Corpus) -> None:
    told: list[str] = []
    record = run("ladder", corpus, 1.0, should_stop=lambda: any("default: step" in line for line in told),
                 on_doing=told.append)  # fmt: skip
    assert record.status == "stopped"
    assert [row["preset"] for row in record.result.rows] == ["trigram"]
    assert [kept.status() for kept in all_runs(Home.find())] == ["done", "stopped"]


def test_the_lab_counts_tests_and_refuses_them_elsewhere(lab: Lab) -> None:
    trainer = lab.trained(lab.config("trigram"), "trigram")
    assert lab.test(trainer) is not None
    assert lab.test_evaluations == 1
    with pytest.raises(AssertionError):
        lab.loss(trainer, "test")
    whole = lab.trained(lab.config("trigram", **WHOLE), "trigram")
    assert lab.loss(whole, "dev") is None
    lab.should_stop = lambda: True
    with pytest.raises(StoppedError):
        lab.trainer(lab.config())


def test_words_are_left_out_where_one_tensor_of_all_would_be_too_large(lab: Lab) -> None:
    assert lab.words_for(27) == 0
    lengths = lab.order.corpus.lengths + 1
    values = (1 << 26) // int(lengths[:7].sum())
    assert lab.words_for(values) == 7
    assert lab.words_for(1 << 30) == 1


def test_differences_in_words() -> None:
    assert difference(2.0, 2.5) == "0.5000 lower"
    assert difference(2.5, 2.0) == "0.5000 higher"
    assert difference(2.0, 2.00001) == "the same"


# -- the lecture's words


@pytest.mark.parametrize(
    ("name", "scale", "rows", "figures"),
    [
        ("part1-e01", 0.002, 5, 7), ("part1-e02", 1, 3, 5), ("part1-e03", 1, 17, 7), ("part1-e06", 1, 2, 2),
        ("overfit", 0.1, 8, 4), ("part2-e02", 0.0002, 4, 10),
    ],
)  # fmt: skip
def test_the_lectures_figures(name: str, scale: float, rows: int, figures: int, run: Run, lecture: Corpus) -> None:
    """Within a thousandth. What is trained shortly here is left out: the nets of E01, the ends of E02."""
    assert lecture.sha256 == LECTURE_SHA256
    done: set[str] = set()
    key = EXPERIMENTS[name].columns[0].name
    record = run(name, lecture, scale, on_row=lambda row, _: done.add(str(row[key])),
                 should_stop=lambda: name == "part2-e02" and len(done) > rows)  # fmt: skip
    compared = [
        (row[column], pytest.approx(figure.value, abs=0.001))
        for row in record.result.rows[:rows]
        for column, figure in FIGURES[name].get(str(row[key]), {}).items()
    ]
    assert len(compared) == figures
    assert all(found == expected for found, expected in compared), compared
