"""Experiments that are kept: a folder each, with ``experiment.json`` and a lock that says who runs it. No torch.

The file is written anew after every finished row, beside and renamed into place, so that whoever follows it reads a
whole one.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from data.levels import LevelName
from tui_mm.config import RunConfig
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.result import ExperimentResult, Line, Passage, check_result
from tui_mm.runs.files import private_folder
from tui_mm.runs.folder import hold, is_held, remove, send_signal
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.plain import check_plain

Status = Literal["created", "running", "done", "stopped", "failed", "crashed"]

MAX_BYTES = 1 << 24
_ID = re.compile(r"[0-9a-f]{8}")
_FILE = "experiment.json"
_Count = Annotated[int, Meta(ge=0, le=1 << 53)]


@dataclass(frozen=True)
class WordFacts:
    """Which words an experiment was run on; ``sha256`` as ``Corpus.sha256`` has it."""

    name: Annotated[str, Meta(max_length=4096)]
    sha256: Line
    words: _Count
    vocabulary: _Count


@dataclass(frozen=True)
class Record:
    """An experiment as it is kept. Times are ISO 8601, UTC.

    data, encoding, level, min_count: of a configuration, by which the words were read
    scale: what the steps of every training are multiplied by
    words: None until they were read
    doing: what is under way now, for a person; fault: why it failed
    """

    id: str
    name: Line
    created: Line
    data: Annotated[str, Meta(max_length=4096)]
    encoding: Line
    level: LevelName
    min_count: _Count
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    scale: Annotated[float, Meta(gt=0, le=1)]
    threads: _Count
    status: Status = "created"
    ended: Line = ""
    seconds: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    pid: Annotated[int, Meta(ge=0, le=(1 << 31) - 1)] = 0
    words: WordFacts | None = None
    doing: Passage = ""
    fault: Passage = ""
    result: ExperimentResult = field(default_factory=ExperimentResult)


@dataclass(frozen=True)
class KeptExperiment:
    """A folder that exists. Reads nothing until asked."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def log(self) -> Path:
        """What the process that runs it in the background writes."""
        return self.folder / "log.txt"

    def stamp(self) -> tuple[int, int]:
        """Differs when the file was written anew; (0, 0) when it is not there."""
        try:
            stat = (self.folder / _FILE).stat()
        except OSError:
            return 0, 0
        return stat.st_mtime_ns, stat.st_ino

    def read(self) -> Record:
        """Its status is that of now: ``crashed`` where it is said to run and nobody holds the lock. Raises RunError."""
        record = self._read()
        if record.status == "running" and not self.is_live():
            record = self._read()  # it may have ended between the two looks
            if record.status == "running":
                return replace(record, status="crashed")
        return record

    def _read(self) -> Record:
        path = self.folder / _FILE
        try:
            check_plain(path)
            with path.open("rb") as file:
                raw = file.read(min(path.stat().st_size, MAX_BYTES) + 1)
            if len(raw) > MAX_BYTES:
                raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
            record = msgspec.json.decode(raw, type=Record)
            datetime.fromisoformat(record.created).astimezone()  # the first and last years have no time elsewhere
            check_result(record.result)
            if record.name not in EXPERIMENTS:
                raise ValueError(f"{record.name!r} is no experiment that this version knows")
        except OSError as error:
            raise RunError(
                f"experiment {self.id}: {path} cannot be read ({error.strerror}); see its permissions"
            ) from None
        except (ValueError, TypeError, OverflowError, RecursionError) as error:  # msgspec's errors are among them
            raise RunError(
                f"experiment {self.id}: {path} cannot be used ({error}); "
                f"'makemore-tui experiments delete {self.id}' takes it away"
            ) from None
        return record

    def write(self, record: Record) -> None:
        """Raises RunError where it cannot be written."""
        try:
            descriptor, part = tempfile.mkstemp(dir=self.folder, prefix=".experiment")  # made 0600
            try:
                os.fchmod(descriptor, 0o600)  # the umask may have taken away more
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.format(msgspec.json.encode(record), indent=1))
                Path(part).replace(self.folder / _FILE)
            except OSError:
                Path(part).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise RunError(
                f"experiment {self.id}: {self.folder} cannot be written to ({error.strerror}); free space, or give "
                "another --home"
            ) from None

    def is_live(self) -> bool:
        """Whether a process runs it."""
        return is_held(self.folder)

    def lock(self) -> AbstractContextManager[None]:
        """Held by the one process that runs it; freed by the system when that dies. Raises RunError if held."""
        return hold(self.folder, f"experiment {self.id}", "run")

    def stop(self) -> bool:
        """Ask who runs it to stop and to keep the rows that are done; whether there was anybody. Raises RunError."""
        record = self.read()
        if record.status != "running" or record.pid <= 0:
            return False
        return send_signal(record.pid, signal.SIGINT, f"experiment {self.id}")

    def delete(self) -> None:
        """Raises RunError while it is run, and when its files cannot be removed."""
        with self.lock():
            remove(self.folder, f"experiment {self.id}")


def create_experiment(
    home: Home, name: str, config: RunConfig, *, scale: float = 1.0, threads: int = 1
) -> KeptExperiment:
    """A new folder for an experiment that nobody runs yet, on the words and with the seed of a configuration. Raises
    RunError where none can be made."""
    home.make()
    root = folder_of(home)
    try:
        private_folder(root)
        ident = secrets.token_hex(4)
        while (root / ident).exists():
            ident = secrets.token_hex(4)
        part = root / f".{ident}.part"
        private_folder(part)
        words = (config.data, config.encoding, config.level, config.min_count)
        now = datetime.now(UTC).isoformat()
        KeptExperiment(part).write(Record(ident, name, now, *words, config.seed, scale, threads))
        return KeptExperiment(part.rename(root / ident))  # there whole or not at all
    except OSError as error:
        raise RunError(
            f"{root}: an experiment cannot be kept there ({error.strerror}); free space, or give --home"
        ) from None


def folder_of(home: Home) -> Path:
    """Where a home keeps its experiments."""
    return home.root / "experiments"


def all_experiments(home: Home) -> list[KeptExperiment]:
    """Oldest first, damaged ones before. Raises RunError where the home cannot be read."""
    root = folder_of(home)
    try:
        if not root.is_dir():
            return []
        folders = [f for f in root.iterdir() if _ID.fullmatch(f.name) and f.is_dir() and not f.is_symlink()]
    except OSError as error:
        raise RunError(f"{root}: cannot be read ({error.strerror}); see its permissions") from None
    return [KeptExperiment(folder) for folder in sorted(folders, key=_created)]


def find_experiment(home: Home, reference: str) -> KeptExperiment:
    """That of an id, a unique prefix of one, or ``last``. Raises RunError."""
    found = all_experiments(home)
    if not found:
        raise RunError(
            f"{reference}: there are no experiments in {folder_of(home)} yet; 'makemore-tui experiment NAME' runs one"
        )
    if reference == "last":
        return found[-1]
    matches = [e for e in found if reference and e.id.startswith(reference)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(
            f"{reference}: fits {len(matches)} experiments ({', '.join(e.id for e in matches)}); give more of the id"
        )
    raise RunError(
        f"{reference}: no such experiment; give an id, a unique prefix or 'last' ('makemore-tui experiments' lists)"
    )


def _created(folder: Path) -> str:
    try:
        return KeptExperiment(folder)._read().created
    except RunError:
        return ""
