"""Gives the terminal its usual modes back where the dashboard cannot: killed by a signal that no process sees, as by a
system that is out of memory.

A shell of half a megabyte waits beside the dashboard until that has left, or is gone without a word.
"""

from __future__ import annotations

import os
import subprocess
from types import TracebackType
from typing import Self

_RESET = (
    "\x18\x1b[?2026l"  # ends a sequence that was cut, and a synchronized update
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # mouse, focus, pastes, sizes
    "\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"  # keys, line wrap, the usual screen, the cursor, colours
)
_SAID = "makemore-tui: the dashboard was killed; a training goes on without it: makemore-tui attach\r\n"
# The input is the dashboard's end of a pipe, 1 the terminal, 2 another pipe. A shell with job control sets the modes
# itself, at once: they are set here only where they are still the dashboard's a tenth of a second later.
_SCRIPT = """
exec 4<&1
usual=$(stty -g <&4) || exit
printf . >&2
exec 2>/dev/null
IFS= read -r word
[ "$word" = left ] && exit
printf '%s' "$1"
sleep 0.1
modes=$(stty -a <&4)
case $modes in *-isig*) case $modes in *-icanon*) stty "$usual" <&4;; esac;; esac
"""


class TerminalGuard:
    """As a context manager around a dashboard in this process's terminal. Does nothing where there is no terminal, or
    no shell."""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            terminal = os.open(os.ttyname(1), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except (OSError, AttributeError):  # none, or not on this platform
            return self
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "sh", _RESET + _SAID],
                stdin=subprocess.PIPE,
                stdout=terminal,
                stderr=subprocess.PIPE,
                start_new_session=True,  # neither the terminal's signals nor its job control concern it
            )
        except OSError:
            return self
        finally:
            os.close(terminal)
        return self

    def wait_until_ready(self) -> None:
        """Until it knows the terminal's usual modes, which are to be changed then; some milliseconds at most."""
        if self._shell is not None and self._shell.stderr is not None:
            self._shell.stderr.read(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shell is None:
            return
        try:
            self._shell.communicate(b"left\n")
        except BrokenPipeError:
            self._shell.wait()  # it was killed itself
