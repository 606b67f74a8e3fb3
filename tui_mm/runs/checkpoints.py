"""Checkpoints: safetensors with metadata, written so that a good one is always there. Never pickle."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tui_mm.runs.faults import in_a_line, of_system
from tui_mm.runs.files import private_file
from tui_mm.runs.home import RunError
from tui_mm.runs.plain import check_plain

FORMAT = 1
MAX_CHECKPOINT_BYTES = 1 << 32
"""The largest model, with what AdamW keeps of it, takes three quarters of that."""
_KEY = "makemore-tui"
_CHECKSUM = "crc32"  # of all that a checkpoint holds; version 0.1 wrote none


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Arrays by name, and values that JSON can hold: the trainer's counters, configuration and vocabulary."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]


class DamagedError(RunError):
    """A checkpoint that cannot be read."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write beside, flush to the disk, rename over: at every moment, and after a loss of power, ``path`` is the old
    file or the whole new one. Raises StorageError when it cannot be written; nothing is left of it then."""
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    values = json.dumps({"format": FORMAT, **checkpoint.values})
    raw = save(arrays, metadata={_KEY: values, _CHECKSUM: _checksum(values, arrays)})
    part = path.with_suffix(".part")
    try:
        try:
            _write(part, raw)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)  # the space may be all that somebody else needs
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the rename itself
        finally:
            os.close(folder)
    except OSError as error:
        raise of_system(path, error) from None


def _write(path: Path, raw: bytes) -> None:
    with os.fdopen(private_file(path, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _checksum(values: str, arrays: dict[str, NDArray[Any]]) -> str:
    """Of the values as they are written, and of every array's name, type, shape and bytes: 8 hexadecimal digits."""
    found = zlib.crc32(values.encode())
    for name in sorted(arrays):
        array = arrays[name]
        found = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), found)
        found = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data, found)
    return f"{found:08x}"


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises RunError for a file that is missing, damaged or no checkpoint of this program."""
    try:
        check_plain(path)
        if path.stat().st_size > MAX_CHECKPOINT_BYTES:
            raise ValueError("larger than any checkpoint of this program")
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            text = metadata[_KEY]
            values = json.loads(text)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
        if metadata.get(_CHECKSUM) not in (None, _checksum(text, arrays)):
            raise ValueError("its checksum is another")
    except FileNotFoundError:
        raise RunError(f"{path}: no such checkpoint; the run has not reached its first one") from None
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{path}: is damaged or no checkpoint ({in_a_line(error)})") from None
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise RunError(f"{path}: is a checkpoint of another version; this program reads version {FORMAT}")
    return Checkpoint(arrays, values)
