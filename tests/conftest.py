"""What the tests share: a home of their own, words of their own, and the lecture's list where it is at hand."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from data.catalog import CATALOG
from data.corpus import Corpus, parse_words, read_words
from tests.calm import prompt
from tests.still import still_clock
from tui_mm.cli.app import run

REPOSITORY = Path(__file__).resolve().parent.parent
WORDS = (REPOSITORY / "tests" / "words.txt").read_text(encoding="utf-8").split()

# A loaded machine makes the first draw slow; examples are few, so that the suite stays short.
settings.register_profile("project", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

# The programs that tests start need not compile our modules anew each time, whatever the shell says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Where the tests run in a shell's background, Ctrl-C is ignored, and so it would be by every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What was loaded stays until the end: the collector need not look through it with every test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # a test leaves little, and a tenth of the time went into looking for it


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """On a busy machine, two threads take five times as long as one over tensors this small."""
    torch.set_num_threads(1)


@pytest.fixture
def prompt_pilot() -> Iterator[None]:
    """Textual's pilot waits by messages: for apps that no thread and no process has anything to tell."""
    with prompt():
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that no test shares, and a folder to stand in; every program a test starts inherits both."""
    folder = tmp_path / "home"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAKEMORE_HOME", str(folder))
    monkeypatch.setenv("MAKEMORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MAKEMORE_COMPILE", "no")  # a long training of a test would compile beside the next one
    monkeypatch.setenv("COLUMNS", "100")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a test stands in, which nothing else is in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def noon() -> Iterator[None]:
    """The dashboard's clock stands still."""
    with still_clock():
        yield


Promise = Callable[..., None]


@pytest.fixture
def promised(record_property: Callable[[str, object], None]) -> Promise:
    """Writes down what a test found of a promise in docs/reliability.md: ``promised("no step is lost", tried=20,
    lost=0, figure="seen after 0.3 s")``. The run ends with a table of all of them."""

    def write_down(promise: str, *, tried: int, lost: int, figure: str = "") -> None:
        record_property("promise", (promise, tried, lost, figure))
        assert lost == 0, f"{promise}: {lost} of {tried} lost"

    return write_down


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = [
        (*value, report.nodeid)
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "promise" and report.when == "call"
    ]
    if found:
        terminalreporter.section("promises of docs/reliability.md")
        terminalreporter.line("| promise | tried | lost | figure | test |")
        for promise, tried, lost, figure, test in sorted(found):
            terminalreporter.line(f"| {promise} | {tried:,} | {lost:,} | {figure} | {test} |")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs the command line in this process: ``cli("train", "--steps", "5")``."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def words_file(tmp_path: Path) -> Path:
    """A small list of 61 names, one a line, that a test may change."""
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def corpus() -> Corpus:
    return parse_words("\n".join(WORDS), "words")


@pytest.fixture(scope="session")
def lecture_path() -> Path:
    """The lecture's names.txt; tests that need it are skipped where it is not at hand."""
    named = os.environ.get("MAKEMORE_LECTURE_NAMES")
    path = Path(named) if named else REPOSITORY.parent / "shared" / "names.txt"
    if not path.is_file():
        pytest.skip("the lecture's names.txt is not here: name it in MAKEMORE_LECTURE_NAMES")
    if hashlib.sha256(path.read_bytes()).hexdigest() != CATALOG["lecture-names"].sha256:
        pytest.skip(f"{path} is not the lecture's names.txt: its sha256 differs")
    return path


@pytest.fixture(scope="session")
def lecture(lecture_path: Path) -> Corpus:
    return read_words(lecture_path, "lecture-names")
