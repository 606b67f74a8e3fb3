"""Cost against size: cells are processes of their own and take turns, and what they come to is right by value."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scaling
from benchmarks.cell import Built, CellError, Trained, answer_of, build, train
from benchmarks.scale import write_words
from benchmarks.scaling import Bench, Plan, main
from benchmarks.sizes import (
    ONE,
    Place,
    Size,
    auto_notes,
    axis_section,
    begins_to_pay,
    memory_section,
    middle,
    plane_section,
)
from data.corpus import Corpus, read_words

TWO = Place("cpu", 2)
GPU = Place("cuda")
SMALL, LARGE = Size(100, 3, 10, 32), Size(100, 3, 1_000, 8_192)
PLAN = Plan("lecture", (1, 2), None).quick()


def trained(speed: float, *, work: int = 1_000_000, chosen: int = 1, peak: int = 300_000_000) -> Trained:
    return Trained(speed, 11_897, work, chosen, peak, 230_000_000, 50_000_000)


def test_words_are_as_many_as_asked_for_and_always_the_same(corpus: Corpus, tmp_path: Path) -> None:
    count = 2 * len(corpus) + 7
    for name in ("a", "b"):
        write_words(tmp_path / name, corpus, count)
    words = list(read_words(tmp_path / "a").words())
    assert len(words) == count
    assert sorted(words[: len(corpus)]) == sorted(corpus.words())
    assert words[: len(corpus)] != words[len(corpus) : 2 * len(corpus)]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_program_measures_words_and_prints_all_repeats_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--only", "words", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["centre"] == {"words": 400, "block_size": 3, "hidden": 8, "batch_size": 8}
    (section,) = answer["sections"]
    assert section["title"] == "Cost against words"
    assert [row[0] for row in section["rows"]] == ["200", "400"]
    assert [cell["words"] for cell in answer["built"]] == [cell["words"] for cell in answer["trained"]] == [200, 400]
    for cell in answer["built"]:
        (repeat,) = cell["repeats"]
        assert repeat["seconds"] > 0
        assert 10_000_000 < repeat["peak_bytes"] < 1_000_000_000
    fewer, more = (cell["repeats"][0] for cell in answer["trained"])
    assert fewer["steps_per_second"] > 0
    assert fewer["base_bytes"] <= fewer["peak_bytes"]
    parameters = 27 * 10 + 30 * 8 + 8 + 8 * 27 + 27  # of the lecture's net with 8 hidden units
    assert more["parameters"] == parameters
    assert more["work"] == 8 * parameters
    assert more["chosen"] == 1


def test_a_cell_that_takes_too_long_is_ended_and_one_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("anna\nbob\n")
    assert build(tmp_path / "words.txt", 3, limit=0.001) is None
    with pytest.raises(CellError, match=r"exit code 1: (.|\n)*none\.txt"):
        answer_of("benchmarks.scale", [str(tmp_path / "none.txt"), "3"], 60)


def test_a_cell_trains_on_the_threads_it_is_given_and_tells_what_auto_would_take(
    corpus: Corpus, tmp_path: Path
) -> None:
    path = tmp_path / "words.txt"
    write_words(path, corpus, 50)
    flags: dict[str, Any] = {"model": "gru", "block_size": 4, "hidden": 8, "embedding": 4, "batch_size": 8}
    found = train(path, "gru", flags, seconds=0.01, threads=1, limit=100)
    assert found is not None
    assert found.work == 8 * found.parameters  # its positions wait for each other
    assert (found.chosen, found.gpu_bytes) == (1, 0)


def test_threads_take_turns_and_a_late_cell_is_not_begun_again(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []

    def measure(path: Path, preset: str, flags: dict[str, Any], seconds: float, threads: int, limit: float) -> Any:
        begun.append((flags["batch_size"], threads))
        assert len(list(read_words(path).words())) == 400
        assert flags["device"] == "cpu"
        return None if begun[-1] == (16, 2) else trained(100.0)

    monkeypatch.setattr(scaling, "train", measure)
    bench = Bench(replace(PLAN, repeats=2), corpus, tmp_path)
    bench.train(bench.plan.plane, bench.plan.places)
    assert begun == [(8, 1), (8, 2), (16, 1), (16, 2), (8, 1), (8, 2), (16, 1)]
    small, large = bench.plan.plane
    assert [len(bench.trained[large, place]) for place in (ONE, TWO)] == [2, 0]
    bench.train([small], [ONE])
    assert len(begun) == 7, "what was measured is not measured again"


def test_the_plan_varies_one_size_at_a_time_and_hidden_with_batch() -> None:
    plan = Plan("lecture", (1, 4), "a GPU")
    for name, sizes in plan.axes.items():
        for size in sizes:
            others = {k: v for k, v in vars(size).items() if k != name}
            assert others == {k: v for k, v in vars(plan.centre).items() if k != name}
    assert (min(plan.words), max(plan.words)) == (10**4, 10**7)
    assert len(plan.plane) == len(set(plan.plane)) == len(plan.hidden) * len(plan.batch_sizes)
    assert [str(place) for place in plan.places] == ["1 thread", "4 threads", "GPU"]


@pytest.mark.parametrize(
    ("points", "start"),
    [
        ([(1, 0.5), (2, 1.2), (4, 1.5)], 2),
        ([(4, 1.5), (1, 0.5), (2, 1.2)], 2),
        ([(1, 1.2), (2, 0.9), (4, 1.5)], 4),  # below, it did not always pay
        ([(1, 0.5), (2, 1.4), (4, 1.05), (8, 1.6)], 2),  # one cell was disturbed
        ([(1, 1.0), (2, 1.05)], None),
        ([], None),
    ],
)
def test_where_threads_begin_to_pay(points: list[tuple[float, float]], start: float | None) -> None:
    assert begins_to_pay(points) == start


def test_the_plane_says_where_threads_and_a_gpu_pay_and_how_near_auto_comes() -> None:
    found = {
        (SMALL, ONE): [trained(4_000, work=400_000), trained(5_000, work=400_000), trained(9_000, work=400_000)],
        (SMALL, TWO): [trained(2_500, work=400_000)],
        (SMALL, GPU): [trained(5_000, work=400_000)],
        (LARGE, ONE): [trained(4, work=64_000_000, chosen=1)],
        (LARGE, TWO): [trained(8, work=64_000_000, chosen=1)],
        (LARGE, GPU): [trained(400, work=64_000_000)],
    }
    section = plane_section([SMALL, LARGE], [ONE, TWO, GPU], found)
    assert section.headings == [
        "hidden", "batch", "work", "1 thread", "2 threads", "GPU", "2 threads, ratio", "GPU, ratio", "auto",
    ]  # fmt: skip
    assert section.rows == [
        ["10", "32", "0.40 M", "5,000", "2,500", "5,000", "0.50 ×", "1.00 ×", "1 thread"],
        ["1,000", "8,192", "64.00 M", "4.00", "8.00", "400", "2.00 ×", "100.00 ×", "1 thread"],
    ]
    assert (
        "2 threads began to pay (1.1 × and more) at 64.00 M; of 2 cells 0 gained below and 0 lost beyond"
        in section.notes
    )
    assert section.notes[-1] == (
        "auto takes what was fastest in 1 of 2 cells; at worst it has 0.50 of the best steps/s, at hidden 1,000 and "
        "batch 8,192"
    )
    text = section.text()
    assert "steps/s, 1 thread over batch" in text
    assert "◆ GPU" in text and "no difference" in text
    assert max(map(len, text.split("```")[1].split("\n"))) <= 80
    assert "| 1,000  | 8,192 |" in text


def test_auto_is_judged_only_where_its_threads_were_measured() -> None:
    found = {(LARGE, ONE): [trained(4, chosen=7)], (LARGE, TWO): [trained(8, chosen=7)]}
    assert auto_notes([LARGE], [ONE, TWO], found) == []
    assert auto_notes([LARGE], [ONE], {(LARGE, ONE): [trained(4)]}) == []


def test_what_took_too_long_is_said_and_not_drawn() -> None:
    sizes = [Size(words, 3, 10, 32) for words in (10_000, 10_000_000)]
    built = {sizes[0]: [Built(0.05, 60_000_000, 71_000), Built(0.15, 50_000_000, 71_000)], sizes[1]: []}
    section = axis_section("words", sizes, built, {(sizes[0], ONE): [trained(12.34)], (sizes[1], ONE): []})
    assert section.rows == [
        ("10,000", "71,000", "100 ms", "55 MB", "12.3", "300 MB"),
        ("10,000,000", "too long", "too long", "too long", "too long", "too long"),
    ]
    assert [series.y for chart in section.charts for series in chart.series] == [(0.1, None), (12.34, None)]
    nothing = axis_section("words", sizes[1:], built, {(sizes[1], ONE): []})
    assert "nothing to draw yet" in nothing.text()
    plane = plane_section([LARGE], [ONE, TWO], {(LARGE, ONE): [], (LARGE, TWO): [trained(8)]})
    assert plane.rows == [["1,000", "8,192", "1.00 M", "too long", "8.00", "–", "1 thread"]]


def test_memory_is_the_process_beside_what_python_and_torch_take() -> None:
    found = {(SMALL, ONE): [trained(1)], (SMALL, GPU): [trained(2)]}
    section = memory_section({"batch_size": [SMALL]}, found, [ONE, GPU])
    assert section.rows == [["batch size", "32", "11,897", "300 MB", "230 MB", "50 MB"]]
    assert section.charts[0].series[0].y == (70.0,)


def test_repeats_become_one_by_medians() -> None:
    assert middle([]) is None
    both = middle([trained(1, peak=10), trained(5, peak=30), trained(2, peak=20)])
    assert both is not None
    assert (both.steps_per_second, both.peak_bytes) == (2, 20)
