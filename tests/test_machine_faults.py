"""A machine that lacks something or loses it: torch, a device, memory, the time of day, time itself."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from benchmarks.terminal import PROGRAM
from data.corpus import Corpus
from tests.conftest import REPOSITORY
from tests.person import Person
from tests.test_kills import workers_of
from tests.test_worker import new_run, same, steps_of, train_here, until, worker_of
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, find_run
from tui_mm.training import setup
from tui_mm.training.devices import DeviceError, available_devices
from tui_mm.training.torch_fault import INSTALL, torch_fault
from tui_mm.worker import protocol as ask
from tui_mm.worker.client import WorkerGoneError
from tui_mm.worker.loading import resume_trainer

SMALL = ("--block-size", "3", "--hidden", "16", "--batch-size", "8", "--threads", "1", "--device", "cpu")

MISSING = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Without())
"""
BROKEN = """
raise ImportError("libtorch_cpu.so: cannot open shared object file: No such file or directory")
"""
OLD = """
__version__ = "1.13.1"
"""
ABSENT = "torch is not installed"


def is_done(person: Person) -> None:
    """However long it takes on a machine with other things to do."""
    person.until(lambda: "✓ done" in person.row(0), "its end", timeout=300)


def hinder(folder: Path, torch_is: str) -> str:
    """A folder to stand first on PYTHONPATH."""
    folder.mkdir()
    path = folder / ("sitecustomize.py" if torch_is is MISSING else "torch.py")
    path.write_text(torch_is)
    return str(folder)


# -- torch


