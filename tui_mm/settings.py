"""What the dashboard remembers from one start to the next: ``settings.json`` in the home. No torch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tui_mm.runs.home import Home

MAX_BYTES = 1 << 20
MAX_RECENT = 10


class Settings(BaseModel):
    """Set a field and ``save``; a value that is not allowed raises pydantic's ValidationError."""

    model_config = ConfigDict(validate_assignment=True, extra="ignore")

    theme: str = "textual-dark"
    panel: str = "loss"  # the one shown on a narrow terminal
    side: str = "sweep"  # the one shown at the side of a usual terminal
    loss_scale: Literal["log", "linear"] = "log"
    loss_axis: Literal["steps", "epochs", "seconds"] = "steps"
    bigrams: Literal["alone", "average"] = "alone"  # what the model's table shows
    temperature: float = Field(default=1.0, ge=0, le=100)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    recent: list[str] = Field(default_factory=list, max_length=MAX_RECENT)  # word lists, newest first
    speed: float = Field(
        default=1.0, gt=0, le=1000
    )  # of this machine, against the one the estimate of time was made on

    def remember_words(self, path: str) -> None:
        """Put a word list first among the recent ones."""
        self.recent = [path, *(p for p in self.recent if p != path)][:MAX_RECENT]

    @classmethod
    def load(cls, home: Home) -> tuple[Settings, str]:
        """The settings kept in a home, and a line about what was wrong with them ("" if nothing)."""
        path = _path(home)
        try:
            with path.open("rb") as file:
                return cls.model_validate_json(file.read(MAX_BYTES)), ""
        except FileNotFoundError:
            return cls(), ""
        except (OSError, ValidationError, UnicodeDecodeError):
            return cls(), f"{path}: cannot be read as settings; the usual ones are used, and written when you leave"

    def save(self, home: Home) -> None:
        """Raises RunError or OSError when the home cannot be written."""
        home.make()
        descriptor, part = tempfile.mkstemp(dir=home.root, prefix=".settings")  # made 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(self.model_dump_json(indent=2))
            Path(part).replace(_path(home))
        except OSError:
            Path(part).unlink(missing_ok=True)
            raise


def _path(home: Home) -> Path:
    return home.root / "settings.json"
