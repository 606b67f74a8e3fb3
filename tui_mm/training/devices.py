"""Where the training runs, and on how many threads."""

from __future__ import annotations

import os

import torch

from tui_mm.training.torch_fault import require_torch

_WORK_PER_THREAD = 8_000_000  # multiply-adds of a forward pass that keep a thread busy: below, a second one costs


class DeviceError(ValueError):
    """A device that is not here; one line for a person."""


def available_devices() -> list[str]:
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices


def choose_device(wanted: str) -> torch.device:
    """The device of a name; ``auto`` takes a GPU where there is one. Raises DeviceError, or TorchError for a torch that
    is too old."""
    require_torch()
    here = available_devices()
    if wanted == "auto":
        return torch.device(here[1] if len(here) > 1 else "cpu")
    if wanted not in here:
        raise DeviceError(f"--device: {wanted} is not available here; give auto or one of {', '.join(here)}")
    return torch.device(wanted)


def choose_threads(wanted: int, rows: int, parameters: int) -> int:
    """Threads for steps of ``rows`` predictions by a model of ``parameters``; ``wanted`` above 0 is taken as it is.

    A small step is over before a second thread has woken up. One processor is left to the screen and to others:
    threads that share a processor wait for each other at every operation, and a step takes several times as long.
    """
    if wanted:
        return wanted
    return max(1, min(cpu_count() - 1, rows * parameters // _WORK_PER_THREAD))


def cpu_count() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, had no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "alloc" in str(error) and "memory" in str(error)