@pytest.mark.parametrize(
    ("torch_is", "said"),
    [(MISSING, ABSENT), (BROKEN, "libtorch_cpu.so: cannot open"), (OLD, "torch 1.13.1 is too old")],
    ids=["missing", "broken", "old"],
)
def test_without_a_torch_that_works_a_training_is_one_line_with_the_way_out(
    torch_is: str, said: str, tmp_path: Path, words_file: Path, home: Path, promised: Callable[..., None]
) -> None:
    environment = {**os.environ, "PYTHONPATH": hinder(tmp_path / "before", torch_is)}
    done = subprocess.run(
        [*PROGRAM, "train", "--data", str(words_file)], env=environment, cwd=REPOSITORY, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("makemore-tui: error: torch")
    assert said in done.stderr
    assert INSTALL in done.stderr
    assert not list(Home(home).runs.glob("*"))
    promised("Without a torch that works it says so, and how to get one", tried=1, lost=0, figure="one line, exit 2")


def test_what_is_to_be_installed_is_what_the_package_asks_for() -> None:
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    (torch_wanted,) = (each for each in wanted if each.startswith("torch"))
    assert f"'{torch_wanted}'" in INSTALL
    assert torch_fault() == ""


@pytest.fixture
def sit(words_file: Path, home: Path, tmp_path: Path) -> Iterator[Callable[..., Person]]:
    """A dashboard on the small list of words, with what is to stand first on PYTHONPATH."""
    seats: list[Person] = []

    def start(*flags: str, before: str = "") -> Person:
        home.mkdir(exist_ok=True)
        program = ["env", f"PYTHONPATH={before}:{REPOSITORY}", *PROGRAM]
        seats.append(Person([str(words_file), *SMALL, *flags], home, 120, 36, program=program))
        return seats[-1]

    yield start
    for person in seats:
        person.__exit__(None, None, None)
    for process in psutil.process_iter(["cmdline"]):
        if "tui_mm.worker" in (line := process.info["cmdline"] or []) and str(home) in " ".join(line):
            process.kill()


def test_the_dashboard_comes_up_without_torch_and_says_so(
    sit: Callable[..., Person], tmp_path: Path, promised: Callable[..., None]
) -> None:
    """The words can be looked at; whoever wants to train is told again."""
    person = sit(before=hinder(tmp_path / "before", MISSING))
    person.sees(r"vocabulary +\d+")
    person.sees("torch is not installed")
    person.sees("python -m pip install")
    person.press("9")
    person.sees("no training here: torch is not installed")
    told = person.text().count("no training here")
    person.press("t")
    person.until(lambda: person.text().count("no training here") > told, "that it is told again")
    person.press("q")
    with pytest.raises(RuntimeError, match="has ended"):
        person.sees("never")
    promised("The dashboard comes up without torch, shows the words, and says what is missing", tried=1, lost=0)


# -- devices

ELSEWHERE = next(device for device in ("mps", "cuda") if device not in available_devices())


def test_a_device_that_is_not_here_is_one_line(
    words_file: Path, cli: Callable[..., Any], promised: Callable[..., None]
) -> None:
    asked = cli("train", "--data", words_file, "--device", ELSEWHERE)
    assert asked.code == 2
    assert asked.err.count("\n") == 1
    assert f"--device: {ELSEWHERE} is not available here; give auto or one of cpu" in asked.err
    promised("A device that is not here is said, with those that are", tried=1, lost=0, figure="one line, exit 2")


def test_a_worker_without_its_device_says_so(corpus: Corpus) -> None:
    async def scenario() -> None:
        async with worker_of(new_run(corpus, device=ELSEWHERE)) as client:
            with pytest.raises(WorkerGoneError, match=f"{ELSEWHERE} is not available here; give auto"):
                await client.ask(ask.Start())
            assert client.fault.startswith("--device:")

    asyncio.run(scenario())


def test_a_run_whose_device_is_elsewhere_can_be_gone_on_with_here(corpus: Corpus) -> None:
    run = new_run(corpus)
    train_here(run)
    with run.store() as store:
        store.set(device=ELSEWHERE, status="stopped")
    with pytest.raises(DeviceError, match=f"trained on {ELSEWHERE}.*makemore-tui resume {run.id} --device auto"):
        resume_trainer(run)
    assert resume_trainer(run, "auto")[0].step == 0


# -- memory


def test_out_of_memory_before_the_first_step_says_what_to_change(
    words_file: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(setup, "build_model", exhausted)
    asked = cli("train", "--data", words_file, "--hidden", 100)
    assert asked.code == 2
    assert asked.err.count("\n") == 1
    assert "out of memory on cpu before the first step" in asked.err
    assert "smaller --batch-size" in asked.err


SCARCE = """
import sys
from importlib.machinery import PathFinder

class Scarce:
    '''After so many steps the device has no memory left, once.'''
    def find_spec(self, name, path=None, target=None):
        if name != "models.mlp":
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module
        def loaded(module):
            load(module)
            import torch
            usual, calls = module.MLP.objective, []
            def objective(self, *batch):
                calls.append(1)
                if len(calls) == 40:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 78 GiB")
                return usual(self, *batch)
            module.MLP.objective = objective
        spec.loader.exec_module = loaded
        return spec

sys.meta_path.insert(0, Scarce())
"""


@pytest.mark.faults
def test_a_gpu_without_memory_fails_the_training_and_it_goes_on_from_the_checkpoint(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promised: Callable[..., None]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SCARCE)

    async def scenario() -> None:
        plain, scarce = (new_run(corpus, eval_every=25, layers=2) for _ in range(2))  # it is autograd that fails
        train_here(plain)
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
        follower = RunFollower(scarce)
        async with worker_of(scarce) as client:
            await client.ask(ask.Start())
            await until(lambda: follower.poll() and follower.status == "failed")
            assert "out of memory" in follower.end
            assert "smaller --batch-size (it was 8) or --hidden (16)" in follower.end
            await client.ask(ask.Start())
            await until(lambda: scarce.status() == "done")
        follower.close()
        assert same(plain, scarce)
        with plain.store() as a, scarce.store() as b:
            assert np.array_equal(a.losses(), b.losses())

    asyncio.run(scenario())
    promised("A GPU out of memory is said with the way out, and the training can go on", tried=1, lost=0)


@pytest.mark.faults
@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="limits of another process are Linux's")
def test_a_worker_without_memory_says_so_on_the_screen_and_goes_on_when_there_is_some(
    sit: Callable[..., Person], words_file: Path, cli: Callable[..., Any], promised: Callable[..., None]
) -> None:
    """For real: the address space of the worker is limited in the midst of a training with batches of 50 MB."""
    flags = ("--batch-size", "100000", "--hidden", "128", "--layers", "2", "--steps", "5", "--eval-every", "1")
    undisturbed = cli("train", "--data", words_file, *SMALL, *flags, "--json")
    reference = find_run(Home.find(), json.loads(undisturbed.out)["run"])
    person = sit(*flags)
    person.sees("not trained yet")
    person.press("n")
    person.sees("▮▮ paused 1 / 5")
    run = find_run(Home.find(), "last")
    (worker,) = workers_of(run)
    limit, hard = worker.rlimit(resource.RLIMIT_AS)
    worker.rlimit(resource.RLIMIT_AS, (worker.memory_info().vms + (24 << 20), hard))
    person.press("t")
    person.sees("! failed")
    person.sees("out of memory on cpu at step")
    person.sees("--batch-size")
    worker.rlimit(resource.RLIMIT_AS, (limit, hard))
    person.press("t")
    person.sees("✓ done 5 / 5")
    assert same(run, reference)
    with run.store() as a, reference.store() as b:
        assert np.array_equal(a.losses(), b.losses())
    promised("Out of memory is said with the way out, and the training goes on when there is some", tried=1, lost=0)


# -- a worker that cannot begin


def test_a_worker_that_cannot_begin_says_why_in_a_line(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus)
        with run.store() as store:
            store.set(config={**store.get("config"), "hidden": -3})
        async with worker_of(run) as client:
            with pytest.raises(WorkerGoneError, match="config"):
                await client.ask(ask.Start())
            assert "run.db" in client.fault
            assert client.exit_code == 2

    asyncio.run(scenario())


@pytest.mark.faults
def test_a_worker_whose_installation_is_damaged_is_shown_at_once_with_its_last_line(
    sit: Callable[..., Person], tmp_path: Path, promised: Callable[..., None]
) -> None:
    """Another package than torch is missing: that is a traceback, whose last line is on the screen."""
    missing = MISSING.replace('"torch"', '"safetensors"').replace("'torch'", "'safetensors'")
    folder = tmp_path / "before"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(missing)
    person = sit(before=str(folder))
    person.sees(r"vocabulary +\d+")
    person.sees("no training here: ModuleNotFoundError: No module named")
    promised("A worker that dies at its start is shown at once with its last line", tried=1, lost=0)


# -- the time of day, and time itself

JUMPS = """
import time
_time, _time_ns, _at = time.time, time.time_ns, time.monotonic
def _jumped():
    return (0, 3 * 3600, -5 * 3600)[int(_at() / 0.3) % 3]
time.time = lambda: _time() + _jumped()
time.time_ns = lambda: _time_ns() + _jumped() * 10**9
"""


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("steps", [4_000, pytest.param(20_000, marks=pytest.mark.faults)])
def test_a_clock_that_jumps_by_hours_changes_nothing_but_the_times_shown(
    steps: int,
    sit: Callable[..., Person],
    words_file: Path,
    tmp_path: Path,
    cli: Callable[..., Any],
    promised: Callable[..., None],
) -> None:
    """Three hours forth and five back, three times a second, for the dashboard and its worker."""
    (tmp_path / "sitecustomize.py").write_text(JUMPS)
    undisturbed = cli("train", "--data", words_file, *SMALL, "--steps", steps, "--json")
    reference = find_run(Home.find(), json.loads(undisturbed.out)["run"])
    began = time.monotonic()
    person = sit("--steps", str(steps), before=str(tmp_path))
    person.sees("not trained yet")
    person.press("t")
    person.sees("● running")
    person.press("9")
    is_done(person)
    took = time.monotonic() - began
    (run,) = (r for r in map(Run, Home.find().runs.iterdir()) if r != reference)
    assert same(run, reference)
    with run.store() as store, reference.store() as other:
        assert np.array_equal(store.losses(), other.losses())
        events = store.events()
        last = store.last_chunk()
        assert [e.kind for e in events if not e.sender] == [e.kind for e in other.events()]
    assert last is not None
    assert 0 < last.train_seconds <= last.seconds < took
    assert not any("crashed" in e.kind for e in events)
    person.sees("done at step")
    log = person.text()
    assert -1 < log.find("started at step") < log.find("done at step"), log
    promised("A clock that jumps by hours changes nothing but the times shown", tried=int(took / 0.3), lost=0)


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("who", "seconds"),
    [
        ("both", 1.5),
        pytest.param("both", 45.0, marks=pytest.mark.faults),
        pytest.param("worker", 45.0, marks=pytest.mark.faults),
    ],
)
def test_after_a_sleep_it_goes_on_and_nothing_is_called_a_crash(
    who: str,
    seconds: float,
    sit: Callable[..., Person],
    words_file: Path,
    cli: Callable[..., Any],
    promised: Callable[..., None],
) -> None:
    """Stopped as by a sleep, or the worker alone as on a machine that is too busy for it; then woken."""
    undisturbed = cli("train", "--data", words_file, *SMALL, "--steps", 6_000, "--json")
    reference = find_run(Home.find(), json.loads(undisturbed.out)["run"])
    person = sit("--steps", "6000")
    person.sees("not trained yet")
    person.press("t")
    person.sees(r"● running \d")
    (run,) = (r for r in map(Run, Home.find().runs.iterdir()) if r != reference)
    stopped = workers_of(run) + [person.process] * (who == "both")
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    before = steps_of(run)
    until_then = time.monotonic() + seconds
    while time.monotonic() < until_then:
        assert run.status() == "running"
        person.catch_up()
        assert "crashed" not in person.text()
        time.sleep(0.1)
    assert steps_of(run) == before < 6_000
    for process in reversed(stopped):
        process.send_signal(signal.SIGCONT)
    person.until(
        lambda: bool(re.search("running|done|crashed", person.row(0))) and steps_of(run) > before, "more steps"
    )
    assert "crashed" not in person.text()
    is_done(person)
    assert same(run, reference)
    with run.store() as store, reference.store() as other:
        assert np.array_equal(store.losses(), other.losses())
        assert [e.kind for e in store.events() if not e.sender] == [e.kind for e in other.events()]
    promised(
        "After a sleep, or while the worker gets no processor, nothing is called a crash and it goes on",
        tried=1, lost=0, figure=f"{who} stopped for {seconds:g} s",
    )  # fmt: skip
