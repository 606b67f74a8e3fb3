"""Checkpoints: safetensors with metadata, written so that a good one is always there. Never pickle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tui_mm.runs.home import RunError

FORMAT = 1
_KEY = "makemore-tui"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Arrays by name, and values that JSON can hold: the trainer's counters, configuration and vocabulary."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write beside, flush to the disk, rename over: at every moment ``path`` is the old file or the whole new one."""
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    raw = save(arrays, metadata={_KEY: json.dumps({"format": FORMAT, **checkpoint.values})})
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises RunError for a file that is missing, damaged or no checkpoint of this program."""
    try:
        with safe_open(path, framework="numpy") as file:
            values = json.loads((file.metadata() or {})[_KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
    except FileNotFoundError:
        raise RunError(f"{path}: no such checkpoint; the run has not reached its first one") from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RunError(f"{path}: is damaged or no checkpoint ({error})") from None
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise RunError(f"{path}: is a checkpoint of another version; this program reads version {FORMAT}")
    return Checkpoint(arrays, values)
