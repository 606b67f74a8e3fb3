"""The training's end of the compiler: finds a program that is kept, or has one compiled while the training goes on."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import torch

from tui_mm.compiler.cache import ProgramCache
from tui_mm.compiler.cxx import compiler_name, has_compiler
from tui_mm.compiler.request import Request, request_for
from tui_mm.engine_record import uncompiled
from tui_mm.training.engines.base import EngineError, EngineMaker, Program
from tui_mm.training.engines.compiled import BlockShape, CompiledEngine
from tui_mm.training.engines.graphs import GraphEngine, cuda_capture
from tui_mm.training.trainer import Trainer

_WORTH_SECONDS = 20.0  # of training left, for which a compiler is started; a kept program needs no reason
_LONGEST_SECONDS = 900.0
_OFF = ("0", "no", "off")


def supply_for(trainer: Trainer, cache: ProgramCache | None = None) -> Compilation | Graphs | Refusal | None:
    """Where a trainer's compiled engine is to come from; None for one that wants none. To be closed.

    cache: the user's, where none is given
    """
    config = trainer.config
    if trainer.engines is None or config.engine == "eager":
        return None
    if reason := uncompiled(config.counts, config.dropout):
        return Refusal(reason)
    shape = BlockShape.of(*trainer.minibatch_shape)
    if trainer.device.type == "cuda":
        return Graphs(lambda model, optimizer: GraphEngine(model, optimizer, config, shape, cuda_capture))
    if trainer.device.type != "cpu":
        return Refusal(f"there is none for {trainer.device.type}")
    request = request_for(config, trainer.model.vocab_size, shape.steps, shape.rows, shape.length)
    return Compilation(request, cache)


class Refusal:
    """``engines.base.Supply`` of what cannot be compiled."""

    seconds: float | None = None

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def poll(self, remaining: float) -> EngineMaker | None:
        if remaining < _WORTH_SECONDS:  # nothing would have been compiled anyway
            return None
        raise EngineError(self._reason)

    def close(self) -> None:
        pass


class Graphs:
    """``engines.base.Supply`` of what need not be compiled: its engine captures its steps when it takes the first."""

    seconds: float | None = None

    def __init__(self, make: EngineMaker) -> None:
        self._make = make

    def poll(self, remaining: float) -> EngineMaker | None:
        return self._make

    def close(self) -> None:
        pass


class Compilation:
    """``engines.base.Supply``: gives the program of one request. Use from one thread; ``close`` when done."""

    def __init__(self, request: Request, cache: ProgramCache | None = None) -> None:
        self._request = request
        self._cache = cache or ProgramCache.find()
        self._process: subprocess.Popen[bytes] | None = None
        self._build: Path | None = None
        self._log: Path | None = None
        self._began = 0.0
        self._looked = False
        self.seconds: float | None = None
        """What compiling took; None for a program that was there already."""

    def poll(self, remaining: float) -> EngineMaker | None:
        if not self._looked:
            self._looked = True
            if (kept := self._kept()) is not None:
                return kept
        if self._process is None:
            if os.environ.get("MAKEMORE_COMPILE", "").lower() in _OFF:
                if math.isinf(remaining):
                    raise EngineError("MAKEMORE_COMPILE says not to compile")
            elif remaining >= _WORTH_SECONDS:
                self._start()
            return None
        code = self._process.poll()
        if code is None:
            if time.monotonic() - self._began > _LONGEST_SECONDS:
                self.close()
                raise EngineError(f"the C++ compiler took longer than {_LONGEST_SECONDS / 60:.0f} minutes")
            return None
        said = self._last_line()
        self.seconds = time.monotonic() - self._began
        self.close()
        if code == 0 and (made := self._kept()) is not None:
            return made
        raise EngineError(said or f"the compiler ended with exit code {code}")

    def close(self) -> None:
        """End the compiler, if it is at work, and take away what it left."""
        if self._process is not None:
            if self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            if self._process.stdin is not None:
                with suppress(BrokenPipeError):
                    self._process.stdin.close()
            self._process = None
        if self._build is not None:
            shutil.rmtree(self._build, ignore_errors=True)
            self._build = self._log = None

    def _kept(self) -> EngineMaker | None:
        try:
            path = self._cache.find_program(self._request.name())
        except OSError as error:  # CacheError is one
            raise EngineError(str(error)) from None
        if path is None:
            return None
        runner = getattr(getattr(torch._C, "_aoti", None), "AOTIModelContainerRunnerCpu", None)
        if runner is None:
            raise EngineError(f"torch {torch.__version__} cannot load compiled programs")
        try:
            program: Program = runner(
                str(path), 1
            )  # in a millisecond; torch's public loader imports its compiler first
        except RuntimeError as error:
            raise EngineError(f"{path}: cannot be loaded ({str(error).splitlines()[0]})") from None
        r = self._request
        shape = BlockShape(r.steps, r.rows, r.length)
        return lambda model, optimizer: CompiledEngine(program, model, optimizer, shape)

    def _start(self) -> None:
        if not has_compiler():
            raise EngineError(f"the C++ compiler {compiler_name()} is not there; install it, or name another in CXX")
        try:
            self._cache.make()
            self._build = self._cache.build_folder()
            self._log = self._build / "log"
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "tui_mm.compiler", str(self._build), self._request.name()],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=self._build,
                    start_new_session=True,
                )
            assert self._process.stdin is not None
            self._process.stdin.write(msgspec.json.encode(self._request) + b"\n")
            self._process.stdin.flush()
        except OSError as error:  # CacheError and BrokenPipeError among them
            self.close()
            raise EngineError(str(error)) from None
        self._began = time.monotonic()

    def _last_line(self) -> str:
        assert self._log is not None
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""
