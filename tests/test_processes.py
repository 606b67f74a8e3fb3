"""The program as a process: started anywhere, stopped, killed, watched in a terminal."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pexpect
import pyte
import pytest

from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, find_run

COMMAND = [sys.executable, "-P", "-m", "tui_mm"]
LONG = ("--steps", "1000000", "--hidden", "16", "--batch-size", "8", "--threads", "1", "--device", "cpu")
PATIENCE_S = 60.0


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, **options,
    )  # fmt: skip


def until(condition: Callable[[], Any], process: subprocess.Popen[str] | None = None) -> Any:
    """Wait for a condition; fails after a minute, or when the process ends first."""
    give_up = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < give_up, "waited too long"
        if process is not None and process.poll() is not None:
            assert condition(), (process.poll(), process.communicate())
        select.select([], [], [], 0.002)
    return found


def steps_of(run: Run) -> int:
    with run.store() as store:
        return store.steps


def the_run() -> Run | None:
    runs = Home.find().runs
    return find_run(Home.find(), "last") if runs.is_dir() and any(len(p.name) == 8 for p in runs.iterdir()) else None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_a_checkpoint_says_so_and_exits(number: signal.Signals, code: int, words_file: Path) -> None:
    process = start("train", "--data", words_file, *LONG)
    run = until(the_run, process)
    until(lambda: steps_of(run) > 50, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert f"makemore-tui resume {run.id}" in out
    assert "Traceback" not in err
    assert run.status() == "stopped"
    assert load_checkpoint(run.checkpoint("last")).values["trainer"]["step"] == steps_of(run) > 50


def test_ctrl_c_before_the_training_is_quiet_too(tmp_path: Path) -> None:
    """While it still reads its words, from a pipe that nobody writes to."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start("train", "--data", pipe)
    with pipe.open("w"):  # opens when the other end is opened, too
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=PATIENCE_S / 3)
        except subprocess.TimeoutExpired:
            # between its opening and its reading, Python sees a signal after the reading alone: one presses again
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert err.strip() == "makemore-tui: stopped"


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("kills", "steps"), [(3, 6_000), pytest.param(20, 24_000, marks=pytest.mark.faults)])
def test_killed_at_random_moments_it_ends_with_the_same_bits(
    words_file: Path, kills: int, steps: int, cli: Callable[..., Any]
) -> None:
    """SIGKILL while it starts, trains, evaluates and writes; each time resumed, then killed again."""
    settings = (
        "--data", words_file, "--steps", steps, "--hidden", 16, "--embedding", 4, "--batch-size", 8,
        "--eval-every", 200, "--lr", 0.002, "--threads", 1, "--device", "cpu",
    )  # fmt: skip
    whole = cli("train", *settings, "--json")
    assert whole.code == 0, whole.err
    reference = find_run(Home.find(), json.loads(whole.out)["run"])

    draw = random.Random(20)
    process = start("train", *settings, "--name", "victim")
    until(lambda: len(list(Home.find().runs.iterdir())) > 1 and the_run() != reference, process)
    victim = find_run(Home.find(), "victim")
    reached = []
    for kill in range(kills):
        goal = int((kill + draw.random()) / kills * 0.85 * steps)
        # a third of the kills hit it while it starts, at a random time; the others at a random step
        if kill % 3 == 2:
            select.select([], [], [], draw.random())
        else:
            until(lambda g=goal: steps_of(victim) >= g, process)  # type: ignore[misc]
        process.kill()
        process.communicate()
        assert victim.status() in ("crashed", "created")
        reached.append(steps_of(victim))
        process = start("resume", "victim", "--json")
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert max(reached) < steps, "killed after its end: the test says nothing"

    first, second = (load_checkpoint(r.checkpoint("last")).arrays for r in (reference, victim))
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert np.array_equal(array, second[name]), name
    with reference.store() as a, victim.store() as b:
        assert np.array_equal(a.losses(), b.losses())  # raises for a step lost or doubled
        assert len(b.losses()) == steps
        kept = [[(e.step, e.train, e.dev, e.is_best) for e in store.evaluations()] for store in (a, b)]
        assert kept[0] == kept[1]
        assert a.samples() == b.samples()


