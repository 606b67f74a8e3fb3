"""Files from elsewhere: whatever they hold, they are read, or refused in one line of the reader's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.catalog import load
from data.corpus import Corpus
from tests.conftest import Promise
from tests.hostile import (
    NASTY,
    REFUSALS,
    change,
    damaged,
    one_line,
    plain_values,
    read_all,
    set_meta,
    settle,
    sound_experiment,
    sound_run,
)
from tui_mm.config import make_config
from tui_mm.experiments.kept import KeptExperiment
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run
from tui_mm.settings import Settings

often = pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.faults)], ids=["few", "many"])
"""A short form for every day, and one that takes minutes."""

TOML = b'preset = "lecture"\nsteps = 100\nlr = 0.1\nmodel = "mlp"\nhidden = 64\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, KeptExperiment]:
    """A run and an experiment that are sound, to make others from."""
    home = Home(tmp_path_factory.mktemp("elsewhere"))
    run, kept = sound_run(home), sound_experiment(home)
    settle(run.folder / "run.db")
    return run, kept


def copied(run: Run, folder: Path) -> Run:
    shutil.rmtree(folder / run.id, ignore_errors=True)
    return Run(Path(shutil.copytree(run.folder, folder / run.id)))


def words_of(level: str, encoding: str = "utf-8") -> Callable[[Path], Corpus]:
    return lambda path: load(str(path), cache=path.parent, level=level, encoding=encoding)


SINGLE: dict[str, tuple[bytes, Callable[[Path], Any]]] = {
    "a word list": ("emma\nolivia\nzoë\n李小龙\n".encode(), words_of("character")),
    "a word list in UTF-16": ("emma\nzoë\n".encode("utf-16"), words_of("character", "utf-16")),
    "a text": (b'It was. "No," she said. It\'s Mr. B!\n\nNext', words_of("word")),
    "a configuration": (TOML, lambda path: make_config(file=path)),
}


@often
@pytest.mark.parametrize("kind", SINGLE)
def test_any_file_of_words_or_settings_is_read_or_refused(
    times: int, kind: str, tmp_path: Path, promised: Promise
) -> None:
    sound, read = SINGLE[kind]
    path, tried = tmp_path / "file", 0

    @settings(max_examples=60 * times)
    @given(st.binary(max_size=120) | damaged(sound))
    def look(raw: bytes) -> None:
        nonlocal tried
        tried += 1
        path.write_bytes(raw)
        try:
            read(path)
        except REFUSALS as error:
            one_line(error)

    look()
    promised(f"{kind.capitalize()} from elsewhere is read or refused in one line", tried=tried, lost=0)


@pytest.mark.parametrize("text", [f"a = {'[' * 400}{']' * 400}", "a." * 2000 + "b = 1", "steps = " + "9" * 6000,
                                  'model = "' + "x" * 900_000 + '"', "lr = 1e400", "lr = nan", "steps = 2020-01-01",
                                  'data = "~nobody-of-this-name/x"',
                                  *(f"model = {json.dumps(t)}" for t in NASTY)])  # fmt: skip
def test_a_hostile_configuration_is_one_short_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    try:
        config = make_config(file=path)
    except REFUSALS as error:
        one_line(error)
    else:
        with pytest.raises(REFUSALS) as refusal:
            load(config.data, cache=tmp_path)
        one_line(refusal.value)


@pytest.mark.parametrize("encoding", ["a\0b", "hex", "rot13", "os.path", "../x", "x" * 5000, "undefined", "idna", ""])
def test_an_encoding_that_is_none_is_refused(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xff\xfe\nemma\n" * 3)
    with pytest.raises(REFUSALS) as refusal:
        load(str(path), cache=tmp_path, encoding=encoding)
    one_line(refusal.value)


@often
def test_any_settings_are_taken_or_replaced(times: int, tmp_path: Path, promised: Promise) -> None:
    home, tried = Home(tmp_path), 0
    Settings(theme="nord", recent=["/words.txt"]).save(home)
    sound = (tmp_path / "settings.json").read_bytes()
    names = sorted(Settings.__struct_fields__)

    @settings(max_examples=60 * times)
    @given(
        damaged(sound)
        | st.dictionaries(st.sampled_from(names), plain_values(), max_size=4).map(lambda v: json.dumps(v).encode())
    )
    def look(raw: bytes) -> None:
        nonlocal tried
        tried += 1
        (tmp_path / "settings.json").write_bytes(raw)
        found, fault = Settings.load(home)
        assert isinstance(found, Settings)
        assert "\n" not in fault
        assert len(found.recent) <= 10

    look()
    promised("Any settings are taken or replaced", tried=tried, lost=0)


# -- run folders


@often
@pytest.mark.parametrize("file", ["run.db", "words.txt", "last.safetensors", "lock", "worker.log"])
def test_a_damaged_file_of_a_run_is_read_or_refused(
    times: int, file: str, model: tuple[Run, KeptExperiment], tmp_path: Path, promised: Promise
) -> None:
    run, tried = copied(model[0], tmp_path), 0
    sound = (run.folder / file).read_bytes()

    @settings(max_examples=15 * times)
    @given(st.binary(max_size=60) | damaged(sound))
    def look(raw: bytes) -> None:
        nonlocal tried
        tried += 1
        for name in ("run.db-wal", "run.db-shm"):
            (run.folder / name).unlink(missing_ok=True)
        (run.folder / file).write_bytes(raw)
        read_all(run)
        try:
            load_checkpoint(run.checkpoint("last"))
        except RunError as error:
            one_line(error)

    look()
    promised(f"A run with a damaged {file} is read or refused in one line", tried=tried, lost=0)


KEYS = ("name", "created", "status", "finished", "config", "data", "model", "device", "threads", "generation", "draft",
        "server", "test_evaluations")  # fmt: skip


@often
def test_a_run_that_says_anything_of_itself(
    times: int, model: tuple[Run, KeptExperiment], tmp_path: Path, promised: Promise
) -> None:
    run, tried, refused = copied(model[0], tmp_path), 0, 0
    with run.store() as store:
        sound = store.meta()

    @settings(max_examples=50 * times)
    @given(st.sampled_from(KEYS), st.data())
    def look(key: str, data: st.DataObject) -> None:
        nonlocal tried, refused
        tried += 1
        value: Any = data.draw(plain_values())
        if isinstance(sound.get(key), dict) and data.draw(st.booleans()):  # one of its entries is another
            value = sound[key] | {data.draw(st.sampled_from(sorted(sound[key]))): value}
        set_meta(run, key, value)
        refused += bool(read_all(run))
        if key in sound:
            set_meta(run, key, sound[key])
        else:
            change(run, "DELETE FROM meta WHERE key = ?", key)

    look()
    assert refused > tried / 6  # what is tried is wrong, for the most part
    assert read_all(run) == 0
    promised("A run that says anything of itself is read or refused in one line", tried=tried, lost=0)


TABLES: dict[str, tuple[str, ...]] = {
    "losses": ("first_step", "count", "data", "lr", "train_seconds", "seconds"),
    "evaluations": ("step", "train", "dev", "has_dev", "is_best", "seconds"),
    "samples": ("step", "text", "seen_in"),
    "sweeps": ("exponents", "losses"),
    "events": ("id", "time", "step", "kind", "message", "sender"),
    "snapshots": ("step", "kind", "data"),
    "commands": ("sender", "name", "arguments"),
    "meta": ("value",),
}


@often
def test_a_store_with_anything_in_its_tables(
    times: int, model: tuple[Run, KeptExperiment], tmp_path: Path, promised: Promise
) -> None:
    import sqlite3

    run, tried, refused = copied(model[0], tmp_path), 0, 0
    raw = (run.folder / "run.db").read_bytes()
    cells = (
        st.sampled_from(
            (-1, 0, 2, 2**62, -(2**62), 0.5, 1e300, float("inf"), b"", b"\xff" * 8, b"\0" * 12, "{", "[[]]")
        )
        | st.sampled_from(NASTY)
        | plain_values().map(json.dumps)
    )

    @settings(max_examples=50 * times)
    @given(st.sampled_from([(t, c) for t, columns in TABLES.items() for c in columns]), cells, st.booleans())
    def look(place: tuple[str, str], value: object, everywhere: bool) -> None:
        nonlocal tried, refused
        tried += 1
        for name in ("run.db-wal", "run.db-shm"):
            (run.folder / name).unlink(missing_ok=True)
        (run.folder / "run.db").write_bytes(raw)
        table, column = place
        where = "" if everywhere else f" WHERE {column} = (SELECT max({column}) FROM {table})"
        db = sqlite3.connect(run.folder / "run.db")
        try:
            db.execute(f"UPDATE OR IGNORE {table} SET {column} = ?{where}", (value,))
            db.commit()
        except sqlite3.Error:
            return  # such a row cannot be
        finally:
            db.close()
        refused += bool(read_all(run))

    look()
    assert refused > tried / 8
    promised("A store with anything in its tables is read or refused in one line", tried=tried, lost=0)


# -- experiments


@often
def test_any_experiment_is_read_or_refused_and_what_is_read_can_be_shown(
    times: int, model: tuple[Run, KeptExperiment], tmp_path: Path, promised: Promise, cli: Any, home: Path
) -> None:
    folder = home / "experiments" / model[1].id
    shutil.copytree(model[1].folder, folder)
    kept, tried, shown = KeptExperiment(folder), 0, 0
    raw = (folder / "experiment.json").read_bytes()
    document = json.loads(raw)
    paths = [path for path in _paths(document) if path]

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        found = json.loads(raw)
        *above, last = draw(st.sampled_from(paths))
        place = found
        for step in above:
            place = place[step]
        place[last] = draw(plain_values())
        return json.dumps(found).encode()

    @settings(max_examples=40 * times)
    @given(damaged(raw) | changed() | changed())
    @example(raw)
    def look(text: bytes) -> None:
        nonlocal tried, shown
        tried += 1
        (folder / "experiment.json").write_bytes(text)
        try:
            kept.read()
        except RunError as error:
            one_line(error)
            assert cli("experiments", "show", kept.id).code == 2
        else:
            shown += 1
            assert cli("experiments", "show", kept.id).code == 0
            assert cli("experiments", "show", kept.id, "--json").code == 0
        assert cli("experiments").code == 0

    look()
    assert 0 < shown < tried
    promised("An experiment from elsewhere is shown or refused in one line", tried=tried, lost=0)


def _paths(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(found for step, value in inner for found in _paths(value, (*path, step)))]
