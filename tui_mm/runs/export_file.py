"""A file that is there whole or not at all, and that takes the place of no other by accident."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tui_mm.runs.home import RunError

_LONGEST = 180  # bytes of a file's name, so that most file systems take it with what is added


def file_name(title: str, otherwise: str) -> str:
    """A run's name as a file's: letters, digits, spaces and "._-" stay. ``otherwise`` where that leaves nothing that
    could be one."""
    name = "".join(c if c.isalnum() or c in " ._-" else "_" for c in title).lstrip(" .-").rstrip(" .")
    return name if name.strip("_") and len(name.encode()) <= _LONGEST else otherwise


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file to write to, which stands at ``path`` when all of it is on the disk; with ``force``, in the place of one
    that is there. What is left when something fails is as it was before.

    Raises RunError for a path that is taken or cannot be written.
    """
    path = _resolved(path)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    made = False
    try:
        _check(path, force=force)
        with part.open("xb") as file:
            made = True
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check(path, force=force)  # it took a while
        part.replace(path)
    except OSError as error:
        raise RunError(unwritable(path, error)) from None
    finally:
        if made:
            part.unlink(missing_ok=True)


def unwritable(path: Path | str, error: OSError) -> str:
    """What to say of a file that could not be written."""
    full = "free space there, or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{path}: cannot be written ({error.strerror}); {full}give another place with --output"


def _resolved(path: Path) -> Path:
    """What a link names is replaced, not the link."""
    try:
        return path.expanduser().resolve()
    except RuntimeError as error:  # a home that nobody has, links in a circle
        raise RunError(f"{path}: cannot be written ({error}); give another place with --output") from None


def _check(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise RunError(f"{path}: is a folder; give --output a file")
    if path.exists() and not path.is_file():
        raise RunError(f"{path}: is no regular file; give another --output, or - for standard output")
    if path.exists() and not force:
        raise RunError(f"{path}: is there already; give --force to replace it, or another --output")
