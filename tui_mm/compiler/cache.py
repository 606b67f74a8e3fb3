"""Where compiled programs are kept: a folder of their user's alone, since to load one is to run it.

A run folder may come from elsewhere, and so may a home; a program never does. The folder stands in the platform's
cache, whatever home is in use, and what others could have written is neither loaded nor written to.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import platformdirs

from tui_mm.runs.files import private_folder

_MOST_KEPT = 40  # of some 2 MB
_STALE_SECONDS = 3600.0  # what a compilation left behind that was killed
_BUILD = "build-"


class CacheError(OSError):
    """The folder cannot be used: one line."""


class ProgramCache:
    """Programs by their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def find(cls) -> ProgramCache:
        """``MAKEMORE_CACHE``, else the platform's cache folder."""
        named = os.environ.get("MAKEMORE_CACHE")
        root = Path(named).expanduser() if named else platformdirs.user_cache_path("makemore-tui", appauthor=False)
        return cls(root.absolute() / "programs")

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.so"

    def make(self) -> None:
        """Raises CacheError where it cannot be made, or is not this user's alone."""
        try:
            private_folder(self.folder)
        except OSError as error:
            raise CacheError(f"{self.folder}: cannot be made ({error.strerror})") from None
        check_own(self.folder, stat.S_ISDIR)

    def find_program(self, name: str) -> Path | None:
        """The file of a program that is there and this user's alone. Raises CacheError for one that is not."""
        path = self.path(name)
        if not path.exists():
            return None
        check_own(self.folder, stat.S_ISDIR)
        check_own(path, stat.S_ISREG)
        with suppress(OSError):
            os.utime(path)  # the longest unused go first
        return path

    def build_folder(self) -> Path:
        """A new folder to compile in; those that were left behind go."""
        for folder in self.folder.glob(f"{_BUILD}*"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=_BUILD, dir=self.folder))

    def keep(self, made: Path, name: str) -> None:
        """Take in a program by a rename; the longest unused make room."""
        made.chmod(0o600)
        made.rename(self.path(name))
        kept = sorted(self.folder.glob("*.so"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[_MOST_KEPT:]:
            path.unlink(missing_ok=True)


def check_own(path: Path, is_kind: object) -> None:
    """Raises CacheError for what another user owns or could write to, and for a link."""
    found = path.lstat()
    assert callable(is_kind)
    if not is_kind(found.st_mode):
        raise CacheError(f"{path}: is not what this program keeps there; delete it")
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        raise CacheError(f"{path}: belongs to another user, and is not used")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheError(f"{path}: can be written by others, and is not used; delete it, or: chmod go-w {path}")
