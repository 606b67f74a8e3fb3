"""Sizes that files from elsewhere claim or have: nothing is allocated by what they say, and what is read is bounded.

Each is read in a process of its own that may take only so much memory: beyond it, an allocation fails there.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from tests.conftest import REPOSITORY, Promise
from tests.hostile import change, set_meta, settle, sound_experiment, sound_run
from tui_mm.config import make_config
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run
from tui_mm.worker import loading

_MIB = 1 << 20
_READ = """
import json, resource, sys, time
from pathlib import Path
from tests.hostile import READERS, REFUSALS
from data.catalog import load
from tui_mm.config import make_config
from tui_mm.experiments.kept import KeptExperiment
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run
from tui_mm.settings import Settings
from tui_mm.worker.client import WorkerClient

def tail(run):
    client = WorkerClient(run)
    client._log_at = 0
    found = client.last_lines() + client.new_lines()
    client.close()
    assert sum(map(len, found)) < 100_000

allowed = int(sys.argv[1])
readers = {
    "a run": lambda where: [lambda read=read: read(Run(where)) for read in READERS.values()],
    "a checkpoint": lambda where: [lambda: load_checkpoint(Run(where).checkpoint("last"))],
    "an experiment": lambda where: [lambda: KeptExperiment(where).read()],
    "words": lambda where: [lambda: load(str(where), cache=where.parent)],
    "a configuration": lambda where: [lambda: make_config(file=where)],
    "settings": lambda where: [lambda: Settings.load(Home(where))],
    "a log": lambda where: [lambda: tail(Run(where))],
}
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + allowed, now + allowed))
for what, where in ((w, Path(p)) for w, _, p in (a.partition("=") for a in sys.argv[2:])):
    began, said = time.monotonic(), []
    for read in readers[what](where):
        try:
            read()
            said.append("read")
        except REFUSALS as error:
            said.append(str(error))
    print(json.dumps([said, time.monotonic() - began]))
"""


def read_in_bounds(mebibytes: int, *places: tuple[str, Path]) -> list[tuple[list[str], float]]:
    """What the readers of each (what it is, where) say, and the seconds that all took, in a process that may take so
    much more memory than it has at its start."""
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(mebibytes * _MIB), *(f"{what}={where}" for what, where in places)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = [(said, seconds) for said, seconds in map(json.loads, done.stdout.splitlines())]
    assert len(found) == len(places)
    assert all(said and not any("\n" in line for line in said) for said, _ in found)
    return found


@pytest.fixture
def place(home: Path) -> Home:
    return Home(home)


# -- the run's store


def huge_model(run: Run) -> None:
    """Its configuration asks for more than any machine has."""
    config = make_config().values() | {"hidden": 10**9, "block_size": 10**9, "embedding": 10**9}
    set_meta(run, "config", config)


def many_samples(run: Run) -> None:
    change(run, "DELETE FROM samples")
    change(run, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 400) "
                "INSERT INTO samples SELECT 10, i, hex(zeroblob(600000)), NULL FROM n")  # fmt: skip


def many_events(run: Run) -> None:
    change(run, "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
                "INSERT INTO events SELECT i, 1e9, 0, 'x', 'x', '' FROM n")  # fmt: skip


def long_event(run: Run) -> None:
    change(run, "INSERT INTO events VALUES (3, 1e9, 0, 'x', hex(zeroblob(20000000)), '')")


def huge_snapshot(run: Run) -> None:
    text = '{"ids": [], "vectors": [' + "[]," * 30_000_000 + "[]]}"
    change(run, "INSERT INTO snapshots VALUES (9, 'embedding', ?)", text)


def many_lists(run: Run) -> None:
    """Within what a value may be, and a hundred times as much as Python's objects."""
    change(run, "INSERT INTO meta VALUES ('x', ?)", "[" + "[]," * 2_700_000 + "[]]")


def deep_lists(run: Run) -> None:
    for table, column in (("meta", "value"), ("snapshots", "data"), ("commands", "arguments")):
        change(run, f"UPDATE {table} SET {column} = ?", "[" * 100_000 + "]" * 100_000)


def huge_blob(run: Run) -> None:
    change(run, "UPDATE losses SET data = zeroblob(200000000) WHERE first_step = 6")


def many_losses(run: Run) -> None:
    """More than is read at once in one look, though each row is no larger than it may be."""
    change(run, "DELETE FROM losses")
    change(run, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 60) "
                "INSERT INTO losses SELECT 1 + i * 2000000, 2000000, zeroblob(8000000), 0.1, 1, 1 FROM n")  # fmt: skip


def some_samples(run: Run) -> None:
    change(run, "INSERT INTO samples VALUES (10, 5, zeroblob(70000000), NULL)")


SMALL = (huge_model, long_event, huge_snapshot, many_lists, deep_lists, huge_blob, some_samples)
LARGE = (many_samples, many_events, many_losses)
"""These take a disk a while to be written."""


@pytest.mark.parametrize(
    ("makers", "allowed"), [(SMALL, 250), pytest.param(LARGE, 600, marks=pytest.mark.faults)], ids=["small", "large"]
)
def test_stores_of_any_size_are_read_in_bounded_memory(
    makers: Sequence[Callable[[Run], None]], allowed: int, place: Home, promised: Promise
) -> None:
    runs = [sound_run(place, None) for _ in makers]
    for run, make in zip(runs, makers, strict=True):
        make(run)
        settle(run.folder / "run.db")
    found = read_in_bounds(allowed, *(("a run", run.folder) for run in runs))
    for said, seconds in found:
        assert len(said) == 9
        assert seconds < 30
    slowest = max(seconds for _, seconds in found)
    figure = f"at most {allowed} MiB and {slowest:.1f} s each"
    promised("A store of any size is read or refused within bounds", tried=len(runs), lost=0, figure=figure)


