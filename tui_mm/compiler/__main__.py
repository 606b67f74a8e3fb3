"""`python -P -m tui_mm.compiler FOLDER NAME`: compiles one program, as a request on its standard input says.

Started by `tui_mm.compiler.compilation`, not by a person. It goes when its standard input closes, which it does when
whoever waits for the program has ended, and takes the C++ compiler with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path


def main() -> int:
    """Exit code 0, with the program in the cache; or 1, with the reason as the last line on standard error."""
    build, name = Path(sys.argv[1]), sys.argv[2]
    request = sys.stdin.buffer.readline()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    os.nice(10)  # the training and the screen come first; 19 would wait for ever beside two trainings
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(build / "inductor")
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    os.environ["TMPDIR"] = str(build)
    from tui_mm.compiler.building import build_program, reason
    from tui_mm.compiler.cache import ProgramCache

    try:
        made = build_program(request, build)
        ProgramCache(build.parent).keep(made, name)
    except (Exception, SystemExit) as error:  # noqa: BLE001, whatever a compiler and torch raise; it is told in a line
        print(reason(error), file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(1 << 12):
        pass
    os.killpg(0, signal.SIGKILL)  # a session of its own: itself, and the C++ compiler


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # the thread that waits on standard input would be waited for
