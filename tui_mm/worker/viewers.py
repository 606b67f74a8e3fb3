"""Who is there to see a training, and to let it go on when it is paused."""

from __future__ import annotations

import math
import os
import select
import sys
import threading
import time
from pathlib import Path

from tui_mm.runs.presence import is_watched

_LOOK_SECONDS = 0.25  # between looks at whether others than the starter watch


class Viewers:
    """Whether anybody watches the run of a folder: whoever started this process, whose end of our standard input is
    open, or another viewer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._starter_has_gone = False
        self._others = False
        self._looked = -math.inf

    @property
    def gone(self) -> bool:
        if not self._starter_has_gone:
            return False
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked, self._others = now, is_watched(self._folder)
        return not self._others

    def wait(self, seconds: float) -> None:
        """Wait, noticing that the starter goes."""
        if self._starter_has_gone:
            threading.Event().wait(seconds)
            return
        readable, _, _ = select.select([sys.stdin], [], [], seconds)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            self._starter_has_gone = True


class Foreground:
    """Stands for the viewers of a training in the foreground: its own terminal, which ends it by signals."""

    gone = False

    def wait(self, seconds: float) -> None:
        threading.Event().wait(seconds)
