"""Where runs and downloaded data sets are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from tui_mm.runs.files import private_folder


class RunError(Exception):
    """What is wrong with a run or with the home; one line for a person."""


class Home:
    """The program's folder: ``runs/`` and ``datasets/``. Made when first written to, open to its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.datasets = root / "datasets"

    @classmethod
    def find(cls, option: Path | None = None) -> Home:
        """``--home``, else ``MAKEMORE_HOME``, else the platform's state folder."""
        named = option or os.environ.get("MAKEMORE_HOME")
        root = Path(named).expanduser() if named else platformdirs.user_state_path("makemore-tui", appauthor=False)
        return cls(root.absolute())

    def make(self) -> None:
        """Raises RunError when the folder cannot be made or written to."""
        try:
            for folder in (self.root, self.runs, self.datasets):
                private_folder(folder)
        except OSError as error:
            raise RunError(
                f"{self.root}: cannot be used as the home folder ({error.strerror}); give a folder that you can write "
                "to with --home or MAKEMORE_HOME"
            ) from None
        if not os.access(self.runs, os.W_OK | os.X_OK):
            raise RunError(
                f"{self.runs}: is not writable; give a folder that you can write to with --home or MAKEMORE_HOME"
            )
