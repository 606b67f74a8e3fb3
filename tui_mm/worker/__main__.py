"""`python -P -m tui_mm.worker FOLDER`: the worker process of a run. Started by the client, not by a person."""

import atexit
import gc
import os
import signal
import sys
from pathlib import Path


def main() -> int:
    """Serve the run of a folder until there is nothing to do and nobody there."""
    # Of the terminal's signals only the asked-for stop counts: a line that drops must not end a training.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    gc.disable()  # loading torch makes nothing to collect
    from tui_mm.training.torch_fault import torch_fault

    if fault := torch_fault():
        print(f"error: {fault}", file=sys.stderr)  # noqa: T201, that is worker.log
        return 2
    from tui_mm.runs.folder import BusyError
    from tui_mm.runs.run import Run
    from tui_mm.signals import stop_on_signals
    from tui_mm.worker.loading import resume_trainer
    from tui_mm.worker.server import USER_ERRORS, Server
    from tui_mm.worker.session import training_session
    from tui_mm.worker.trouble import WaitEndedError, write_line
    from tui_mm.worker.viewers import Viewers

    gc.freeze()  # what was loaded stays: it is never looked through again, at the end neither
    gc.enable()
    atexit.register(gc.freeze)
    run = Run(Path(sys.argv[1]))
    try:
        trainer, splits = resume_trainer(run)
        with training_session(run, trainer, splits, serves=True) as session, stop_on_signals(signal.SIGTERM) as stop:
            Server(session, Viewers(run.folder), stop).serve()
    except BusyError:
        return 0  # two viewers have started a worker at once: the other serves both
    except WaitEndedError as ended:
        write_line(str(ended))
    except USER_ERRORS as error:
        write_line(f"error: {error}")
        return 2
    return stop.exit_code if stop() else 0


if __name__ == "__main__":
    sys.exit(main())
