"""A person before a real terminal in which the program runs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from benchmarks.terminal import PATIENCE_S, Terminal


class Person(Terminal):
    """Waits for what stands on the screen."""

    def sees(self, pattern: str) -> re.Match[str]:
        found: list[re.Match[str]] = []

        def seen() -> bool:
            found[:] = list(re.finditer(pattern, self.text()))
            return bool(found)

        self.until(seen, pattern)
        return found[0]

    def hang_up(self) -> None:
        """As a line that drops: SIGHUP, and what does not end by it is killed."""
        self._child.close(force=True)

    def kill(self) -> None:
        self.process.kill()
        self._child.wait()  # else its number is still taken


def await_(condition: Callable[[], bool]) -> None:
    """For what no screen shows."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "waited too long"
        threading.Event().wait(0.02)
