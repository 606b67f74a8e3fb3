"""What is to be compiled, and under which name it is kept."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct

import models
import tui_mm
from tui_mm.config import FIELDS, RunConfig, unused

_BESIDE_THE_MODEL = ("optimizer", "momentum", "weight_decay")  # what else is written into a program


class Request(Struct, frozen=True, kw_only=True):
    """A program: the steps of a configuration's model, ``steps`` of ``rows`` rows of ``length`` ids at once."""

    config: dict[str, Any]
    vocab_size: int
    steps: int
    rows: int
    length: int
    threads: int

    def name(self) -> str:
        """The same for programs that are the same: of equal models and optimizers, for this torch, this processor and
        this version of our source."""
        left_out = unused(self.config)
        used = {
            name: self.config[name]
            for name, field in FIELDS.items()
            if (field.group == "Model" or name in _BESIDE_THE_MODEL) and name not in left_out
        }
        what = [used, self.vocab_size, self.steps, self.rows, self.length, self.threads]
        text = json.dumps([what, torch.__version__, _processor(), _source()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def request_for(config: RunConfig, vocab_size: int, steps: int, rows: int, length: int) -> Request:
    return Request(
        config=config.values(),
        vocab_size=vocab_size,
        steps=steps,
        rows=rows,
        length=length,
        threads=torch.get_num_threads(),
    )


@cache
def _processor() -> list[str]:
    """Programs use all that a processor can do: one made elsewhere, in a home that machines share, is not loaded."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:  # not on Linux
        flags = platform.processor()
    return [platform.machine(), torch.backends.cpu.get_cpu_capability(), flags]


@cache
def _source() -> str:
    """Of what makes programs: a change to it makes others."""
    folders = [Path(str(package.__file__)).parent for package in (models, tui_mm)]
    files = [*folders[0].glob("*.py"), *(folders[1] / "training" / "engines").glob("*.py")]
    files.append(folders[1] / "training" / "optimizers.py")
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()
