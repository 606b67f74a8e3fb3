"""Run stores and checkpoints that are cut, garbled or gone: a clear line, and other runs unharmed."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus
from tests.conftest import Outcome, Promise
from tests.hostile import one_line
from tests.test_session import assert_same, config, new_run, stored
from tests.test_vanished_homes import other_run
from tui_mm.runs.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.listing import list_runs
from tui_mm.runs.run import Run
from tui_mm.runs.store import RunStore
from tui_mm.worker.loading import resume_trainer
from tui_mm.worker.session import training_session

COMMANDS = (
    ["runs", "show"], ["resume"], ["sample", "-n", "2"], ["eval"], ["compare"], ["runs", "rename"],
)  # fmt: skip


@pytest.fixture
def pair(corpus: Corpus) -> Iterator[tuple[Run, Run]]:
    """Two runs: one to be damaged, and one to be left as it is."""
    damaged, sound = other_run(corpus, 60), other_run(corpus, 60)
    before = {path.name: path.read_bytes() for path in sound.folder.iterdir() if path.suffix in (".db", ".safetensors")}
    yield damaged, sound
    for name, raw in before.items():
        assert (sound.folder / name).read_bytes() == raw or name == "run.db"
    assert len(stored(sound)[0]) == 60


def arguments(command: list[str], run: Run, other: Run) -> list[str]:
    more = {"compare": [other.id], "rename": ["mine"]}.get(command[-1], [])
    return (
        [*command[:2], run.id, *command[2:], *more]
        if command[0] == "runs"
        else [command[0], run.id, *command[1:], *more]
    )


def is_one_line(said: Outcome) -> bool:
    return said.code == 2 and len(said.err.splitlines()) == 1 and said.err.startswith("makemore-tui: error: ")


# --- the store


def test_what_sqlite_quotes_of_a_store_stays_in_the_line(pair: tuple[Run, Run]) -> None:
    """It quotes a definition that it does not understand from there to its end, over all its lines."""
    path = pair[0].folder / "run.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA writable_schema=ON")
        db.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '   lr', '\"  lr') || ? WHERE name = 'losses'", ("x" * 999,)
        )
    db.close()
    with pytest.raises(RunError, match="malformed database schema") as refused:
        RunStore(path)
    line = one_line(refused.value)
    assert line.endswith("; train anew; 'makemore-tui runs delete' takes the run away")
    assert len(line) < 600


def damage_header(path: Path) -> None:
    path.write_bytes(b"not SQLite at all, whatever one calls it" + path.read_bytes()[40:])


def damage_pages(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    draw = random.Random(3)
    for begin in range(4096, len(raw), 4096):
        raw[begin : begin + 512] = draw.randbytes(512)
    path.write_bytes(raw)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def take_away(path: Path) -> None:
    path.unlink()


def by_another_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE photos (id INTEGER)")


@pytest.mark.parametrize(
    "damage", [damage_header, damage_pages, cut, empty, by_a_folder, take_away, by_another_database]
)
def test_a_damaged_store_is_one_line_everywhere_and_other_runs_are_unharmed(
    damage: Callable[[Path], None], pair: tuple[Run, Run], cli: Callable[..., Outcome]
) -> None:
    run, sound = pair
    damage(run.folder / "run.db")
    rows = {row.id: row for row in list_runs(Home.find())}
    assert rows[run.id].status == "damaged"
    assert str(run.folder / "run.db") in rows[run.id].fault
    assert not rows[sound.id].fault
    listed = cli("runs")
    assert listed.code == 0
    assert sound.id in listed.out
    assert "damaged" in listed.out
    assert cli("runs", "--json").code == 0
    for command in COMMANDS:
        said = cli(*arguments(list(command), run, sound))
        if command[0] == "compare" and said.code == 0:
            assert "run.db" in said.out + said.err
            continue
        assert is_one_line(said), (command, said)
        assert "run.db" in said.err, said.err
    assert cli("sample", sound.id, "-n", "2").code == 0
    deleted = cli("runs", "delete", run.id, "--yes")
    assert deleted.code == 0, deleted.err
    assert not run.folder.exists()


@pytest.mark.parametrize("name", ["run.db-wal", "run.db-shm"])
def test_garbage_in_the_log_is_not_taken_for_the_runs(
    name: str, pair: tuple[Run, Run], cli: Callable[..., Outcome]
) -> None:
    run, _ = pair
    (run.folder / name).write_bytes(random.Random(5).randbytes(70_000))
    assert len(stored(run)[0]) == 60
    assert cli("runs", "show", run.id).code == 0
    assert not (run.folder / name).exists()


def test_random_bytes_anywhere_in_the_store_never_raise(
    pair: tuple[Run, Run], cli: Callable[..., Outcome], promised: Promise
) -> None:
    run, _ = pair
    path = run.folder / "run.db"
    whole, draw, refused = path.read_bytes(), random.Random(11), 0
    for _ in range(40):
        raw = bytearray(whole)
        for _ in range(draw.choice([1, 3, 30])):
            begin = draw.randrange(len(raw))
            raw[begin : begin + 4] = draw.randbytes(min(4, len(raw) - begin))
        path.write_bytes(raw)
        for leftover in ("run.db-wal", "run.db-shm"):
            (run.folder / leftover).unlink(missing_ok=True)
        assert cli("runs").code == 0
        shown = cli("runs", "show", run.id)  # a traceback would be raised here
        assert shown.code == 0 or is_one_line(shown), shown
        refused += shown.code == 2
    assert 3 < refused < 40, refused
    promised("A store with random bytes in it is shown or refused in one line", tried=40, lost=0)


# --- checkpoints


def example() -> Checkpoint:
    draw = np.random.default_rng(1)
    arrays = {
        "model.weight": draw.normal(size=(7, 5)).astype(np.float32),
        "generator": draw.integers(0, 256, 40, dtype=np.uint8),
        "scalar": np.array(3.0, np.float32),
        "none": np.empty((0, 4), np.float32),
    }
    return Checkpoint(arrays, {"trainer": {"step": 12}, "vocabulary": ["a", "é"]})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("kept") / "last.safetensors"
    save_checkpoint(path, example())
    return path.with_name("changed.safetensors"), path.read_bytes()


def test_a_checkpoint_that_is_cut_at_any_length_is_refused(kept: tuple[Path, bytes], promised: Promise) -> None:
    path, raw = kept
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(RunError, match="is damaged or no checkpoint"):
            load_checkpoint(path)
    promised("A checkpoint that is cut is refused, whatever its length", tried=len(raw), lost=0)


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.faults)])
def test_a_bit_that_turned_is_noticed_wherever_it_is(stride: int, kept: tuple[Path, bytes], promised: Promise) -> None:
    path, raw = kept
    harmless = 0
    bits = range(0, 8 * len(raw), stride)
    for bit in bits:
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        harmless += is_refused_or_the_same(path)
    assert harmless < 200 / stride + 1, "the name of the checksum, and little else"
    promised("A bit that turned in a checkpoint is noticed, or changes nothing", tried=len(bits), lost=0)


@given(data=st.data())
def test_bytes_that_changed_are_noticed(data: st.DataObject, kept: tuple[Path, bytes]) -> None:
    path, raw = kept
    begin = data.draw(st.integers(0, len(raw)), "begin")
    end = data.draw(st.integers(begin, min(len(raw), begin + 64)), "end")
    path.write_bytes(raw[:begin] + data.draw(st.binary(max_size=64), "bytes") + raw[end:])
    is_refused_or_the_same(path)


def is_refused_or_the_same(path: Path) -> bool:
    """Whether it is read; it must be what was kept then."""
    try:
        found = load_checkpoint(path)
    except RunError:
        return False
    whole = example()
    assert found.values == whole.values
    assert found.arrays.keys() == whole.arrays.keys()
    assert all(np.array_equal(found.arrays[name], array) for name, array in whole.arrays.items())
    return True


def cut_run(corpus: Corpus) -> Run:
    """Stopped at step 150, with a best checkpoint of an earlier one."""
    run, session = new_run(corpus, config(steps=300, eval_every=40))
    session.train(should_stop=lambda: session.trainer.step >= 150)
    return run


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-7] ^= 16
    path.write_bytes(raw)


@pytest.mark.parametrize("damage", [flip, cut, empty, take_away])
def test_a_damaged_last_checkpoint_is_said_and_the_best_is_gone_on_from_to_the_same_bits(
    damage: Callable[[Path], None], corpus: Corpus, cli: Callable[..., Outcome]
) -> None:
    whole, session = new_run(corpus, config(steps=300, eval_every=40))
    session.train()
    run = cut_run(corpus)
    step = load_checkpoint(run.checkpoint("best")).values["trainer"]["step"]
    assert 0 < step < 150
    damage(run.checkpoint("last"))
    refused = cli("sample", run.id, "-n", "2")
    assert is_one_line(refused), refused
    assert "last.safetensors" in refused.err
    assert cli("sample", run.id, "-n", "2", "--checkpoint", "best").code == 0
    resumed = cli("resume", run.id)
    assert resumed.code == 0, resumed.err
    assert f"went on from the best one, of step {step}" in resumed.out
    with run.store() as store:
        assert [event.kind for event in store.events()].count("restored") == 1
    assert_same(whole, run)


@pytest.mark.parametrize("damage", [flip, empty])
def test_with_both_checkpoints_damaged_nothing_is_overwritten(
    damage: Callable[[Path], None], corpus: Corpus, cli: Callable[..., Outcome]
) -> None:
    run = cut_run(corpus)
    losses = stored(run)[0]
    flip(run.checkpoint("last"))
    damage(run.checkpoint("best"))
    said = cli("resume", run.id)
    assert is_one_line(said), said
    assert "last.safetensors" in said.err
    assert "best.safetensors" in said.err
    assert "train anew" in said.err
    assert np.array_equal(stored(run)[0], losses)


def test_a_folder_in_a_checkpoints_place_is_said(corpus: Corpus, cli: Callable[..., Outcome]) -> None:
    run = cut_run(corpus)
    losses = stored(run)[0]
    by_a_folder(run.checkpoint("last"))
    for command in (["sample", run.id], ["eval", run.id], ["resume", run.id]):
        said = cli(*command)
        assert is_one_line(said), said
        assert "last.safetensors: is no plain file" in said.err
    assert np.array_equal(stored(run)[0], losses)


def test_a_checkpoint_ahead_of_its_store_is_not_gone_on_from(corpus: Corpus, tmp_path: Path) -> None:
    """A store whose end was lost: to go on would leave a hole in the losses."""
    whole, session = new_run(corpus, config(steps=300, eval_every=40))
    session.train()
    run = cut_run(corpus)
    best = load_checkpoint(run.checkpoint("best")).values["trainer"]["step"]
    with run.store() as store:
        store.truncate(best + 5, best)
    with training_session(run, *resume_trainer(run)) as session:
        assert session.train() is not None
    assert_same(whole, run)
    run = cut_run(corpus)
    with run.store() as store:
        store.truncate(1, 0)
    with pytest.raises(RunError, match="has the first 1 alone"), training_session(run, *resume_trainer(run)):
        pass


def test_words_that_changed_are_not_trained_on(corpus: Corpus, cli: Callable[..., Outcome], words_file: Path) -> None:
    assert cli("train", "--data", words_file, "--steps", 5, "--name", "mine").code == 0
    run = Run(next(path for path in Home.find().runs.iterdir()))
    text = (run.folder / "words.txt").read_text()
    (run.folder / "words.txt").write_text(text.replace("emma", "emna"))
    with pytest.raises(RunError, match=r"words\.txt.*not those"):
        resume_trainer(run)


def test_one_store_in_anothers_place_is_told(pair: tuple[Run, Run]) -> None:
    run, sound = pair
    with RunStore(run.folder / "run.db") as store:
        shutil.copy(sound.folder / "run.db", run.folder / "copy")
        (run.folder / "copy").replace(run.folder / "run.db")
        with pytest.raises(RunError, match="is another file than before"):
            store.set(a=1)
