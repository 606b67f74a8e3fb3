"""`export`: what each form holds, value by value."""

from __future__ import annotations

import itertools
import math
import re
import sqlite3
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.corpus import Corpus
from tests.exported import f32, lines_of, made_run, new_run, table
from tui_mm.config import RunConfig
from tui_mm.dashboard.charts.loss import Curve, LossPicture
from tui_mm.dashboard.charts.loss_svg import loss_svg
from tui_mm.runs.run import Run
from tui_mm.runs.series import LossSeries
from tui_mm.runs.store import EvaluationRow, LossChunk, RunStore, SampleRow
from tui_mm.training.schedules import lr_factor

SVG = "{http://www.w3.org/2000/svg}"
REPOSITORY = Path(__file__).parent.parent
Cli = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def run(corpus: Corpus) -> Run:
    return made_run(corpus)


# -- csv


@pytest.mark.usefixtures("run")
def test_a_table_has_a_row_a_step_and_one_before_them(cli: Cli, here: Path) -> None:
    done = cli("export", "one", "--to", "csv")
    assert (done.code, done.err) == (0, "")
    written = (here / "one.csv").read_text()
    assert written.splitlines() == [
        "step,loss,lr,seconds,train,dev",
        "0,,,1.000000,3.25,3.5",
        "1,3.1,0.1,1.500000,,",
        "2,2.5,0.1,2.000000,,",
        "3,nan,0.1,2.500000,,",
        "4,0.1,0.010000000000000002,3.000000,nan,inf",
        "5,inf,0.010000000000000002,4.500000,,",
        "6,1e-05,0.010000000000000002,5.000000,2.0,",
    ]
    assert re.fullmatch(rf"run [0-9a-f]{{8}} to one\.csv: 6 steps, {len(written)} bytes\n", done.out)


def test_the_rate_is_that_of_every_step_also_after_a_person_changed_it(corpus: Corpus) -> None:
    run = new_run(corpus, steps=40, schedule="one-cycle", lr=0.5, warmup=0.2)
    config = run.config()
    rates = [(0.5 if step < 17 else 0.125) * lr_factor(config, step) for step in range(40)]
    with run.store() as store:
        for first, count in ((1, 10), (11, 7), (18, 23)):  # changed after step 17
            losses = np.ones(count, np.float32)
            store.add_losses(LossChunk(first, losses, rates[first + count - 2], 1.0, float(first)))
    found = [float(row["lr"]) for row in table(run)]
    assert found[:17] == rates[:17], "to the bit where nobody changed it"
    assert found == pytest.approx(rates, rel=1e-14)


TAKEN = st.none() | st.tuples(st.floats(), st.none() | st.floats(), st.booleans())


LOSSES = st.lists(st.floats(width=32), min_size=1, max_size=12)
TAKEN = st.none() | st.tuples(st.floats(), st.none() | st.floats(), st.booleans())


class Kept:
    """A store in a folder of its own, with what hypothesis thought of."""

    def __init__(self, folder: Path, parts: list[tuple[list[float], Any]], texts: list[str]) -> None:
        self.chunks: list[LossChunk] = []
        self.evaluations: list[EvaluationRow] = []
        self.samples = [SampleRow(text, None if i % 2 else "dev") for i, text in enumerate(texts)]
        self.run = Run(folder)
        first, seconds = 1, 0.0
        with RunStore(folder / "run.db", create=True) as store:
            config = RunConfig()
            store.set(config=config.values(), name="x", created="2026-01-01T00:00:00+00:00", data={}, model={})
            for losses, taken in parts:
                seconds += 1 / 3
                chunk = LossChunk(first, np.array(losses, np.float32), config.lr, seconds / 2, seconds)
                self.chunks.append(chunk)
                store.add_losses(chunk)
                first += len(losses)
                if taken is not None:
                    row = EvaluationRow(first - 1, *taken, seconds)
                    self.evaluations.append(row)
                    store.add_evaluation(row)
            store.set_samples(first - 1, self.samples)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    base, numbers = tmp_path_factory.mktemp("kept"), itertools.count()

    def new() -> Path:
        folder = base / f"{next(numbers):08x}"
        folder.mkdir()
        return folder

    return new


def same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


