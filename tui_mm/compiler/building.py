"""From a request to a shared library, in the process that compiles."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import torch
from torch import Generator

from tui_mm.compiler.request import Request
from tui_mm.config import validate
from tui_mm.training.engines.compiled import BlockShape
from tui_mm.training.engines.program import export_steps
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.setup import build_model

_MOST_REASON = 300


def build_program(request: bytes, folder: Path) -> Path:
    """The library of a request in JSON, made in ``folder``."""
    asked = msgspec.json.decode(request, type=Request)
    torch.set_num_threads(asked.threads)
    config = validate(asked.config)
    model = build_model(config, asked.vocab_size, Generator())
    optimizer = make_optimizer(config, dict(model.named_parameters()))
    program = export_steps(model, optimizer, config, BlockShape(asked.steps, asked.rows, asked.length))
    if program.constants or program.state_dict:
        raise RuntimeError("the model's step holds tensors that are not in its state")
    if asked.threads > 1:  # sums of threads in any order would not come to the same bits again
        torch.use_deterministic_algorithms(True)
    package = folder / "program.pt2"
    once = {"aot_inductor.precompile_headers": False}  # worth it for many programs, and there is one
    torch._inductor.aoti_compile_and_package(program, package_path=str(package), inductor_configs=once)
    with zipfile.ZipFile(package) as archive:
        (library,) = (name for name in archive.namelist() if name.endswith(".so"))
        made = folder / "program.so"
        made.write_bytes(archive.read(library))
    return made


def reason(error: BaseException) -> str:
    """Why it failed, in a line: a C++ compiler's first complaint where there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    complaint = next((line for line in lines if "error:" in line), lines[0] if lines else "")
    return f"{type(error).__name__}: {complaint}"[:_MOST_REASON]
