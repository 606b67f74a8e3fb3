"""Run folders: made whole, found by what a person types, locked by who trains."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, all_runs, create_run, find_run, rename_run


@pytest.fixture
def place(home: Path) -> Home:
    return Home.find()


def make(place: Home, corpus: Corpus, name: str | None = None) -> Run:
    facts = {"data": {"name": corpus.name}, "model": {"kind": "mlp"}}
    return create_run(place, make_config("lecture"), corpus, name, facts)


def test_home_is_the_option_then_the_variable_then_the_platforms(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Home.find(tmp_path / "x").root == tmp_path / "x"
    assert Home.find().root == home
    monkeypatch.delenv("MAKEMORE_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert Home.find().root.name == "makemore-tui"


def test_a_run_has_its_configuration_and_its_own_words(place: Home, corpus: Corpus) -> None:
    run = make(place, corpus)
    assert run.config() == make_config("lecture")
    assert list(run.corpus().words()) == list(corpus.words())
    assert run.corpus().name == corpus.name
    assert run.status() == "created"


def test_all_of_it_is_the_owners_alone(place: Home, corpus: Corpus) -> None:
    run = make(place, corpus)
    for folder in (place.root, place.runs, run.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in run.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_run_is_found_by_id_prefix_name_and_last(place: Home, corpus: Corpus) -> None:
    first, second = make(place, corpus, "first try"), make(place, corpus)
    assert [r.id for r in all_runs(place)] == [first.id, second.id]
    assert find_run(place, first.id) == first
    assert find_run(place, "first try") == first
    assert find_run(place, "last") == second
    length = next(n for n in range(1, 9) if first.id[:n] != second.id[:n])
    assert find_run(place, first.id[:length]) == first


def test_what_is_not_found_is_said(place: Home, corpus: Corpus) -> None:
    with pytest.raises(RunError, match="no runs"):
        find_run(place, "last")
    runs = [make(place, corpus) for _ in range(20)]
    with pytest.raises(RunError, match="no such run"):
        find_run(place, "zzz")
    with pytest.raises(RunError, match="no such run"):
        find_run(place, "")
    double = next(r.id[0] for r in runs if sum(o.id[0] == r.id[0] for o in runs) > 1)
    with pytest.raises(RunError, match="give more of the id"):
        find_run(place, double)


@pytest.mark.parametrize("name", ["last", "", " x", "-x", "a\x1b[2J", "x" * 81, "0123abcd", "a\nb"])
def test_names_that_would_confuse_are_refused(name: str, place: Home, corpus: Corpus) -> None:
    with pytest.raises(RunError, match="--name"):
        make(place, corpus, name)
    assert all_runs(place) == []


def test_a_name_is_given_once(place: Home, corpus: Corpus) -> None:
    first = make(place, corpus, "mine")
    with pytest.raises(RunError, match=first.id):
        make(place, corpus, "mine")


def test_a_run_is_renamed_by_the_same_rules(place: Home, corpus: Corpus) -> None:
    first, second = make(place, corpus, "first"), make(place, corpus)
    rename_run(place, first, "other")
    assert find_run(place, "other") == first
    rename_run(place, first, "other")  # its own name is not taken
    for wrong in ("last", "", " x", "-x", "a\x1b[2J", "x" * 81, "0123abcd"):
        with pytest.raises(RunError, match="not allowed"):
            rename_run(place, first, wrong)
    with pytest.raises(RunError, match=first.id):
        rename_run(place, second, "other")
    rename_run(place, second, "first")
    rename_run(place, first, None)
    with pytest.raises(RunError, match="no such run"):
        find_run(place, "other")
    assert find_run(place, "first") == second


def test_runs_rename_on_the_command_line(cli: Callable[..., Any], place: Home, corpus: Corpus) -> None:
    first, second = make(place, corpus), make(place, corpus, "taken")
    done = cli("runs", "rename", first.id, "mine")
    assert (done.code, done.out) == (0, f"run {first.id} is now named mine\n")
    assert "mine" in cli("runs").out
    for wrong in ("taken", "last", " mine"):
        done = cli("runs", "rename", "mine", wrong)
        assert done.code == 2
        assert len(done.err.splitlines()) == 1
        assert "error: name: " in done.err
    assert second.id in cli("runs", "rename", "mine", "taken").err
    assert f"run {first.id} has no name now" in cli("runs", "rename", "mine", "").out
    assert cli("runs", "rename", "mine", "x").code == 2
    assert cli("runs", "rename", "--help").out.startswith("Examples:")


def test_a_folder_that_cannot_be_removed_is_said(place: Home, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(place, corpus)

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("tui_mm.runs.folder.shutil.rmtree", refuse)
    with pytest.raises(RunError, match="cannot be removed"):
        run.delete()


def test_only_one_process_trains_a_run(place: Home, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_mm.runs.folder._LOCK_SECONDS", 0.05)
    run = make(place, corpus)
    assert not run.is_live()
    with run.training_lock():
        assert run.is_live()
        with pytest.raises(RunError, match="another process"), Run(run.folder).training_lock():
            pass
        with pytest.raises(RunError, match="another process"):
            run.delete()
    assert not run.is_live()


def test_marked_running_with_a_free_lock_is_a_crash(place: Home, corpus: Corpus) -> None:
    run = make(place, corpus)
    with run.store() as store:
        store.set(status="running")
    assert run.status() == "crashed"
    with run.training_lock():
        assert run.status() == "running"


def test_deleting_leaves_the_others(place: Home, corpus: Corpus) -> None:
    first, second = make(place, corpus), make(place, corpus)
    first.delete()
    assert all_runs(place) == [second]
    assert not first.folder.exists()


def test_what_is_no_run_folder_is_passed_over(place: Home, corpus: Corpus, tmp_path: Path) -> None:
    run = make(place, corpus)
    (place.runs / "notes").mkdir()
    (place.runs / ".deadbeef.part").mkdir()
    (place.runs / "deadbeef").symlink_to(tmp_path)
    assert all_runs(place) == [run]


def test_a_damaged_run_does_not_hide_the_others(place: Home, corpus: Corpus) -> None:
    good, bad = make(place, corpus, "good"), make(place, corpus)
    (bad.folder / "run.db").write_bytes(b"garbage" * 1000)
    (bad.folder / "run.db-wal").unlink(missing_ok=True)
    assert {r.id for r in all_runs(place)} == {good.id, bad.id}
    assert find_run(place, "good") == good
    with pytest.raises(RunError):
        bad.status()
    bad.delete()


def test_an_unusable_home_is_one_clear_line(tmp_path: Path, corpus: Corpus) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RunError, match="--home"):
        make(Home(file), corpus)
