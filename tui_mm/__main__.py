"""`python -m tui_mm` and the console script `makemore-tui`."""

import atexit
import gc
import os
import sys
from importlib.util import find_spec
from pathlib import Path

_HOUSE = Path(__file__).resolve().parent.parent


def _leave_current_folder() -> None:
    """``python -m`` puts the current folder first on the path, where a models.py of the user's would hide ours."""
    if not sys.flags.safe_path and sys.path and Path(sys.path[0] or ".").resolve() == Path.cwd() != _HOUSE:
        del sys.path[0]


def _hidden_by() -> str | None:
    """Where another ``data`` or ``models`` stands before ours, through PYTHONPATH say."""
    for name in ("data", "models"):
        spec = find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parent.parent != _HOUSE:
            where = None if spec is None else spec.origin or next(iter(spec.submodule_search_locations or ["?"]))
            return f"the package {name!r} of makemore-tui is hidden by {where or 'a broken installation'}"
    return None


def main() -> None:
    """Run the command line and exit with its code."""
    hidden = _hidden_by()
    if hidden:
        sys.exit(f"makemore-tui: error: {hidden}; take that folder off PYTHONPATH and start again")
    # Before torch is loaded: its threads sleep while they wait, so that a busy machine slows a training by what the
    # others take and not tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    gc.disable()  # loading makes nothing to collect, and looking for it takes a tenth of the start
    atexit.register(gc.freeze)  # nor does leaving: with torch loaded, a last look through it all takes half a second
    try:
        from tui_mm.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.enable()
    sys.exit(run())


if __name__ == "__main__":
    _leave_current_folder()
    main()
