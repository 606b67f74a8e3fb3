"""The viewer's end, without a worker: the log's new lines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run
from tui_mm.worker import client as client_module
from tui_mm.worker.client import WorkerClient


@pytest.fixture
def run(corpus: Corpus) -> Run:
    return create_run(Home.find(), make_config(), corpus, None, {})


@pytest.fixture
def client(run: Run) -> Iterator[WorkerClient]:
    made = WorkerClient(run)
    yield made
    made.close()


def write(run: Run, raw: bytes) -> None:
    with (run.folder / "worker.log").open("ab") as file:
        file.write(raw)


def test_new_lines_are_those_since_the_client_was_made(run: Run) -> None:
    write(run, b"of before\n")
    client = WorkerClient(run)
    assert client.new_lines() == []
    write(run, b"one\ntwo\n")
    assert client.new_lines() == ["one", "two"]
    assert client.new_lines() == []
    write(run, b"\nthree\r\n")
    assert client.new_lines() == ["", "three"]
    client.close()


def test_without_a_log_there_are_none_and_then_all(run: Run, client: WorkerClient) -> None:
    assert client.new_lines() == []
    write(run, b"first\n")
    assert client.new_lines() == ["first"]


def test_a_line_waits_for_its_end(run: Run, client: WorkerClient) -> None:
    raw = "Größe 字\n".encode()
    for i in range(len(raw) - 1):
        write(run, raw[i : i + 1])
        assert client.new_lines() == []
    write(run, raw[-1:])
    assert client.new_lines() == ["Größe 字"]


def test_what_cannot_be_decoded_is_replaced(run: Run, client: WorkerClient) -> None:
    write(run, b"a\xff\xfeb\nc\n")
    assert client.new_lines() == ["a\ufffd\ufffdb", "c"]


@pytest.mark.parametrize("part", [7, 1500, 100_000])
def test_a_long_line_is_cut_however_it_comes(part: int, run: Run, client: WorkerClient) -> None:
    line = "字" * 1500
    raw = f"{line}\nnext\n".encode()
    found: list[str] = []
    for begin in range(0, len(raw), part):
        write(run, raw[begin : begin + part])
        found += client.new_lines()
    assert found == [line[:1000], "next"]


def test_a_log_that_is_much_comes_in_parts(run: Run, client: WorkerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_LOG_BYTES", 10)
    write(run, b"".join(b"line %d\n" % i for i in range(20)))
    found: list[str] = []
    calls = 0
    while len(found) < 20:
        found += client.new_lines()
        calls += 1
        assert calls < 30
    assert found == [f"line {i}" for i in range(20)]


def test_a_log_that_was_cut_is_read_from_its_start(run: Run, client: WorkerClient) -> None:
    write(run, b"a long first line\nand a beg")
    assert client.new_lines() == ["a long first line"]
    (run.folder / "worker.log").write_bytes(b"new\n")
    assert client.new_lines() == ["new"]
