"""Files and folders that are their owner's alone, whatever the umask says."""

from __future__ import annotations

import os
from pathlib import Path


def private_file(path: Path, flags: int = os.O_WRONLY) -> int:
    """A descriptor of a file that is made if it is not there, mode 0600. A link is not followed. Raises OSError."""
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for
    os.fchmod(descriptor, 0o600)  # the umask may have taken away more
    return descriptor


def private_folder(path: Path) -> None:
    """Make a folder and those above it that are not there; its own mode is 0700 if it is made. Raises OSError."""
    if path.is_dir():
        return
    private_folder(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
        return  # another process was faster
    path.chmod(0o700)
