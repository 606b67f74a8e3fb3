"""`export`: a file that is there whole or not at all, of a run as it stands at one moment."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus
from tests.exported import f32, made_run, many_steps, new_run
from tui_mm.runs.export_csv import write_csv
from tui_mm.runs.export_file import file_name
from tui_mm.runs.export_jsonl import write_jsonl
from tui_mm.runs.export_source import RunSnapshot, damage_named
from tui_mm.runs.home import RunError
from tui_mm.runs.run import Run
from tui_mm.runs.store import EvaluationRow, LossChunk, SampleRow

PATIENCE_S = 60.0
REPOSITORY = Path(__file__).parent.parent
Cli = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def run(corpus: Corpus) -> Run:
    return made_run(corpus)


# -- where to


@pytest.mark.usefixtures("run")
def test_what_is_there_is_not_replaced_unless_asked(cli: Cli, here: Path) -> None:
    path = here / "one.csv"
    path.write_text("mine")
    done = cli("export", "one", "--to", "csv")
    assert (done.code, done.out, path.read_text()) == (2, "", "mine")
    assert done.err.splitlines() == [
        f"makemore-tui: error: {path}: is there already; give --force to replace it, or another --output"
    ]
    assert cli("export", "one", "--to", "csv", "--force").code == 0
    assert path.read_text().startswith("step,")
    assert [p.name for p in here.iterdir()] == ["one.csv"]


@pytest.mark.usefixtures("run")
def test_a_link_stays_one_and_what_is_no_file_is_left_alone(cli: Cli, here: Path) -> None:
    (here / "real").write_text("mine")
    (here / "link").symlink_to(here / "real")
    assert cli("export", "one", "--to", "csv", "--output", "link", "--force").code == 0
    assert (here / "link").is_symlink()
    assert (here / "real").read_text().startswith("step,")
    for output, words in ((here, "is a folder"), ("/dev/null", "is no regular file")):
        done = cli("export", "one", "--to", "csv", "--output", output, "--force")
        assert done.code == 2
        assert words in done.err
    assert not Path("/dev/null").is_file()


@pytest.mark.usefixtures("run")
def test_where_nothing_can_be_written_one_line_says_so(cli: Cli, here: Path) -> None:
    (here / "file").write_text("")
    (here / "a").symlink_to(here / "b")
    (here / "b").symlink_to(here / "a")
    for output in ("missing/one.csv", "file/one.csv", "x" * 300, "a", "~nobody-of-this-name/x"):
        done = cli("export", "one", "--to", "csv", "--output", output)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.splitlines()) == 1
        assert "cannot be written" in done.err or "no such user" in done.err.lower(), done.err
    assert {p.name for p in here.iterdir()} == {"file", "a", "b"}


@pytest.mark.usefixtures("run")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours(cli: Cli, here: Path) -> None:
    here.chmod(0o500)
    done = cli("export", "one", "--to", "csv")
    assert done.code == 2
    assert "Permission denied" in done.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_what_was_there(corpus: Corpus, small_disk: Path, cli: Cli, promised: Any) -> None:
    many_steps(corpus, 20_000)
    path = small_disk / "long.csv"
    path.write_text("mine")
    lost = 0
    for form in ("csv", "jsonl"):
        done = cli("export", "long", "--to", form, "--output", path, "--force")
        assert done.code == 2
        assert len(done.err.splitlines()) == 1
        assert "No space left on device" in done.err
        assert "free space" in done.err
        lost += path.read_text() != "mine" or [p.name for p in small_disk.iterdir()] != ["long.csv"]
    promised("An export on a full disk leaves what was there, and nothing half", tried=2, lost=lost)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_standard_output(run: Run) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tui_mm", "export", run.id, "--to", "csv", "--output", "-"], stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "makemore-tui: error: standard output: cannot be written (No space left on device); free space there, or give "
        "another place with --output"
    ]


def test_an_export_that_is_stopped_leaves_nothing(corpus: Corpus, here: Path) -> None:
    many_steps(corpus, 500_000)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    started = []
    for number in signals:
        folder = here / number.name
        folder.mkdir()
        arguments = ("export", "long", "--to", "csv", "--output", folder / "one.csv")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tui_mm", *map(str, arguments)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append((number, folder, process))
    for number, folder, process in started:
        give_up = time.monotonic() + PATIENCE_S
        while not list(folder.glob(".*.part")):
            assert time.monotonic() < give_up
            assert process.poll() is None, process.communicate()
            select.select([], [], [], 0.001)
        process.send_signal(number)
    for number, folder, process in started:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out, err) == (128 + number, "", "makemore-tui: stopped, nothing was written\n")
        assert not list(folder.iterdir())


@pytest.mark.usefixtures("run")
def test_the_umask_says_who_may_read_it(cli: Cli, here: Path) -> None:
    before = os.umask(0o027)
    try:
        cli("export", "one", "--to", "jsonl")
    finally:
        os.umask(before)
    assert stat.S_IMODE((here / "one.jsonl").stat().st_mode) == 0o640


@pytest.mark.usefixtures("run")
def test_standard_output_gets_the_file_alone(cli: Cli, here: Path) -> None:
    cli("export", "one", "--to", "csv")
    done = cli("export", "one", "--to", "csv", "--output", "-")
    assert (done.code, done.out) == (0, (here / "one.csv").read_text())
    assert "to standard output: 6 steps" in done.err


@given(st.text(max_size=80))
def test_no_name_of_a_run_leads_out_of_the_folder(title: str) -> None:
    name = file_name(title, "0123abcd")
    assert Path(name).name == name
    assert not name.startswith((".", "-", " "))
    assert name not in ("", ".", "..")
    assert len(name.encode()) <= 200
    assert not set(name) & set('/\\:*?"<>|\n\0')


def test_names_stay_readable() -> None:
    assert file_name("wide net 2.0", "id") == "wide net 2.0"
    assert file_name("żółw", "id") == "żółw"
    assert file_name("../../etc/passwd", "id") == "_.._etc_passwd"
    assert file_name("///", "id") == "id"


# -- the run


def test_a_run_that_was_never_trained_and_other_wrong_use_is_one_line(corpus: Corpus, cli: Cli, here: Path) -> None:
    new_run(corpus, "fresh")
    for arguments, words in (
        (("fresh", "--to", "csv"), "was never trained, there is nothing to export"),
        (("nothing", "--to", "csv"), "no such run"),
        (("fresh",), "--to"),
        (("fresh", "--to", "xls"), "xls"),
    ):
        done = cli("export", *arguments)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.splitlines()) == 1
        assert words in done.err
    assert not list(here.iterdir())
    assert cli("export", "--help").out.startswith("Examples:")
    assert "export" in cli("--help").out


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE losses SET lr = '=1+1' WHERE first_step = 5",
        "UPDATE losses SET data = x'00' WHERE first_step = 5",
        "UPDATE losses SET first_step = 9 WHERE first_step = 5",
        "UPDATE evaluations SET train = '=cmd' WHERE step = 6",
        "UPDATE meta SET value = '3' WHERE key = 'config'",
        "DROP TABLE losses",
    ],
)
def test_a_damaged_store_is_one_line_and_no_file(damage: str, run: Run, cli: Cli, here: Path) -> None:
    db = sqlite3.connect(run.folder / "run.db")
    db.execute(damage)
    db.commit()
    db.close()
    done = cli("export", run.id, "--to", "csv")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert not list(here.iterdir())


def test_what_is_no_run_is_named() -> None:
    with pytest.raises(RunError, match="run x: its store lacks what a run has"), damage_named(Run(Path("x"))):
        {}["data"]


def test_a_run_that_goes_on_is_written_as_of_one_moment(run: Run, cli: Cli, here: Path) -> None:
    """Whoever trains it writes on while it is read, and is not held up."""
    with RunSnapshot(run) as source, run.store() as store:
        steps = source.history()
        next(steps)
        store.add_losses(LossChunk(7, f32(1.0), 0.01, 9.0, 9.0))
        store.set_samples(7, [SampleRow("late", None)])
        assert sum(len(s.losses) for s in steps if not isinstance(s, EvaluationRow)) == 6
        assert {s.text for _, _, s in source.drawn()} == {"em\x1bma", "=zq|<b>"}
        with RunSnapshot(run) as later:
            assert sum(len(chunk.losses) for chunk in later.chunks()) == 7
    with run.training_lock(), run.store() as store:
        store.set(status="running")
        done = cli("export", run.id, "--to", "csv")
    assert done.out.rstrip().endswith("; it is running, export it again for the rest")
    assert (here / "one.csv").read_text().splitlines()[-1].startswith("7,1.0,")


def test_without_a_write_ahead_log_a_copy_is_read(run: Run) -> None:
    """There a reader would hold up who writes: as on a file system without shared memory."""
    db = sqlite3.connect(run.folder / "run.db")
    assert db.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    db.close()
    with RunSnapshot(run) as source:
        assert not source.has_log
        steps = source.history()
        next(steps)
        db = sqlite3.connect(run.folder / "run.db", timeout=0)  # raises at once where it must wait
        db.execute("DELETE FROM losses WHERE first_step = 5")
        db.commit()
        db.close()
        assert sum(len(s.losses) for s in steps if not isinstance(s, EvaluationRow)) == 6


def test_memory_does_not_grow_with_the_run(corpus: Corpus) -> None:
    def peak(run: Run) -> int:
        class Nowhere:
            def write(self, data: bytes, /) -> None:
                pass

        tracemalloc.start()
        with RunSnapshot(run) as source:
            write_csv(source, Nowhere())
            write_jsonl(source, Nowhere())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    short, long = many_steps(corpus, 1_000, "short"), many_steps(corpus, 20_000)
    peak(short)  # what is loaded once
    assert peak(long) < 1.1 * peak(short)
