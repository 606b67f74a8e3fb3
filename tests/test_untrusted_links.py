"""Run folders from elsewhere reach nothing outside: no link is followed, no pipe waited for, no path made of a name,
and nothing in a store is carried out."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Promise
from tests.hostile import NASTY, REFUSALS, change, one_line, read_all, settle, sound_experiment, sound_run
from tui_mm.experiments.kept import all_experiments, find_experiment
from tui_mm.runs.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, all_runs, find_run
from tui_mm.worker.client import WorkerClient

SECRET = "a secret that is the person's alone\n"
FILES = ("run.db", "words.txt", "last.safetensors", "worker.log", "lock", "viewers")


@pytest.fixture
def place(home: Path) -> Home:
    return Home(home)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of the person's own, which nothing may read out, change or remove."""
    path = tmp_path / "private.txt"
    path.write_text(SECRET * 200)
    return path


def every_use(run: Run, home: Home, cli: Callable[..., Any]) -> None:
    """Reading, showing, sampling, checkpointing, watching and deleting: each does its work or says why not."""
    read_all(run)
    for arguments in (("runs",), ("runs", "show", run.id), ("logs", run.id), ("sample", run.id, "-n", "2"),
                      ("export", run.id, "--to", "jsonl")):  # fmt: skip
        found = cli(*arguments)
        assert found.code in (0, 2), found.err
        assert SECRET.strip() not in found.out + found.err
    for act in (
        lambda: load_checkpoint(run.checkpoint("last")),
        lambda: save_checkpoint(run.checkpoint("best"), Checkpoint({}, {})),
        lambda: watch(run),
        run.delete,
    ):
        try:
            act()
        except (*REFUSALS, OSError) as error:
            one_line(error)


def watch(run: Run) -> None:
    client = WorkerClient(run)
    try:
        assert client.new_lines() == []
        assert SECRET.strip() not in client.last_lines()
    finally:
        client.close()


@pytest.mark.parametrize("file", [*FILES, "best.part", "run.db-wal", "run.db-journal", "run.db-shm"])
def test_a_link_in_a_run_folder_is_not_followed(
    file: str, place: Home, outside: Path, cli: Callable[..., Any], promised: Promise
) -> None:
    run = sound_run(place)
    settle(run.folder / "run.db")
    (run.folder / file).unlink(missing_ok=True)
    (run.folder / file).symlink_to(outside)
    every_use(run, place, cli)
    assert outside.read_text() == SECRET * 200
    promised("A link in a run folder is not followed, nor at its deletion", tried=1, lost=0, figure=file)


@pytest.mark.parametrize("file", ["run.db", "words.txt", "last.safetensors"])
def test_a_link_to_what_would_do_is_refused_too(file: str, place: Home, tmp_path: Path) -> None:
    run = sound_run(place)
    settle(run.folder / "run.db")
    moved = (run.folder / file).rename(tmp_path / file)
    before = moved.read_bytes()
    (run.folder / file).symlink_to(moved)
    read: Callable[[], Any] = {"run.db": run.config, "words.txt": run.corpus}.get(
        file, lambda: load_checkpoint(run.checkpoint("last"))
    )
    with pytest.raises(RunError, match="is no plain file") as refusal:
        read()
    one_line(refusal.value)
    assert moved.read_bytes() == before


@pytest.mark.parametrize("file", [*FILES, "best.part"])
def test_a_pipe_in_a_run_folder_is_not_waited_for(
    file: str, place: Home, cli: Callable[..., Any], promised: Promise
) -> None:
    run = sound_run(place)
    settle(run.folder / "run.db")
    (run.folder / file).unlink(missing_ok=True)
    os.mkfifo(run.folder / file)
    every_use(run, place, cli)
    assert not run.folder.exists()
    promised("A pipe in a run folder is not waited for", tried=1, lost=0, figure=file)


def test_a_folder_that_is_a_link_is_neither_listed_nor_found_nor_deleted(
    place: Home, tmp_path: Path, cli: Callable[..., Any], promised: Promise
) -> None:
    run, kept = sound_run(place), sound_experiment(place)
    for folder, ident in ((run.folder, "aaaaaaaa"), (kept.folder, "bbbbbbbb")):
        real = Path(shutil.copytree(folder, tmp_path / ident))
        (folder.parent / ident).symlink_to(real)
    assert [each.id for each in all_runs(place)] == [run.id]
    assert [each.id for each in all_experiments(place)] == [kept.id]
    for command in ("runs", "experiments"):
        for ident in ("aaaaaaaa", "bbbbbbbb"):
            assert cli(command, "delete", ident, "--yes").code == 2
            assert cli(command, "show", ident).code == 2
    assert (tmp_path / "aaaaaaaa" / "run.db").exists()
    assert (tmp_path / "bbbbbbbb" / "experiment.json").exists()
    promised("A linked folder is neither listed nor deleted", tried=8, lost=0)


