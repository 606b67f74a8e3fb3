"""An experiment in a process of its own, for the dashboard: it goes on when that is left. No torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from data.catalog import STDIN
from tui_mm.config import RunConfig
from tui_mm.experiments.kept import KeptExperiment, create_experiment
from tui_mm.runs.files import private_file
from tui_mm.runs.home import Home, RunError

_LOG_BYTES = 1 << 14  # of its end, that are looked at

Process = subprocess.Popen[bytes]


def start_experiment(home: Home, config: RunConfig, name: str, words: Path | None) -> tuple[KeptExperiment, Process]:
    """Run an experiment on a configuration's words, with its seed and one thread, in the background.

    ``words``: a copy of them, used where they came through standard input. The process is a session of its own: what
    ends the terminal does not end it. Raises RunError where it cannot be kept or started.
    """
    if config.data == STDIN:
        if words is None:
            raise RunError("the words are not there yet")
        config = config.but(data=str(words), encoding="utf-8")
    elif os.path.isfile(config.data):  # noqa: PTH113, a string that may be no path
        config = config.but(data=os.path.abspath(config.data))  # noqa: PTH100
    kept = create_experiment(home, name, config)
    arguments = [
        f"--data={config.data}",
        f"--encoding={config.encoding}",
        f"--level={config.level}",
        f"--min-count={config.min_count}",
        f"--seed={config.seed}",
        f"--home={home.root}",
        f"--id={kept.id}",
    ]
    try:
        descriptor = private_file(kept.log, os.O_WRONLY | os.O_APPEND)
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tui_mm", "experiment", name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=kept.folder,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
    except OSError as error:
        kept.delete()
        raise RunError(f"experiment {name}: cannot be started ({error.strerror}); free memory, or try again") from None
    return kept, process


def last_lines(kept: KeptExperiment, count: int = 3) -> list[str]:
    """The end of what its process wrote."""
    try:
        with kept.log.open("rb") as file:
            file.seek(max(0, kept.log.stat().st_size - _LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []
