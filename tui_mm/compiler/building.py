"""From a request to a shared library, in the process that compiles."""

from __future__ import annotations

import platform
import sys
import zipfile
from pathlib import Path
from typing import Any

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
    torch._inductor.aoti_compile_and_package(program, package_path=str(package), inductor_configs=quickest_settings())
    with zipfile.ZipFile(package) as archive:
        (library,) = (name for name in archive.namelist() if name.endswith(".so"))
        made = folder / "program.so"
        made.write_bytes(archive.read(library))
    return made


def quickest_settings() -> dict[str, Any]:
    """Those settings of torch's compiler that save a fifth of its time and cost a program nothing; what this torch does
    not have is left out."""
    import torch._inductor.config as config

    wanted = {
        "precompile_headers": False,  # worth it for many programs, and there is one
        "enable_line_tables": False,  # for those who look into programs with a profiler; three quarters of the file
        "enable_frame_pointer": False,
    }
    settings = {f"aot_inductor.{name}": value for name, value in wanted.items() if hasattr(config.aot_inductor, name)}
    # Torch would compile and load a trial of AVX2 and of AVX-512 where the processor has them. A compiler that knows
    # C++20, without which nothing here compiles, knows both.
    if sys.platform == "linux" and platform.machine() == "x86_64" and getattr(config.cpp, "vec_isa_ok", True) is None:
        settings["cpp.vec_isa_ok"] = True
    return settings


def reason(error: BaseException) -> str:
    """Why it failed, in a line: a C++ compiler's first complaint where there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    complaint = next((line for line in lines if "error:" in line), lines[0] if lines else "")
    return f"{type(error).__name__}: {complaint}"[:_MOST_REASON]