@pytest.mark.parametrize("inside", ["aaaaaaaa", "data", ".x"])
def test_deletion_follows_no_link_out_of_a_folder(inside: str, place: Home, outside: Path) -> None:
    run, kept = sound_run(place), sound_experiment(place)
    for folder in (run.folder, kept.folder):
        (folder / inside).symlink_to(outside.parent, target_is_directory=True)
        (folder / "deep").mkdir()
        (folder / "deep" / inside).symlink_to(outside)
    run.delete()
    kept.delete()
    assert not run.folder.exists()
    assert not kept.folder.exists()
    assert outside.read_text() == SECRET * 200


REFERENCES = (
    "..",
    "../..",
    "../runs",
    "/etc",
    "/etc/passwd",
    ".",
    "",
    "*",
    "%2e%2e",
    "~",
    "-",
    "last/..",
    "\0",
    *NASTY,
)


def test_no_reference_leads_out_of_the_home(
    place: Home, outside: Path, cli: Callable[..., Any], promised: Promise
) -> None:
    run, kept = sound_run(place), sound_experiment(place)
    tried = 0
    for reference in REFERENCES:
        for find in (find_run, find_experiment):
            tried += 1
            with pytest.raises(RunError):
                find(place, reference)
        for command in ("runs", "experiments"):
            tried += 1
            found = cli(command, "delete", "--yes", "--", reference)
            assert found.code == 2
            assert found.err.endswith("\n")
            assert found.err[:-1].isprintable()
        with pytest.raises(RunError):
            run.beside(reference)
    assert run.folder.exists()
    assert kept.folder.exists()
    assert outside.exists()
    promised("No reference leads out of the home", tried=tried, lost=0)


def test_a_run_that_is_named_like_a_path_is_found_by_that_name_alone(place: Home) -> None:
    """Names from elsewhere are not checked as ours are; they are compared, never made into a path."""
    run = sound_run(place)
    for name in ("../../etc", "/etc/passwd", *(n for n in NASTY if "\0" not in n)):
        with run.store() as store:
            store.set(name=name)
        assert find_run(place, name) == run


# -- what a store may do


def test_a_journal_that_names_another_file_deletes_nothing(place: Home, outside: Path, promised: Promise) -> None:
    """SQLite plays a journal back that it finds beside a store, and removes what that calls its super-journal."""
    run = sound_run(place)
    path = run.folder / "run.db"
    settle(path)
    change(run, "PRAGMA journal_mode=DELETE")
    journal = run.folder / "run.db-journal"
    name = str(outside).encode()
    magic = bytes.fromhex("d9d505f920a163d7")
    pages = path.stat().st_size // 4096
    header = magic + struct.pack(">iIIII", 0, 7, pages, 512, 4096)
    checksum = sum(c - 256 if c > 127 else c for c in name) & 0xFFFFFFFF
    super_page = 0x40000000 // 4096 + 1
    end = struct.pack(">I", super_page) + name + struct.pack(">II", len(name), checksum) + magic
    hostile = header.ljust(512, b"\0") + end

    journal.write_bytes(hostile)
    with pytest.raises(RunError, match="names another file") as refusal:
        run.config()
    one_line(refusal.value)
    assert outside.exists()

    db = sqlite3.connect(path)  # what the library does by itself: were it not so, this test would hold nothing
    db.execute("SELECT count(*) FROM sqlite_master").fetchall()
    db.close()
    assert not outside.exists()
    promised("A journal beside a store deletes no other file", tried=1, lost=0)


SCHEMAS = {
    "a view without an end": (
        "DROP TABLE events",
        "CREATE VIEW events AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS id, 1.0 AS time, 0 AS step, 'x' AS kind, 'x' AS message, '' AS sender FROM n",
    ),
    "a trigger": ("CREATE TRIGGER t AFTER INSERT ON commands BEGIN UPDATE commands SET answer = '{}'; END",),
    "a virtual table": ("DROP TABLE samples", "CREATE VIRTUAL TABLE samples USING fts5(step, position, text, seen_in)"),
    "a generated column": (
        "DROP TABLE samples",
        "CREATE TABLE samples (step INTEGER, position INTEGER, seen_in TEXT, "
        "text TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))))",
    ),
    "an index on an expression": ("CREATE INDEX i ON events (hex(message))",),
    "a check": ("DROP TABLE samples", "CREATE TABLE samples (step, position, text, seen_in, CHECK (length(text) > 1))"),
}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_store_with_anything_but_plain_tables_is_refused(kind: str, place: Home, promised: Promise) -> None:
    run = sound_run(place)
    for statement in SCHEMAS[kind]:
        change(run, statement)
    with pytest.raises(RunError, match=r"run\.db: holds a") as refusal:
        run.config()
    one_line(refusal.value)
    promised("A store with views, triggers or the like is refused", tried=1, lost=0, figure=kind)