@settings(max_examples=25)
@given(parts=st.lists(st.tuples(LOSSES, TAKEN), max_size=5))
def test_a_table_read_back_is_what_was_kept(folders: Callable[[], Path], parts: list[Any]) -> None:
    kept = Kept(folders(), parts, [])
    rows = table(kept.run)
    losses = np.array([float(row["loss"]) for row in rows], np.float32)
    expected = np.concatenate([chunk.losses for chunk in kept.chunks]) if kept.chunks else np.empty(0, np.float32)
    assert np.array_equal(losses, expected, equal_nan=True)
    assert [int(row["step"]) for row in rows] == list(range(1, len(losses) + 1))
    taken = [row for row in rows if row["train"]]
    assert len(taken) == len(kept.evaluations)
    for row, e in zip(taken, kept.evaluations, strict=True):
        assert int(row["step"]) == e.step
        assert same(float(row["train"]), e.train)
        assert same(float(row["dev"]) if row["dev"] else None, e.dev)
    for chunk in kept.chunks:
        assert float(rows[chunk.first_step + len(chunk.losses) - 2]["seconds"]) == pytest.approx(
            chunk.seconds, abs=1e-6
        )


# -- jsonl


def test_json_lines_hold_all_that_is_kept(run: Run) -> None:
    lines = lines_of(run)
    first = lines[0]
    assert (first["kind"], first["format"], first["run"], first["status"]) == ("run", 1, run.id, "done")
    assert first["config"] == run.config().values()
    assert (first["name"], first["data"]["words"], first["model"]["kind"]) == ("one", 61, "mlp")
    events = [line for line in lines if line["kind"] == "event"]
    assert [(e["step"], e["event"], e["message"], e["sender"]) for e in events] == [
        (0, "started", "started at step 0", ""), (6, "asked", "lr 0.3", "ada"),
    ]  # fmt: skip
    assert [line for line in lines[1:] if line["kind"] != "event"] == [
        {"kind": "losses", "first_step": 1, "losses": [3.1, 2.5, None, 0.1], "lr": 0.1 * 0.1, "train_seconds": 2.0,
         "seconds": 3.0, "not_finite": {"3": "nan"}},
        {"kind": "losses", "first_step": 5, "losses": [None, 1e-5], "lr": 0.1 * 0.1, "train_seconds": 3.0,
         "seconds": 5.0, "not_finite": {"5": "inf"}},
        {"kind": "evaluation", "step": 0, "train": 3.25, "dev": 3.5, "is_best": True, "seconds": 1.0},
        {"kind": "evaluation", "step": 4, "train": None, "dev": None, "is_best": False, "seconds": 4.0,
         "not_finite": {"train": "nan", "dev": "inf"}},
        {"kind": "evaluation", "step": 6, "train": 2.0, "dev": None, "is_best": False, "seconds": 5.5},
        {"kind": "sample", "step": 6, "position": 0, "text": "em\x1bma", "seen_in": "train"},
        {"kind": "sample", "step": 6, "position": 1, "text": "=zq|<b>", "seen_in": None},
        {"kind": "snapshot", "step": 0, "snapshot": "names", "value": ["a", "*b*"]},
        {"kind": "snapshot", "step": 4, "snapshot": "embedding",
         "value": {"step": 4, "ids": [0], "vectors": [[0.5, None]]}},
        {"kind": "snapshot", "step": 4, "snapshot": "names", "value": ["anna"]},
        {"kind": "sweep_point", "sweep": 1, "exponent": -3.0, "lr": 0.001, "loss": 3.0},
        {"kind": "sweep_point", "sweep": 1, "exponent": -2.0, "lr": 0.01, "loss": None, "not_finite": {"loss": "nan"}},
    ]  # fmt: skip


def test_the_documented_fields_are_those_that_are_written(run: Run) -> None:
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", (REPOSITORY / "docs" / "export.md").read_text(), re.MULTILINE)
    told = {kind: re.sub(r"\([^)]*\)", "", fields) for kind, fields in rows}
    for line in lines_of(run):
        written = set(line) - {"kind", "not_finite"}
        assert written == set(re.findall(r"\b[a-z_]+\b", told[line["kind"]])) - {
            "and",
            "as",
            "of",
            "the",
            "last",
            "them",
        }


