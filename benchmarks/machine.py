"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from tui_mm.training.devices import cpu_count


def machine() -> dict[str, str | int]:
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "usable_cores": cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def machine_line() -> str:
    m = machine()
    cores = f"{m['usable_cores']} of {m['cores']} cores"
    return f"{m['cpu']}, {cores}, {m['system']}, torch {m['torch']}, Python {m['python']}"


def gpu_name() -> str | None:
    """Of the GPU that torch sees, if any."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or "unknown processor"
