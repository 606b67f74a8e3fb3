"""How many processors this process may keep busy: those of the machine, of its affinity, and of its control group."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath


def usable_processors(root: Path = Path("/")) -> int:
    """At least 1. A container that is given 1.5 processors has one: two threads would be stopped by turns.

    ``root``: where /proc and /sys are looked for.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        allowed = os.cpu_count() or 1
    quota = control_group_quota(root)
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def control_group_quota(root: Path = Path("/")) -> float | None:
    """Processors that Linux's control groups leave to this process, the least of its group's and of all above it;
    None where there is no limit."""
    lines = (_text(root / "proc/self/cgroup") or "").splitlines()
    quotas = [_quota(folder) for line in lines for folder in _folders(line, root / "sys/fs/cgroup")]
    return min((quota for quota in quotas if quota is not None), default=None)


def _folders(line: str, groups: Path) -> list[Path]:
    """Of a line ``number:controllers:path``, the folders in which a limit on processors may stand. In a container the
    path may be the host's: then the last one, the root of what is mounted, is the container's."""
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if controllers and "cpu" not in controllers.split(","):
        return []
    mounts = [groups / name for name in (controllers, "cpu")] if controllers else [groups, groups / "unified"]
    inside = PurePosixPath(path.lstrip("/"))
    return [mount / part for mount in mounts for part in (inside, *inside.parents) if ".." not in part.parts]


def _quota(folder: Path) -> float | None:
    both = (_text(folder / "cpu.max") or "").split()  # version 2: "150000 100000", or "max 100000"
    if not both:
        both = [_text(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]  # version 1: -1 for none
    try:
        quota, period = map(int, both)
    except ValueError:  # "max", or no such file
        return None
    return quota / period if quota > 0 and period > 0 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):  # not Linux, or not for us to see
        return None
