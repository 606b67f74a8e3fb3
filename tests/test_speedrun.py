"""The race: its loop and its lanes, what they say, and the whole of it as a person sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from data.bigrams import BigramCounts
from data.catalog import load
from data.corpus import Corpus
from tests.conftest import Outcome
from tests.person import Person
from tui_mm.cli.race import Lanes, bar, finish, heading, introduction, lanes_of, lap_row, ratios_of, verdict
from tui_mm.config import RunConfig, make_config
from tui_mm.experiments import lane
from tui_mm.experiments.notebook import NotebookLoop, lecture_config
from tui_mm.experiments.race import BUNDLED_SHA256, Lap, Race, Scene, usual_target
from tui_mm.experiments.side import Order, RaceError, Said
from tui_mm.training.events import Evaluation
from tui_mm.training.setup import build_trainer
from tui_mm.words import split_for

Cli = Callable[..., Outcome]
SMALL = ("--steps", "40", "--hidden", "16", "--embedding", "4", "--batch-size", "16", "--notebook-steps", "1000")


def small(**flags: object) -> RunConfig:
    sizes = {"steps": 40, "hidden": 16, "embedding": 4, "batch_size": 16, "threads": 1, "device": "cpu"}
    return make_config("speedrun", flags=sizes | flags)


def dev_losses(config: RunConfig, corpus: Corpus) -> list[tuple[int, float]]:
    events = build_trainer(config, split_for(config, corpus)).events()
    return [(e.step, e.dev) for e in events if isinstance(e, Evaluation) and e.dev is not None]


def raced(*laps: Lap, turns: tuple[tuple[int, float], ...] = ((3000, 0.9),), target: float = 2.17) -> Race:
    race = Race(make_config("speedrun", flags={"threads": 1, "device": "cpu"}), Path("nowhere"), target)
    race.laps, race.turns = list(laps), list(turns)
    return race


# -- the preset and its target


@pytest.mark.parametrize("seed", [1])
def test_the_preset_reaches_the_notebooks_loss_on_the_bundled_names(seed: int, home: Path) -> None:
    corpus = load("names", cache=home)
    assert corpus.sha256 == BUNDLED_SHA256
    config = make_config("speedrun", flags={"threads": 1, "device": "cpu", "seed": seed})
    target, why = usual_target(config, corpus)
    assert (target, why) == (2.49, "what the notebook's 200,000 steps reach")
    (start, _), (end, dev) = dev_losses(config, corpus)
    assert (start, end) == (0, 450)
    assert dev <= target


@pytest.mark.parametrize("seed", [101, 102])
def test_the_preset_reaches_the_lectures_loss_on_its_names(seed: int, lecture: Corpus) -> None:
    """Seeds that it was not chosen by."""
    config = make_config("speedrun", flags={"threads": 1, "device": "cpu", "seed": seed})
    assert usual_target(config, lecture)[0] == 2.17
    assert dev_losses(config, lecture)[-1][1] <= 2.17


def test_on_other_words_the_target_is_below_bigram_counts(corpus: Corpus) -> None:
    splits = split_for(small(), corpus)
    counts, dev = (BigramCounts.of(s.tokens, len(splits.vocabulary)) for s in (splits.train, splits.dev))
    target, why = usual_target(small(), corpus)
    assert target == pytest.approx(counts.loss(1, dev) - 0.1)
    assert why == "bigram counts less 0.1"


# -- the notebook's loop


def test_the_notebooks_rate_drops_at_the_half_however_its_steps_fall_into_turns(corpus: Corpus) -> None:
    config = lecture_config().but(steps=40, hidden=10)
    whole, parts, undropped = (
        NotebookLoop(config, corpus),
        NotebookLoop(config, corpus),
        NotebookLoop(config.but(decay_factor=1.0), corpus),
    )
    whole.train(40)
    for steps in (7, 19, 14):
        parts.train(steps)
    undropped.train(40)
    assert whole.step == parts.step == 40
    assert parts.log_losses == whole.log_losses
    assert parts.dev_loss() == whole.dev_loss()
    assert undropped.log_losses[:21] == whole.log_losses[:21]
    assert undropped.log_losses[21] != whole.log_losses[21]


def test_the_notebooks_dev_loss_is_that_of_the_trainer_after_the_same_steps(corpus: Corpus) -> None:
    config = lecture_config().but(steps=30, eval_every=30)
    loop = NotebookLoop(config, corpus)
    loop.train(30)
    assert loop.dev_loss() == pytest.approx(dev_losses(config, corpus)[-1][1], rel=1e-4)


# -- a side


def test_a_lap_ends_at_the_first_evaluation_that_is_at_the_target(words_file: Path, corpus: Corpus) -> None:
    config = small(data=str(words_file), eval_every=10)
    losses = dev_losses(config, corpus)
    step, target = losses[2]
    assert step == 20 and target < min(loss for _, loss in losses[:2])
    said: list[Said] = []
    lane.run_ours(Order("ours", config, "", target), said.append)
    assert [s.doing for s in said[:2]] == ["loading torch", "reading the words"]
    assert (said[-1].step, said[-1].dev, said[-1].done) == (20, target, True)
    assert said[-1].seconds is not None and said[-1].seconds > 0
    assert [s.done for s in said[:-1]] == [False] * (len(said) - 1)
    assert max(s.step for s in said[:-1]) == 20


def test_a_lap_that_misses_says_the_best(words_file: Path, corpus: Corpus) -> None:
    config = small(data=str(words_file), eval_every=10)
    said: list[Said] = []
    lane.run_ours(Order("ours", config, "", 0.1), said.append)
    step, dev = min(dev_losses(config, corpus), key=lambda pair: pair[1])
    assert (said[-1].step, said[-1].dev, said[-1].done) == (step, dev, True)


def test_the_notebook_takes_turns_and_says_its_loss_when_asked(words_file: Path, corpus: Corpus) -> None:
    config = lecture_config().but(data=str(words_file), steps=100)
    said: list[Said] = []
    lane.run_notebook(Order("notebook", config, ""), said.append, ["30\n", "70\n", "dev\n"])
    ends = [s for s in said if s.done]
    assert [s.step for s in ends] == [0, 30, 100, 100]
    loop = NotebookLoop(config, corpus)
    loop.train(100)
    assert ends[-1].dev == loop.dev_loss()
    turn = [s for s in said if s.seconds is not None]
    assert turn[0].loss == pytest.approx(np.mean(10 ** np.array(loop.log_losses[: turn[0].step])))
    for s in (ends[1], ends[2]):
        assert s.seconds is not None and s.rate is not None
    assert ends[2].rate == pytest.approx(70 / (ends[2].seconds or 0))


def test_a_side_that_cannot_go_on_is_one_line(tmp_path: Path) -> None:
    with Race(small(data=str(tmp_path / "gone.txt")), tmp_path, 2.0) as race, pytest.raises(RaceError) as error:
        next(race.run(1))
    line = str(error.value)
    assert line.startswith("the race: the process of notebook ended with code 1: ")
    assert "gone.txt: no such file" in line
    assert "\n" not in line


# -- what it looks like


def test_bars_are_never_longer_than_their_place_nor_empty_without_a_reason() -> None:
    assert bar(0, 4, ascii_only=False) == ("", "────")
    assert bar(0.0001, 4, ascii_only=False) == ("╸", "───")
    assert bar(0.375, 4, ascii_only=False) == ("━╸", "──")
    assert bar(1, 4, ascii_only=False) == ("━━━━", "")
    assert bar(0.0001, 4, ascii_only=True) == ("=", "---")
    assert bar(0.5, 4, ascii_only=True) == ("==", "--")
    assert bar(1.2, 4, ascii_only=True) == ("====", "")


def test_the_lanes_say_who_is_where() -> None:
    race = raced()
    assert [said for _, said in lanes_of(Scene(), raced(turns=()))] == ["starting Python", ""]
    scene = Scene(Said(step=50_000, loss=2.4, rate=4000.0), 3, Said(step=225, loss=2.3), 1.26)
    notebook, ours = lanes_of(scene, race)
    assert notebook == (0.25, "step 50,000       loss 2.4000 all: 50 s")
    assert ours == (0.5, "step 225          loss 2.3000 1.3 s")
    scene.ours = Said(step=450, dev=2.1464, seconds=0.6, done=True)
    scene.notebook = Said(step=200_000, dev=2.168, done=True)
    notebook, ours = lanes_of(scene, race)
    assert notebook == (1.0, "step 200,000      dev 2.1680  all: 60 s")
    assert ours == (1.0, "step 450          dev 2.1464  1.3 s")


def test_a_lap_is_a_row_under_the_heading() -> None:
    assert heading() == "seed   cold start  from words      dev   notebook   it is then at     ratio"
    row = lap_row(Lap(1, 2.0, 0.5, 450, 2.1464, 62.0), 200_000)
    assert row == "   1       2.00 s      0.50 s   2.1464     62.0 s      step 6,451    31.0 x"
    missed = lap_row(Lap(12, None, None, 450, 2.3, 62.0), 200_000)
    assert missed == "  12  not reached               2.3000     62.0 s"
    assert max(map(len, (heading(), row))) <= 80


def test_the_end_is_drawn_to_scale_and_says_median_and_worst() -> None:
    laps = [Lap(k, seconds, 0.5, 450, 2.15, 60.0) for k, seconds in ((1, 2.0), (2, 3.0), (3, 2.5))]
    race = raced(*laps)
    notebook, ours = finish(race, 80, ascii_only=True, notebook_dev=None)
    assert notebook.endswith("=  60.00 s") and len(notebook) == 80
    assert ours == f"speedrun {'=' * 3}  2.50 s"
    assert verdict(race, 3) == "24.0 x by the median, 20.0 x at worst (seed 2); all 3 seeds reached 2.17"
    assert verdict(race, 5) == "24.0 x by the median, 20.0 x at worst (seed 2); 3 of 3 seeds reached 2.17"
    race.laps.append(Lap(4, None, None, 450, 2.2, 60.0))
    assert verdict(race, 4).endswith("(seed 2); 3 of 4 seeds reached 2.17")
    race.laps = race.laps[3:]
    assert finish(race, 80, ascii_only=True, notebook_dev=None) == []
    assert verdict(race, 4) == "none of 1 seed reached 2.17; the best dev loss was 2.2000"


def test_ratios_are_to_the_whole_time_where_the_notebook_took_all_its_steps() -> None:
    race = raced(Lap(1, 2.0, 0.5, 450, 2.15, 60.0), turns=((100_000, 30.0), (100_000, 50.0)))
    assert ratios_of(race) == {1: 30.0}
    race._full = True
    assert race.is_whole
    assert ratios_of(race) == {1: 40.0}
    assert "80.00 s, dev 2.1682" in finish(race, 80, ascii_only=False, notebook_dev=2.1682)[0]


@pytest.mark.parametrize("preset", ["speedrun", "backoff", "gru"])
@pytest.mark.parametrize("width", [40, 80])
def test_the_introduction_fits(preset: str, width: int) -> None:
    race = Race(make_config(preset), Path("nowhere"), 2.17)
    lines = introduction(race, "a\x1bb, 61 words", "because", "3,000 of them", width)
    assert max(map(len, lines)) <= width
    text = " ".join(lines)
    assert text.startswith("First to a dev loss of 2.17, because, on a\\x1bb, 61 words.")
    assert "notebook: mlp 3 letters, 10/200, one thread; 200,000 steps of 32, sgd, lr 0.1, then 0.01." in text
    assert {"speedrun": "450 steps of 256, adamw, lr 0.02 one-cycle", "backoff": "counted.", "gru": "gru"}[
        preset
    ] in text


# -- the whole of it


def test_json_is_one_document_of_what_was_done(cli: Cli, words_file: Path, corpus: Corpus) -> None:
    config = small(data=str(words_file), seed=1)
    dev = dev_losses(config, corpus)[-1][1]
    done = cli("speedrun", "--data", words_file, *SMALL, "--seeds", 1, "--full", "--target", dev, "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    (lap,) = document["laps"]
    assert (lap["seed"], lap["reached"], lap["step"], lap["dev"]) == (1, True, 40, dev)
    assert 0 < lap["seconds_from_words"] < lap["seconds"]
    notebook = document["notebook"]
    loop = NotebookLoop(lecture_config().but(steps=1000), corpus)
    loop.train(1000)
    assert (notebook["steps"], notebook["full"], notebook["dev"]) == (1000, True, loop.dev_loss())
    assert [turn["steps"] for turn in notebook["turns"]] == [1000]
    assert notebook["seconds"] == notebook["turns"][0]["seconds"] == lap["notebook_seconds"]
    assert lap["ratio"] == document["ratio"] == document["worst_ratio"] == notebook["seconds"] / lap["seconds"]
    assert (document["reached"], document["stopped"], document["target"]) == (True, False, dev)
    assert document["data"]["words"] == 61
    assert document["config"]["steps"] == 40
    assert done.err.startswith(f"First to a dev loss of {dev:.4g}, on ")
    assert heading() in done.err


def test_words_from_a_pipe_in_a_folder_with_modules_of_the_same_names(words_file: Path, here: Path) -> None:
    """A target that is missed: exit code 1, and no bar to scale."""
    for name in ("models.py", "data.py", "torch.py"):
        (here / name).write_text("raise SystemExit('the wrong module')")
    arguments = ["speedrun", "--data", "-", *SMALL, "--seeds", "1", "--target", "0.5"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tui_mm", *arguments],
        input=words_file.read_bytes(), capture_output=True, timeout=100, check=False,
        env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    out = done.stdout.decode()
    assert (done.returncode, done.stderr) == (1, b""), done.stderr
    assert max(map(len, out.splitlines())) <= 80
    *_, head, row, empty, last = out.splitlines()
    assert (head, empty) == (heading(), "")
    assert row.startswith("   1  not reached")
    assert last.startswith("none of 1 seed reached 0.5; the best dev loss was ")


def test_it_is_seen_live_and_ctrl_c_ends_it_with_what_is_known(words_file: Path, home: Path) -> None:
    home.mkdir()
    arguments = ["speedrun", "--data", str(words_file), *SMALL, "--seeds", "1000", "--target", "9"]
    with Person(arguments, home, 80, 24) as person:
        person.sees(r"notebook ─+  (starting Python|loading torch|making windows)")
        person.sees(r"speedrun [━╸─]+  (starting Python|loading torch|reading the words|step \d+)")
        person.sees(r"\n +1 +\d+\.\d\d s +\d+\.\d\d s +\d\.\d{4} .* x")
        sides = person.process.children()
        assert sides
        person.press("\x03")
        person.sees("stopped")
        person.sees(r"notebook [━╸]+  [\d.]+ s")
        person.sees(r"x by the median, .* x at worst \(seed \d+\); (\d+) of \1 seeds? reached 9")
        assert "loading torch" not in person.text()
        assert person._child.wait() == 130
        assert not any(side.is_running() for side in sides)


@pytest.mark.parametrize("arguments", [("--ascii", "speedrun"), ("speedrun", "--ascii")])
def test_ascii_alone_is_asked_for_before_or_after_the_command(
    arguments: tuple[str, ...], cli: Cli, words_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(race: Race, seeds: int, **_: object) -> Iterator[Lap]:
        race.turns.append((3000, 0.9))
        race.laps.append(Lap(1, 2.0, 0.5, 450, 2.15, 60.0))
        yield race.laps[-1]

    monkeypatch.setattr(Race, "run", run)
    done = cli(*arguments, "--data", words_file, "--seeds", "1")
    assert (done.code, done.err) == (0, "")
    assert "notebook ====" in done.out
    assert done.out.isascii()


def test_lanes_are_drawn_in_ascii_and_without_colours_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    scene = Scene(Said(step=50_000, loss=2.4, rate=4000.0), 3, Said(step=225, loss=2.3), 1.26)
    for ascii_only, half in ((True, "=============------------"), (False, "━━━━━━━━━━━━╸────────────")):
        lanes = Lanes(raced(), sys.stdout, ascii_only=ascii_only)
        drawn = lanes._picture(scene).plain.splitlines()
        assert len(drawn) == 2 and max(map(len, drawn)) <= 80
        assert drawn[1].startswith(f"speedrun {half}")
        assert lanes._console.no_color


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--seeds", "0"), "--seeds: 0 is not allowed; give a whole number from 1 to 1,000"),
        (("--target", "nan"), "--target: nan is not allowed; give a number"),
        (("--level", "word"), "--level: the notebook's words and split are those of the lecture, and so are ours"),
        (("--train-fraction", "0.5"), "--train-fraction: the notebook's words"),
        (("--data", "none.txt"), "none.txt: no such file"),
        (("--data", "dotted.txt"), "dotted.txt: has words with '.'"),
        (("--lr", "-1"), "--lr: '-1' is not allowed"),
        (("--preset", "none"), "--preset: 'none' is not allowed"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, str], line: str, cli: Cli, words_file: Path) -> None:
    Path("dotted.txt").write_text("a.b\nc\n" * 10)
    done = cli("speedrun", "--data", words_file, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert line in done.err


def test_help_begins_with_examples_and_keeps_what_is_hidden(cli: Cli) -> None:
    shown = cli("speedrun", "--help").out
    assert shown.startswith("Examples:")
    assert "--notebook-steps" not in shown
    assert "speedrun" in cli("--help").out
