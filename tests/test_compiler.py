"""With a C++ compiler: a program is compiled, kept, loaded, and trains as the other engines do. Skipped without one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import Generator

from data.corpus import Corpus
from tests.test_compiled_engine import MODELS, ROWS, V, config_of, engine_of, minibatches, rates
from tui_mm.compiler.building import quickest_settings
from tui_mm.compiler.cache import ProgramCache
from tui_mm.compiler.compilation import Compilation
from tui_mm.compiler.cxx import compiler_name, has_compiler
from tui_mm.compiler.request import request_for
from tui_mm.config import RunConfig
from tui_mm.runs.home import Home
from tui_mm.runs.run import find_run
from tui_mm.training.engines.base import EngineMaker
from tui_mm.training.engines.compiled import BlockShape
from tui_mm.training.engines.state import moving_state
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.setup import build_model

pytestmark = [
    pytest.mark.skipif(not has_compiler(), reason=f"no C++ compiler: {compiler_name()} is not there"),
    pytest.mark.timeout(600),
]
STEPS = 20


@pytest.fixture
def compiled(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache that all processes of a test run share: what one has compiled, the others load."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "programs"
    shared.mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setenv("MAKEMORE_CACHE", str(shared))
    monkeypatch.setenv("MAKEMORE_COMPILE", "yes")
    with FileLock(shared / "lock"):
        yield shared


def made_for(config: RunConfig, vocab_size: int = V) -> EngineMaker:
    shape = BlockShape.of(ROWS, config.context)
    compilation = Compilation(request_for(config, vocab_size, shape.steps, shape.rows, shape.length))
    try:
        while (make := compilation.poll(1e9)) is None:
            if compilation._process is not None:
                compilation._process.wait()
        return make
    finally:
        compilation.close()


def check_against_eager(config: RunConfig) -> None:
    block = minibatches(config, STEPS)
    eager, expected = engine_of(config, "eager")
    losses = eager.run(*block, rates(config, 0, STEPS), 0)
    make = made_for(config)
    found = []
    for edges in ([0, STEPS], [0, 1, 8, STEPS]):
        model = build_model(config, V, Generator().manual_seed(1))
        optimizer = make_optimizer(config, dict(model.named_parameters()))
        state = moving_state(model, optimizer)
        engine = make(model, optimizer)
        parts = [engine.run(block[0][a:b], block[1][a:b], rates(config, a, b), a) for a, b in itertools.pairwise(edges)]
        found.append([torch.cat(parts), *state])
    assert all(map(torch.equal, *found)), "blocks of any length give the same bits"
    torch.testing.assert_close(found[0][0], losses, rtol=2e-4, atol=1e-5)
    for a, b in zip(found[0][1:], expected, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-2, atol=2e-3)


@pytest.mark.compiler
@pytest.mark.parametrize("update", ["sgd", "momentum", "adamw"])
@pytest.mark.parametrize("model", MODELS)
def test_every_program_is_the_eager_engine_but_for_rounding(compiled: Path, model: str, update: str) -> None:
    check_against_eager(config_of(model, update))


def test_a_training_by_the_command_line_is_repeated_to_the_bit(
    compiled: Path, cli: Callable[..., Any], words_file: Path
) -> None:
    """One compilation for all of them: the second finds the program kept, the others have the same sizes."""
    sizes = ["--block-size", 4, "--embedding", 6, "--hidden", 8, "--batch-size", ROWS, "--optimizer", "sgd"]
    options = [*sizes, "--weight-decay", 0, "--threads", 1, "--device", "cpu", "--steps", 60, "--data", words_file]
    found = []
    for name, engine in (("a", "compiled"), ("b", "compiled"), ("c", "eager:30,compiled"), ("d", "eager")):
        outcome = cli("train", *options, "--engine", engine, "--name", name)
        assert outcome.code == 0, outcome.err
        run = find_run(Home.find(), name)
        with run.store() as store:
            assert store.get("engines") == engine
            found.append(store.losses())
            said = [event.message for event in store.events() if event.kind == "engine"]
            assert said == (["the step is being compiled; the training waits for it"] if name == "a" else [])
    assert (found[0] == found[1]).all()
    for other in found[2:]:
        assert 0 < abs(found[0] - other).max() < 1e-3, "equal up to rounding, and not to the bit"
    assert (found[2][:30] == found[3][:30]).all()
    kept = list(compiled.glob("programs/*"))
    assert {path.suffix for path in kept} == {".so"}, "nothing else is left behind"
    assert {oct(path.stat().st_mode)[-3:] for path in kept} == {"600"}
    assert max(path.stat().st_size for path in kept) < 1_000_000, "without what only a profiler reads"


def test_a_compiler_that_is_not_there(
    cli: Callable[..., Any], words_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEMORE_COMPILE", "yes")
    monkeypatch.setenv("CXX", "no-such-compiler")
    outcome = cli("train", "--steps", 20, "--hidden", 9, "--data", words_file, "--engine", "compiled")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "engine: compiled is not to be had at step 0: the C++ compiler no-such-compiler is not there" in outcome.err
    assert "--engine auto or eager" in outcome.err


@pytest.mark.compiler
def test_threads_come_to_the_same_bits_each_time(compiled: Path) -> None:
    """Embeddings are added up by threads that would otherwise come in any order."""
    rows, steps = 2048, 8
    config = config_of("relu", "sgd", batch_size=rows, embedding=32, hidden=64, threads=2)
    torch.set_num_threads(2)  # the fixture one_thread sets it back
    draws = Generator().manual_seed(2)
    contexts = torch.randint(0, V, (steps, rows, config.context), generator=draws)
    targets = torch.randint(0, V, (steps, rows), generator=draws)
    shape = BlockShape.of(rows, config.context)
    compilation = Compilation(request_for(config, V, shape.steps, shape.rows, shape.length))
    while (make := compilation.poll(1e9)) is None:
        if compilation._process is not None:
            compilation._process.wait()
    found = []
    for _ in range(6):
        model = build_model(config, V, Generator().manual_seed(1))
        optimizer = make_optimizer(config, dict(model.named_parameters()))
        losses = make(model, optimizer).run(contexts, targets, rates(config, 0, steps), 0)
        found.append([losses, *moving_state(model, optimizer)])
    assert all(all(map(torch.equal, found[0], other)) for other in found[1:])


@pytest.mark.compiler
def test_a_compiler_that_fails(
    tmp_path: Path, cli: Callable[..., Any], words_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "broken++"
    compiler.write_text("#!/bin/sh\necho 'main.cpp:1: error: out of ideas' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("MAKEMORE_COMPILE", "yes")
    monkeypatch.setenv("CXX", str(compiler))
    outcome = cli("train", "--steps", 20, "--hidden", 9, "--data", words_file, "--engine", "compiled")
    assert outcome.code == 2
    assert "out of ideas" in outcome.err or "broken++" in outcome.err
    assert outcome.err.count("\n") == 1
    cache = ProgramCache.find().folder
    assert list(cache.iterdir()) == [], "nothing is left behind"


def test_the_compiler_ends_with_the_training_that_wants_it(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """However that ends: its standard input closes."""
    config = config_of("mlp", "sgd", hidden=11)
    cache = ProgramCache.find()
    monkeypatch.setenv("MAKEMORE_COMPILE", "yes")
    compilation = Compilation(request_for(config, V, 4, ROWS, 4), cache)
    assert compilation.poll(1e9) is None
    process = compilation._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() != 0
    compilation.close()
    assert list(cache.folder.iterdir()) == []


def test_a_setting_that_somebody_made_or_that_this_torch_lacks_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with config.patch({"cpp.vec_isa_ok": None}):
        assert quickest_settings()["cpp.vec_isa_ok"] is True
        monkeypatch.setattr("platform.machine", lambda: "aarch64")
        assert "cpp.vec_isa_ok" not in quickest_settings()
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with config.patch({"cpp.vec_isa_ok": False}):  # TORCHINDUCTOR_VEC_ISA_OK=0
        assert "cpp.vec_isa_ok" not in quickest_settings()
    lacking = SimpleNamespace(aot_inductor=SimpleNamespace(precompile_headers=True), cpp=SimpleNamespace())
    monkeypatch.setattr("torch._inductor.config", lacking)
    assert quickest_settings() == {"aot_inductor.precompile_headers": False}


def test_programs_stand_under_names_of_what_they_are() -> None:
    """Another rate, seed or number of steps asks for the same program; another size, optimizer or thread does not."""
    base = config_of("mlp")

    def name(config: RunConfig, vocab_size: int = V, steps: int = 4) -> str:
        return request_for(config, vocab_size, steps, ROWS, 4).name()

    same = [base.but(lr=0.3), base.but(seed=5), base.but(steps=9), base.but(schedule="cosine"), base.but(data="x")]
    assert {name(config) for config in same} == {name(base)}
    other = [base.but(hidden=9), base.but(optimizer="adamw"), base.but(momentum=0.5), base.but(weight_decay=0.1)]
    names = {name(config) for config in other} | {name(base), name(base, V + 1), name(base, V, 5)}
    torch.set_num_threads(2)
    names.add(name(base))
    torch.set_num_threads(1)
    assert len(names) == len(other) + 4
