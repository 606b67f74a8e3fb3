"""Where the training runs, and on how many threads."""

from __future__ import annotations

import torch

from tui_mm.processors import usable_processors
from tui_mm.training.torch_fault import require_torch

_WORK_PER_THREAD = 6_000_000
"""Multiply-adds between two waits that are worth a thread. A wait costs 0.15 to 0.35 ms a step of one layer with two
threads (docs/performance.md), and one thread does so much in about a millisecond, forward and backward."""
_WORK_FOR_ALL = 32_000_000
"""From here on two threads also pay where there are but two processors, and the screen is on one of them."""


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


def choose_threads(wanted: int, rows: int, parameters: int, depth: int = 1) -> int:
    """Threads for steps of ``rows`` predictions by a model of ``parameters``, whose products stand ``depth`` one behind
    another; ``wanted`` above 0 is taken as it is."""
    return wanted or threads_that_pay(rows * parameters // depth, cpu_count())


def threads_that_pay(work: int, processors: int) -> int:
    """Threads for ``work`` multiply-adds of a forward pass between two places at which all wait for all.

    A small step is over before a second thread has woken up. One processor is left to the screen and to others:
    threads that share a processor wait for each other at every operation, and a step takes several times as long.
    Of two processors, where one left is half of all, both are taken for work that is long against such a wait.
    """
    most = 2 if processors == 2 and work >= _WORK_FOR_ALL else processors - 1
    return max(1, min(most, work // _WORK_PER_THREAD))


def cpu_count() -> int:
    """Processors this process may use."""
    return usable_processors()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, had no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "alloc" in str(error) and "memory" in str(error)