def test_a_second_process_for_one_run_is_refused(words_file: Path) -> None:
    process = start("train", "--data", words_file, *LONG)
    run = until(the_run, process)
    until(lambda: steps_of(run) > 0, process)
    second = start("resume", run.id)
    _, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert "another process" in err
    deleted = start("runs", "delete", run.id)
    assert deleted.communicate(timeout=PATIENCE_S)[1].count("another process") == 1
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
    assert run.status() == "stopped"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with modules of our packages' names, as a person's own project has them."""
    folder = tmp_path / "project"
    for name in ("data", "models"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    return folder


@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "tui_mm"], [str(Path(sys.executable).parent / "makemore-tui")]]
)
def test_it_starts_in_a_folder_with_its_own_data_and_models(
    command: list[str], hostile: Path, words_file: Path
) -> None:
    if not Path(command[0]).exists():
        pytest.skip("the console script is not installed beside this Python")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [*command, "train", "--data", words_file, "--steps", "3", "--json"], cwd=hostile, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 3


def test_packages_that_hide_ours_are_named(hostile: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--version"], env={**os.environ, "PYTHONPATH": str(hostile)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert str(hostile) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_enough_ends_it_quietly(words_file: Path) -> None:
    done = subprocess.run(
        f"'{sys.executable}' -P -m tui_mm data show '{words_file}' | head -n 1", shell=True, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("words")
    assert done.stderr == ""


def screen_of(rows: int, columns: int, *arguments: object, **environment: str) -> tuple[list[str], str, int]:
    """What a person sees at the end, all that was sent, and the exit code."""
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], *map(str, arguments)], dimensions=(rows, columns), encoding="utf-8",
        env={**os.environ, "TERM": "xterm-256color", **environment}, timeout=PATIENCE_S,
    )  # fmt: skip
    child.expect(pexpect.EOF)
    child.close()
    screen = pyte.HistoryScreen(columns, rows, history=1000)
    stream = pyte.Stream(screen)
    stream.feed(child.before)
    history = ["".join(line[x].data for x in range(columns)) for line in screen.history.top]
    return [*history, *screen.display], child.before, child.exitstatus


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(24, 80), pytest.param(36, 120, marks=pytest.mark.faults), pytest.param(15, 50, marks=pytest.mark.faults)],
)
def test_a_terminal_gets_a_bar_and_a_curve_that_fit(
    rows: int, columns: int, words_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")  # this test's terminals have sizes of their own
    lines, _, code = screen_of(
        rows, columns, "train", "--data", words_file, "--steps", 300, "--hidden", 16, "--batch-size", 8,
    )  # fmt: skip
    assert code == 0
    text = "\n".join(lines)
    assert re.search(r"━ +100% loss \d\.\d+ +dev \d\.\d+ .*0:00:00 left", text)
    assert "uniform ln" in text
    assert "samples:" in text
    assert "⠒ train mean" in text


def test_no_color_and_dumb_terminals_get_plain_text(words_file: Path) -> None:
    _, sent, code = screen_of(
        24, 80, "train", "--data", words_file, "--steps", 300, "--hidden", 16, "--batch-size", 8, TERM="dumb",
    )  # fmt: skip
    assert code == 0
    assert "samples:" in sent
    assert not re.search(r"\x1b\[[0-9;]*m", sent)


def test_ctrl_c_in_a_terminal_leaves_it_usable(words_file: Path) -> None:
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "train", "--data", str(words_file), *LONG], dimensions=(24, 80), encoding="utf-8",
        env={**os.environ, "TERM": "xterm-256color"}, timeout=PATIENCE_S,
    )  # fmt: skip
    child.expect("steps/s")
    child.sendintr()
    child.expect("checkpoint kept")
    child.expect(pexpect.EOF)
    sent = child.before
    child.close()
    assert child.exitstatus == 130
    assert "Traceback" not in sent