@settings(max_examples=25)
@given(parts=st.lists(st.tuples(LOSSES, TAKEN), max_size=5), texts=st.lists(st.text(max_size=8), max_size=4))
def test_a_run_is_rebuilt_from_json_lines(folders: Callable[[], Path], parts: list[Any], texts: list[str]) -> None:
    kept = Kept(folders(), parts, [text.encode("utf-8", "replace").decode() for text in texts])
    lines = lines_of(kept.run)

    def value(line: dict[str, Any], key: str) -> float | None:
        odd = line.get("not_finite", {}).get(key)
        found = line[key] if odd is None else float(odd)
        return None if found is None else float(found)

    chunks = [line for line in lines if line["kind"] == "losses"]
    for line, chunk in zip(chunks, kept.chunks, strict=True):
        odd = {int(step): float(text) for step, text in line.get("not_finite", {}).items()}
        losses = [odd.get(i) if loss is None else loss for i, loss in enumerate(line["losses"], line["first_step"])]
        assert line["first_step"] == chunk.first_step
        assert np.array_equal(np.array(losses, np.float32), chunk.losses, equal_nan=True)
        assert (line["lr"], line["train_seconds"], line["seconds"]) == (chunk.lr, chunk.train_seconds, chunk.seconds)
    taken = [line for line in lines if line["kind"] == "evaluation"]
    for line, e in zip(taken, kept.evaluations, strict=True):
        assert (line["step"], line["is_best"], line["seconds"]) == (e.step, e.is_best, e.seconds)
        assert same(value(line, "train"), e.train)
        assert same(value(line, "dev"), e.dev)
    assert [SampleRow(s["text"], s["seen_in"]) for s in lines if s["kind"] == "sample"] == kept.samples


# -- svg


