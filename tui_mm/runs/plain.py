"""The files of a run, or of an experiment, are plain files: what stands in their place in a folder from elsewhere is
neither followed out of the folder nor waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tui_mm.runs.faults import StorageError, of_system

_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # the end of a journal that names another file


def check_plain(path: Path) -> None:
    """Raises StorageError for a link, a folder, a pipe or a device in place of a file of a run, OSError where there is
    nothing."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise StorageError(path, "damaged", "is no plain file but a link, a folder or a device")


def check_words(path: Path) -> None:
    """Raises StorageError for a run's copy of its words that is not there or no plain file."""
    try:
        check_plain(path)
    except OSError as error:
        raise of_system(path, error) from None


def check_journal(store: Path) -> None:
    """SQLite deletes the file that a journal names as its super-journal. Ours name none; raises StorageError for one
    that does, or is no plain file."""
    path = store.with_name(store.name + "-journal")
    try:
        check_plain(path)
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_SUPER_JOURNAL)))
            end = file.read()
    except FileNotFoundError:
        return
    if end == _SUPER_JOURNAL:
        raise StorageError(path, "damaged", "is a journal that names another file")