# -- single files


def sparse(path: Path, size: int, begin: bytes = b"") -> Path:
    path.write_bytes(begin)
    os.truncate(path, size)
    return path


def test_an_endless_word_list_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promised: Promise) -> None:
    """With the bound made small: a GiB of nothing takes a while to be read."""
    from data import corpus

    monkeypatch.setattr(corpus, "MAX_BYTES", 8 * _MIB)
    with pytest.raises(corpus.CorpusError, match="is larger than 8 MiB"):
        corpus.read_words(Path("/dev/zero"))
    promised("An endless word list is given up", tried=1, lost=0)


def test_a_file_of_a_terabyte_is_given_up(place: Home, tmp_path: Path, promised: Promise) -> None:
    kept, run = sound_experiment(place), sound_run(place)
    files = {
        "a configuration": (tmp_path / "x.toml", tmp_path / "x.toml", b""),
        "settings": (place.root, place.root / "settings.json", b""),
        "an experiment": (kept.folder, kept.folder / "experiment.json", b""),
        "words": (tmp_path / "words.txt", tmp_path / "words.txt", b"emma\n"),
        "a checkpoint": (run.folder, run.checkpoint("last"), run.checkpoint("last").read_bytes()),
        "a log": (run.folder, run.folder / "worker.log", b"a line\n"),
    }
    for _, file, begin in files.values():
        sparse(file, 1 << 40, begin)
    found = read_in_bounds(30, *((what, where) for what, (where, *_) in files.items()))
    said = {what: line for what, ((line,), _) in zip(files, found, strict=True)}
    assert all("larger than" in said[what] for what in ("a configuration", "an experiment", "words", "a checkpoint"))
    figure = f"at most 30 MiB and {max(seconds for _, seconds in found):.1f} s each"
    promised("A file of a terabyte is given up", tried=len(files), lost=0, figure=figure)


def test_a_word_of_eight_million_letters_is_one_word(tmp_path: Path) -> None:
    long = tmp_path / "long.txt"
    long.write_text("a" * 8_000_000)
    [(said, seconds)] = read_in_bounds(300, ("words", long))
    assert said == ["read"]
    assert seconds < 20


# -- checkpoints


def header(document: object, length: int | None = None, body: bytes = b"") -> bytes:
    text = json.dumps(document).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(shape: list[int], end: int, kind: str = "F32") -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [0, end]}


CHECKPOINTS = {
    "a header of 2^60 bytes": header({}, 1 << 60),
    "a header of 2^64 - 1 bytes": header({}, (1 << 64) - 1),
    "a shape of 10^12": header({"model.C": entry([10**12], 4 * 10**12)}, body=b"\0" * 64),
    "a shape that overflows": header({"model.C": entry([1 << 62, 1 << 62], 16)}, body=b"\0" * 16),
    "a shape beyond 64 bits": header({"model.C": entry([1 << 70], 16)}, body=b"\0" * 16),
    "10^5 arrays of nothing": header({f"model.{n}": entry([0], 0) for n in range(100_000)}),
    "no dimension": header({"model.C": entry([], 4)}, body=b"\0" * 4),
    "10,000 dimensions": header({"model.C": entry([1] * 10_000, 4)}, body=b"\0" * 4),
    "lists in lists": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "values in lists in lists": save({"x": np.zeros(1)}, {"makemore-tui": "[" * 100_000}),
}


def test_a_checkpoint_that_claims_anything_is_refused(place: Home, promised: Promise) -> None:
    path = sound_run(place).checkpoint("last")
    for kind, raw in CHECKPOINTS.items():
        path.write_bytes(raw)
        with pytest.raises(RunError) as refusal:
            load_checkpoint(path)
        assert "\n" not in str(refusal.value), kind
    figure = "; ".join(list(CHECKPOINTS)[:4])
    promised("A checkpoint that claims sizes it has not is refused", tried=len(CHECKPOINTS), lost=0, figure=figure)


def test_a_model_is_not_made_for_a_checkpoint_that_has_no_weights_for_it(
    place: Home, promised: Promise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its configuration alone, it would take a gigabyte and many seconds of random numbers."""
    run = sound_run(place)
    config = make_config().values() | {"hidden": 65536, "embedding": 512, "block_size": 7}
    values = {"format": 1, "trainer": {"step": 1}, "config": config, "vocabulary": "abc"}
    raw = save({"model.C": np.zeros((4, 512), np.float32)}, {"makemore-tui": json.dumps(values)})
    run.checkpoint("last").write_bytes(raw)
    monkeypatch.setattr(loading, "build_model", lambda *_: pytest.fail("a model is made"))
    with pytest.raises(RunError, match="has 2,048 numbers, fewer than"):
        loading.load_model(run)
    promised("No model is made that a checkpoint has no weights for", tried=1, lost=0)


def test_the_library_is_told_what_a_value_may_take(place: Home) -> None:
    """Without the bound on a value, SQLite reads up to a gigabyte of it before anybody can look at its length."""
    run = sound_run(place)
    change(run, "INSERT INTO meta VALUES ('x', zeroblob(70000000))")
    with run.store() as store:
        assert store._db.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) == 1 << 26