def texts_of(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


def drawn(picture: LossPicture, title: str = "t", subtitle: str = "s") -> ET.Element:
    return ET.fromstring(loss_svg(picture, title, subtitle))


def paths(svg: ET.Element, css: str) -> list[str]:
    return [path.get("d", "") for path in svg.iter(f"{SVG}path") if path.get("class") == css]


def test_every_mark_stands_where_its_value_is() -> None:
    """On axes of 0 to 10 steps, 72 to 924 units, and losses 10 to 1, 84 to 448 units."""
    series = LossSeries(np.array([10.0, 1.0, math.nan, 10**0.5, 100.0, *[1.0] * 5]))
    columns = series.columns(np.arange(11))
    run = Curve("train", columns, [(0, 10.0), (5, 10**0.5), (10, 1.0)], (10, 1.0), series.first_bad)
    svg = drawn(LossPicture("steps", (0.0, 10.0), (0.0, 1.0), run=run, baselines=[("uniform", 10**0.5)]))
    lines = paths(svg, "s-dev")
    assert lines[0] == "M72.0 84.0L498.0 266.0L924.0 448.0"
    assert [d.split("l")[0] for d in paths(svg, "f-dev")[:3]] == ["M72.0 80.0", "M498.0 262.0", "M924.0 444.0"]
    train = paths(svg, "s-train")
    assert train[0] == "M157.2 84.0L242.4 448.0", "broken where nothing is finite"
    assert train[1].startswith("M412.8 266.0L498.0 ")
    assert train[1].endswith("L924.0 448.0")
    assert paths(svg, "s-bad")[0] == "M324.6 97.0l6 6m0 -6l-6 6"
    assert paths(svg, "f-train")[0] == "M498.0 85.0l4 7h-8Z", "a loss of 100 lies beyond the axis"
    assert "M72 266.0H924" in paths(svg, "s-muted")
    words = texts_of(svg)
    for text in (
        "uniform 3.162",
        "best dev 1.0000 at step 10",
        "nan: not finite from step 3",
        "beyond the axis",
        "step",
    ):
        assert text in words


@given(st.text(max_size=200), st.text(max_size=300))
def test_whatever_a_run_is_called_the_drawing_is_sound(title: str, subtitle: str) -> None:
    run = Curve("train", LossSeries(f32(2, 1)).columns(np.arange(3)))
    picture = LossPicture("steps", (0.0, 2.0), (0.0, 1.0), run=run)
    text = loss_svg(picture, title, subtitle)
    text.encode()
    assert texts_of(ET.fromstring(text))[-1] == "min to max"
    assert len(list(ET.fromstring(text).iter())) == len(list(drawn(picture).iter())), "no markup comes of a name"


@pytest.mark.usefixtures("run")
def test_the_picture_says_what_it_is_of_and_loads_nothing(cli: Cli, here: Path) -> None:
    done = cli("export", "one", "--to", "svg")
    assert (done.code, done.err) == (0, "")
    text = (here / "one.svg").read_text()
    svg = ET.fromstring(text)
    words = texts_of(svg)
    assert words[0] == "one"
    assert words[1].startswith("mlp, 34,400 parameters · words, 61 words · 6 steps · adamw, lr 0.1 step, batch")
    assert {"uniform ln 24 3.178", "loss, nats (log scale)", "best dev 3.5000 at step 0"} <= set(words)
    assert any(word.startswith("bigram counts 2.") for word in words)
    assert text.count("http") == 1, "the name of SVG alone"
    assert not re.search(r"url\((?!#)|href|@import|<script|<image", text)
    assert "prefers-color-scheme: dark" in text
    assert [element.tag for element in svg][:2] == [f"{SVG}title", f"{SVG}desc"]


def test_a_model_that_counted_is_a_level(cli: Cli, words_file: Path, here: Path) -> None:
    cli("train", "--data", words_file, "--model", "bigram", "--name", "pairs")
    assert cli("export", "pairs", "--to", "svg").code == 0
    words = texts_of(ET.parse(here / "pairs.svg").getroot())
    assert "dev 2.6806, counted in one step" in words
    assert "train, mean" not in words


# -- tensorboard


def test_without_the_package_one_line_says_how_to_get_it(
    run: Run, cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("tensorboard.")]:
        monkeypatch.delitem(sys.modules, name)
    done = cli("export", run.id, "--to", "tensorboard")
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert "pip install 'makemore-tui[tensorboard]'" in done.err
    assert not list(here.iterdir())


def test_tensorboard_reads_what_was_kept(run: Run, cli: Cli, here: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install '.[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator

    done = cli("export", run.id, "--to", "tensorboard", "--output", "log")
    assert done.code == 0, done.err
    found = EventAccumulator(str(here / "log"), size_guidance={"scalars": 0, TENSORS: 0})
    found.Reload()
    assert set(found.Tags()["scalars"]) == {"loss", "lr", "evaluation/train", "evaluation/dev"}
    losses = found.Scalars("loss")
    assert [e.step for e in losses] == [1, 2, 3, 4, 5, 6]
    assert np.array_equal([e.value for e in losses], f32(3.1, 2.5, math.nan, 0.1, math.inf, 1e-5), equal_nan=True)
    assert [e.wall_time - losses[0].wall_time for e in losses] == pytest.approx([0, 0.5, 1, 1.5, 3, 3.5], abs=1e-3)
    assert [e.value for e in found.Scalars("lr")] == pytest.approx([0.1] * 3 + [0.01] * 3)
    assert [(e.step, e.value) for e in found.Scalars("evaluation/dev")] == [(0, 3.5), (4, math.inf)]
    assert [e.step for e in found.Scalars("evaluation/train")] == [0, 4, 6]

    def text(tag: str) -> list[tuple[int, str]]:
        return [(e.step, e.tensor_proto.string_val[0].decode()) for e in found.Tensors(tag)]

    assert text("names") == [(0, "    a\n    *b*"), (4, "    anna")]
    assert text("samples") == [(6, "    em\\x1bma  (in train)\n    =zq|<b>  (new)")]
    assert "| schedule | step |" in text("configuration")[0][1]
    assert "    lr 0.3" in text("events")[0][1]

    again = cli("export", run.id, "--to", "tensorboard", "--output", "log")
    assert again.code == 2
    assert "is there already" in again.err
    assert cli("export", run.id, "--to", "tensorboard", "--output", "log", "--force").code == 0
    assert len(list((here / "log").iterdir())) == 1
    assert "TensorBoard reads a folder" in cli("export", run.id, "--to", "tensorboard", "--output", "-").err


def test_a_failed_log_leaves_no_folder(run: Run, cli: Cli, here: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install '.[tensorboard]'")
    with sqlite3.connect(run.folder / "run.db") as db:
        db.execute("UPDATE losses SET data = x'0102' WHERE first_step = 5")
    db.close()
    assert cli("export", run.id, "--to", "tensorboard").code == 2
    assert not list(here.iterdir())
