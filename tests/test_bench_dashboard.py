"""The dashboard's benchmark runs and says what it should; how fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import terminal
from benchmarks.dashboard import main
from benchmarks.row import Row, Target, table
from benchmarks.terminal import Terminal, TerminalError, kill, without_terminal
from benchmarks.viewer import wait_for_steps

ECHO = "import sys; [print(f'<{line.strip()}>', flush=True) for line in sys.stdin]"


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the program's place, one that prints every line it gets between < and >."""
    monkeypatch.setattr(terminal, "PROGRAM", (sys.executable, "-c", ECHO))


def test_the_program_prints_its_rows_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--json", "--only", "starts"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"machine", "load_before", "repeats", "quick", "rows"}
    paint, count = answer["rows"]
    assert [row["name"] for row in (paint, count)] == ["first paint", "words counted"]
    assert [row["target"] for row in (paint, count)] == ["at most 0.6 s", "at most 1 s"]
    assert 0 < paint["measured"] < count["measured"]


def test_the_cost_is_of_one_training_with_and_without_a_dashboard(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--json", "--only", "cost"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["name"], row["target"]) == ("training while watched, lecture", "at least 0.97 ×")
    assert len(row["repeats"]) == len(row["reference_repeats"]) == 2
    assert min(row["repeats"] + row["reference_repeats"]) > 0


def test_a_training_that_ends_before_its_first_steps_is_not_waited_for(tmp_path: Path) -> None:
    with (
        without_terminal(["train", "--foo"], tmp_path) as training,
        pytest.raises(TerminalError, match="exit code 2 before its first steps"),
    ):
        wait_for_steps(tmp_path, training)


@pytest.mark.usefixtures("echo")
def test_a_key_is_timed_to_the_bytes_that_show_it(tmp_path: Path) -> None:
    with Terminal([], tmp_path, 40, 10) as screen:
        before = screen.received
        assert 0 < screen.latency("hello\r", lambda: "<hello>" in screen.text(), "the echo") < 30
        assert screen.until_quiet(0.1)
        assert screen.received - before == len("hello\r\n<hello>\r\n")
        assert screen.bytes_in(0.1) == 0
        with pytest.raises(TerminalError, match="before its key"):
            screen.latency("hello\r", lambda: "<hello>" in screen.text(), "the echo")


@pytest.mark.usefixtures("echo")
def test_what_does_not_come_and_what_ends_is_told_with_the_screen(tmp_path: Path) -> None:
    with Terminal([], tmp_path, 40, 10) as screen:
        screen.press("here\r")
        with pytest.raises(TerminalError, match=r"waited 1 s for more; the screen:\n(.|\n)*<here>"):
            screen.until(lambda: False, "more", timeout=1)
        screen.press("\x04")  # the end of its input
        with pytest.raises(TerminalError, match=r"has ended; its screen:\n(.|\n)*<here>"):
            screen.until(lambda: False, "more")


def test_what_was_started_is_killed_with_its_children() -> None:
    child = "import subprocess, sys; print(subprocess.Popen(['sleep', '60'], start_new_session=True).pid, flush=True); "
    process = subprocess.Popen(
        [sys.executable, "-c", child + "sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    grandchild = psutil.Process(int(process.stdout.readline()))
    started = time.monotonic()
    kill(psutil.Process(process.pid))
    process.communicate()
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
    assert time.monotonic() - started < 50


def test_rows_of_quantiles_and_other_units() -> None:
    latencies = [0.001 * n for n in range(1, 101)]
    p95 = Row("keys", "s", latencies, target=Target("limit", 0.1), quantile=0.95)
    assert (p95.measured, p95.met) == (pytest.approx(0.095), True)
    assert Row("one", "s", [0.2], quantile=0.95).measured == 0.2
    assert Row("none", "s", [], quantile=0.95).measured is None
    nothing = Row("idle", "bytes", [0.0], target=Target("limit", 0))
    assert nothing.cells()[1:] == ("0 bytes", "–", "–", "at most 0 bytes", "met")
    assert Row("sent", "KB/s", [10.04], target=Target("limit", 10)).cells()[1:] == (
        "10.0 KB/s", "–", "–", "at most 10 KB/s", "not met",
    )  # fmt: skip
    close = Row("cost", "steps/s", [9_690.0], [10_000.0], Target("ratio", 0.97))
    assert close.cells()[3:] == ("0.969 ×", "at least 0.97 ×", "not met")
    assert [line.count("|") for line in table([p95, close]).splitlines()] == [7] * 4
