"""One cell of a table of sizes, measured in a process of its own, so that its memory and its threads are its own.

As a program it takes an order as JSON (``train`` makes it), trains, and prints what it measured as JSON; without an
order, the name of the GPU. Building windows is measured by the program ``benchmarks.scale``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parent.parent
_WARM_UP = 0.3  # of the seconds, before those that count; the first blocks are short


class CellError(RuntimeError):
    """A cell that ended without a figure, with the last it said."""


@dataclass(frozen=True)
class Trained:
    """What a training came to. ``work``: multiply-adds of a forward pass between two places at which threads wait for
    each other; ``chosen``: the threads that ``auto`` takes; bytes are the process's peak, resident, and what of it was
    there before the words."""

    steps_per_second: float
    parameters: int
    work: int
    chosen: int
    peak_bytes: int
    base_bytes: int
    gpu_bytes: int = 0


@dataclass(frozen=True)
class Built:
    """What it took from a file to the windows of its train split, without torch."""

    seconds: float
    peak_bytes: int
    examples: int


def build(path: Path, block_size: int, limit: float) -> Built | None:
    """None where it took longer than ``limit`` seconds. Raises CellError."""
    answer = answer_of("benchmarks.scale", [str(path), str(block_size)], limit)
    return None if answer is None else Built(**answer)


def train(path: Path, preset: str, flags: dict[str, Any], seconds: float, threads: int, limit: float) -> Trained | None:
    """Steps for about so many seconds; None where the whole took longer than ``limit``. Raises CellError."""
    order = {"path": str(path), "preset": preset, "flags": flags, "seconds": seconds, "threads": threads}
    answer = answer_of("benchmarks.cell", [json.dumps(order)], limit)
    return None if answer is None else Trained(**answer)


def gpu() -> str | None:
    """The name of the GPU that torch sees, if any; asked of a process of its own, since this one is to stay small."""
    answer = answer_of("benchmarks.cell", [], 120)
    if answer is None:
        raise CellError("torch took more than two minutes to say whether there is a GPU")
    name: str | None = answer["gpu"]
    return name


def answer_of(module: str, arguments: Sequence[str], limit: float) -> dict[str, Any] | None:
    """The JSON that a module of ours prints when it is run; None where it takes longer than ``limit`` seconds."""
    # As the program has it: torch's threads sleep while they wait.
    environment = os.environ | {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    try:
        child = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=_REPOSITORY,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return None
    if child.returncode:
        raise CellError(f"{module} {' '.join(arguments)}: exit code {child.returncode}: {child.stderr[-2000:].strip()}")
    answer: dict[str, Any] = json.loads(child.stdout)
    return answer


def _measure(order: dict[str, Any]) -> dict[str, Any]:
    import torch

    from benchmarks.scale import peak_bytes
    from data.corpus import read_words
    from tui_mm.config import make_config
    from tui_mm.training.events import StepBlock
    from tui_mm.training.setup import build_trainer, thread_work
    from tui_mm.words import split_for

    base = peak_bytes()
    # No evaluation on the way: that of a long list takes longer than the cell. A step's work depends on no loss.
    endless = {"steps": 10**9, "eval_every": 10**9, "threads": 0}
    config = make_config(order["preset"], flags={"device": "cpu"} | order["flags"] | endless)
    trainer = build_trainer(config, split_for(config, read_words(Path(order["path"]))))
    chosen = torch.get_num_threads()
    torch.set_num_threads(order["threads"])
    state = trainer.state()
    state.values["evaluated_at"] = 0
    trainer.load_state(state)

    started = time.perf_counter()
    counted_from, done = None, 0
    for event in trainer.events():
        if not isinstance(event, StepBlock):
            continue  # a warning that the loss rises, which is not looked at
        now = time.perf_counter()
        if counted_from is None:
            if now - started >= _WARM_UP * order["seconds"]:
                counted_from = now
            continue
        done += len(event.losses)
        if now - counted_from >= order["seconds"]:
            break
    else:
        raise RuntimeError("the training ended by itself: its loss is not finite")
    assert counted_from is not None
    predictions, parameters, depth = thread_work(config, trainer.model, trainer.rows["train"])
    return {
        "steps_per_second": done / (now - counted_from),
        "parameters": trainer.model.parameter_count(),
        "work": predictions * parameters // depth,
        "chosen": chosen,
        "peak_bytes": peak_bytes(),
        "base_bytes": base,
        "gpu_bytes": torch.cuda.max_memory_allocated() if trainer.device.type == "cuda" else 0,
    }


def _gpu_name() -> dict[str, Any]:
    from benchmarks.machine import gpu_name

    return {"gpu": gpu_name()}


if __name__ == "__main__":
    print(json.dumps(_measure(json.loads(sys.argv[1])) if sys.argv[1:] else _gpu_name()))
