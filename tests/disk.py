"""Disks that are small, full or read-only: real ones, of this machine's memory, where it lets us mount them."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """A file system of its own, which can be filled and freed again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._filler = root / "filler"

    def fill(self, leave: int = 0) -> None:
        """Until not one byte more fits; then give so many bytes back."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
            file.truncate(max(0, file.tell() - leave))

    def free(self) -> None:
        self._filler.unlink()


@contextmanager
def mounted(root: Path, *options: str, source: str = "tmpfs", kind: str = "tmpfs") -> Iterator[Disk]:
    """Skips the test where nobody may mount."""
    root.mkdir()
    mount(source, root, "-t", kind, "-o", ",".join(options))
    try:
        yield Disk(root)
    finally:
        unmount(root)


def mount(source: str | Path, root: Path, *options: str) -> None:
    try:
        done = subprocess.run(["mount", *options, source, root], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the program 'mount'")
    if done.returncode:
        pytest.skip(f"needs the right to mount, as root has: {done.stderr.strip()}")


def unmount(root: Path) -> None:
    """Also while its files are in use; where nothing is mounted there, nothing happens."""
    subprocess.run(["umount", "--lazy", root], check=False, capture_output=True)
