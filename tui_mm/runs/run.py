"""A run is a folder: ``run.db``, ``words.txt``, ``best`` and ``last`` checkpoints, and a lock that says who trains."""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from data.corpus import WORD_LIST, Corpus, CorpusError, read_words
from data.levels import WORD
from data.splits import Splits
from data.text import SENTENCES
from tui_mm.config import ConfigError, RunConfig, validate
from tui_mm.runs.folder import hold, is_held, remove
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.store import RunStore
from tui_mm.words import split_for

Which = Literal["best", "last"]
_ID = re.compile(r"[0-9a-f]{8}")
MAX_NAME = 80


@dataclass(frozen=True)
class Run:
    """A run folder that exists. Reads nothing until asked."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    def store(self) -> RunStore:
        return RunStore(self.folder / "run.db")

    def checkpoint(self, which: Which) -> Path:
        return self.folder / f"{which}.safetensors"

    def beside(self, ident: str) -> Run:
        """The run of the same home with this whole id, whether it is there or not. Raises RunError for what is no
        id."""
        if not _ID.fullmatch(ident):
            raise RunError(f"{ident!r}: is no run's id; give the eight characters that 'makemore-tui runs' lists")
        return Run(self.folder.parent / ident)

    def config(self) -> RunConfig:
        with self.store() as store:
            kept = store.get("config")
        try:
            return validate(kept)
        except (ConfigError, TypeError) as error:
            raise RunError(f"run {self.id}: its configuration cannot be used ({error})") from None

    def corpus(self) -> Corpus:
        """The run's own copy of its words, or of its sentences, under the name they were given by."""
        with self.store() as store:
            name = str(store.get("data", {}).get("name", "words"))
            level = store.get("config", {}).get("level")  # runs of version 0.1 have none
        try:
            return read_words(self.folder / "words.txt", name, form=SENTENCES if level == WORD.name else WORD_LIST)
        except CorpusError as error:
            raise RunError(f"run {self.id}: its copy of the words cannot be used: {error}") from None

    def splits(self) -> Splits:
        """Its words, split as they were when it was made."""
        return split_for(self.config(), self.corpus())

    def status(self) -> str:
        """created, running, paused, done, stopped, diverged, failed, or crashed: at work, and nobody holds the lock."""
        with self.store() as store:
            return self.judge(str(store.get("status", "created")))

    def judge(self, kept: str) -> str:
        """The status that a kept one comes to: whoever is at work holds the lock."""
        return "crashed" if kept in ("running", "paused") and not self.is_live() else kept

    def is_live(self) -> bool:
        """Whether a process is training it."""
        return is_held(self.folder)

    def training_lock(self) -> AbstractContextManager[None]:
        """Held by the one process that trains; freed by the system when that dies. Raises RunError if held."""
        return hold(self.folder, f"run {self.id}", "trained")

    def delete(self) -> None:
        """Raises RunError while it is being trained, and when its files cannot be removed."""
        with self.training_lock():
            remove(self.folder, f"run {self.id}")


def create_run(home: Home, config: RunConfig, corpus: Corpus, name: str | None, facts: dict[str, Any]) -> Run:
    """A new run folder with its configuration, a copy of its words, and ``facts`` in its store.

    It comes to be by a rename when all of that is there. Raises RunError for a name that is taken or not allowed.
    """
    home.make()
    if name is not None:
        _check_name(home, name)
    ident = secrets.token_hex(4)
    while (home.runs / ident).exists():
        ident = secrets.token_hex(4)
    part = home.runs / f".{ident}.part"
    try:
        part.mkdir(mode=0o700)
        (part / "words.txt").touch(mode=0o600)
        (part / "words.txt").write_text(corpus.text(), encoding="utf-8")
        with RunStore(part / "run.db", create=True) as store, store.transaction():
            store.set(
                id=ident,
                name=name,
                created=datetime.now(UTC).isoformat(),
                status="created",
                config=config.values(),
                **facts,
            )
        return Run(part.rename(home.runs / ident))
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RunError(
            f"{home.runs}: a run cannot be kept there ({error.strerror}); free space, or give --home"
        ) from None


def rename_run(home: Home, run: Run, name: str | None) -> None:
    """Give a run another name, or none. Raises RunError for a name that is taken by another run or not allowed."""
    if name is not None:
        _check_name(home, name, asked="name", run=run)
    with run.store() as store:
        store.set(name=name)


def name_fault(name: str) -> str:
    """Why no run may have this name; "" if one may."""
    if not (0 < len(name) <= MAX_NAME and name.isprintable() and name == name.strip()) or name.startswith("-"):
        return f"{name!r} is not allowed; give 1 to {MAX_NAME} printable characters, no '-' first"
    if name == "last" or _ID.fullmatch(name):
        return f"{name!r} is not allowed: it would be read as a run's id or as the last run"
    return ""


def _check_name(home: Home, name: str, *, asked: str = "--name", run: Run | None = None) -> None:
    """``asked`` is what the user gave it by; ``run``, the one to be named, may have it already."""
    fault = name_fault(name)
    if fault:
        raise RunError(f"{asked}: {fault}")
    for other in all_runs(home):
        if other != run and _name_of(other) == name:
            raise RunError(f"{asked}: {name!r} is the name of run {other.id} already; give another, or delete that run")


def _name_of(run: Run) -> str | None:
    try:
        with run.store() as store:
            name = store.get("name")
    except RunError:
        return None  # a damaged run has no name; it still has its id
    return None if name is None else str(name)


def all_runs(home: Home) -> list[Run]:
    """Every run folder, oldest first (by the time its store was made)."""
    return [Run(f) for f in sorted(run_folders(home), key=_created)]


def run_folders(home: Home) -> list[Path]:
    """In no order. Raises RunError where the home cannot be read."""
    try:
        if not home.runs.is_dir():
            return []
        return [f for f in home.runs.iterdir() if _ID.fullmatch(f.name) and f.is_dir() and not f.is_symlink()]
    except OSError as error:
        raise RunError(f"{home.runs}: cannot be read ({error.strerror}); see its permissions") from None


def _created(folder: Path) -> str:
    try:
        with RunStore(folder / "run.db") as store:
            return str(store.get("created", ""))
    except RunError:
        return ""  # damaged: first, as the oldest


def find_run(home: Home, reference: str) -> Run:
    """The run of an id, a unique prefix of one, a name, or ``last``. Raises RunError."""
    runs = all_runs(home)
    if not runs:
        raise RunError(f"{reference}: there are no runs in {home.runs} yet; 'makemore-tui train' makes one")
    if reference == "last":
        return runs[-1]
    named = [run for run in runs if run.id == reference or _name_of(run) == reference]
    matches = named or [run for run in runs if reference and run.id.startswith(reference)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(
            f"{reference}: fits {len(matches)} runs ({', '.join(r.id for r in matches)}); give more of the id"
        )
    raise RunError(
        f"{reference}: no such run; give an id, a unique prefix, a name or 'last' ('makemore-tui runs' lists)"
    )
