"""What the dashboard remembers from one start to the next: ``settings.json`` in the home. No torch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, convert
from msgspec.structs import fields

from tui_mm.runs.home import Home

MAX_BYTES = 1 << 20
MAX_RECENT = 10


class Settings(Struct):
    """Set a field and ``save``; a value that is not allowed raises msgspec's ValidationError.

    What is read is checked too, and what a newer version wrote beside it is left out.
    """

    theme: str = "textual-dark"
    panel: str = "loss"  # the one shown on a narrow terminal
    side: str = "sweep"  # the one shown at the side of a usual terminal
    loss_scale: Literal["log", "linear"] = "log"
    loss_axis: Literal["steps", "epochs", "seconds"] = "steps"
    bigrams: Literal["alone", "average"] = "alone"  # what the model's table shows
    temperature: Annotated[float, Meta(ge=0, le=100)] = 1.0
    top_k: Annotated[int, Meta(ge=0)] = 0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    recent: Annotated[list[str], Meta(max_length=MAX_RECENT)] = []  # word lists, newest first
    speed: Annotated[float, Meta(gt=0, le=1000)] = 1.0  # of this machine, against the estimate's

    def __setattr__(self, name: str, value: Any) -> None:
        wanted = next((field.type for field in fields(self) if field.name == name), Any)
        Struct.__setattr__(self, name, convert(value, wanted))

    def remember_words(self, path: str) -> None:
        """Put a word list first among the recent ones."""
        self.recent = [path, *(p for p in self.recent if p != path)][:MAX_RECENT]

    @classmethod
    def load(cls, home: Home) -> tuple[Settings, str]:
        """The settings kept in a home, and a line about what was wrong with them ("" if nothing)."""
        path = _path(home)
        try:
            with path.open("rb") as file:
                return msgspec.json.decode(file.read(MAX_BYTES), type=cls), ""
        except FileNotFoundError:
            return cls(), ""
        except (OSError, ValueError, RecursionError):  # msgspec's errors are among them
            return cls(), f"{path}: cannot be read as settings; the usual ones are used, and will replace it"

    def save(self, home: Home) -> None:
        """Raises RunError or OSError when the home cannot be written."""
        home.make()
        descriptor, part = tempfile.mkstemp(dir=home.root, prefix=".settings")  # made 0600
        try:
            os.fchmod(descriptor, 0o600)  # the umask may have taken away more
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(self)))
            Path(part).replace(_path(home))
        except OSError:
            Path(part).unlink(missing_ok=True)
            raise


def _path(home: Home) -> Path:
    return home.root / "settings.json"
