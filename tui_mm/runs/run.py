"""A run is a folder: ``run.db``, ``words.txt``, ``best`` and ``last`` checkpoints, and a lock that says who trains."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
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
from tui_mm.runs.files import private_file, private_folder
from tui_mm.runs.folder import hold, is_held, remove, send_signal
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.notice import Notice, read_notice
from tui_mm.runs.plain import check_words
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.store import RunStore
from tui_mm.text import printable
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
        folder = self.folder.parent / ident
        if folder.is_symlink():
            raise RunError(f"run {ident}: its folder is a link, which is not followed")
        return Run(folder)

    def config(self) -> RunConfig:
        with self.store() as store:
            kept = store.get("config")
        try:
            return validate(kept)
        except (ConfigError, TypeError, AttributeError) as error:
            raise RunError(f"run {self.id}: its configuration cannot be used ({error})") from None

    def corpus(self) -> Corpus:
        """The run's own copy of its words, or of its sentences, under the name they were given by."""
        with self.store() as store:
            name = str(store.get("data", {}).get("name", "words"))
            level = store.get("config", {}).get("level")  # runs of version 0.1 have none
        check_words(self.folder / "words.txt")
        try:
            return read_words(self.folder / "words.txt", name, form=SENTENCES if level == WORD.name else WORD_LIST)
        except CorpusError as error:
            raise RunError(f"run {self.id}: its copy of the words cannot be used: {error}") from None

    def splits(self) -> Splits:
        """Its words, split as they were when it was made."""
        return split_for(self.config(), self.corpus())

    def status(self) -> str:
        """created, running, paused, waiting (for a disk to have space, say), done, stopped, diverged, failed, or
        crashed: at work, and nobody holds the lock."""
        with self.store() as store:
            return self.status_in(store)

    def status_in(self, store: RunStore) -> str:
        """The same, from its open store."""
        found = self.judge(str(store.get("status", "created")))
        # it may have ended between the two looks
        return self.judge(str(store.get("status", "created"))) if found == "crashed" else found

    def judge(self, kept: str) -> str:
        """The status that a kept one comes to: whoever is at work holds the lock, and says beside the store what it
        cannot write there."""
        said = self._said()
        if kept not in AT_WORK and said != "waiting":
            return kept
        is_live = self.is_live()
        if is_live and said == "waiting":
            return "waiting"
        if kept not in AT_WORK:
            return kept
        if self._said() == "stopped":  # once more: its last word comes before it lets go of the lock
            return "stopped"
        return kept if is_live else "crashed"

    def _said(self) -> str:
        notice = self.notice()
        return "" if notice is None else notice.status

    def notice(self) -> Notice | None:
        """What its worker says beside the store, such as why it waits. Believe it to wait only where ``judge`` does."""
        return read_notice(self.folder)

    def end_waiting(self) -> bool:
        """Tell a worker that waits to end, where no order can be put into its store; whether there was one. Raises
        RunError for one of another user."""
        notice = self.notice()
        if notice is None or notice.status != "waiting" or notice.pid <= 1 or not self.is_live():
            return False
        return send_signal(notice.pid, signal.SIGTERM, f"run {self.id}")

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
        private_folder(part)
        with os.fdopen(private_file(part / "words.txt"), "w", encoding="utf-8") as file:
            file.write(corpus.text())
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
    except (OSError, RunError) as error:
        shutil.rmtree(part, ignore_errors=True)
        why = error.strerror if isinstance(error, OSError) else getattr(error, "what", error)
        raise RunError(f"{home.runs}: a run cannot be kept there ({why}); free space, or give --home") from None


def rename_run(home: Home, run: Run, name: str | None) -> None:
    """Give a run another name, or none. Raises RunError for a name that is taken by another run or not allowed."""
    if name is not None:
        _check_name(home, name, asked="name", run=run)
    with run.store() as store:
        store.set(name=name)


def name_fault(name: str) -> str:
    """Why no run may have this name; "" if one may."""
    if not (0 < len(name) <= MAX_NAME and printable(name) == name == name.strip()) or name.startswith("-"):
        return f"{name!r} is not allowed; give 1 to {MAX_NAME} printable characters, no '-' first"
    if name == "last" or _ID.fullmatch(name):
        return f"{name!r} is not allowed: it would be read as a run's id or as the last run"
    return ""


def _check_name(home: Home, name: str, *, asked: str = "--name", run: Run | None = None) -> None:
    """``asked`` is what the user gave it by; ``run``, the one to be named, may have it already."""
    fault = name_fault(name)
    if fault:
        raise RunError(f"{asked}: {fault}")
    for other, taken in _named_runs(home):
        if other != run and taken == name:
            raise RunError(f"{asked}: {name!r} is the name of run {other.id} already; give another, or delete that run")


def all_runs(home: Home) -> list[Run]:
    """Every run folder, oldest first (by the time its store was made)."""
    return [run for run, _ in _named_runs(home)]


def _named_runs(home: Home) -> list[tuple[Run, str | None]]:
    """Every run with its name, from one look into each store, oldest first."""
    known = [(Run(folder), *_label(folder)) for folder in run_folders(home)]
    return [(run, name) for run, _, name in sorted(known, key=lambda each: each[1])]


def run_folders(home: Home) -> list[Path]:
    """In no order. Raises RunError where the home cannot be read."""
    try:
        if not home.runs.is_dir():
            return []
        return [f for f in home.runs.iterdir() if _ID.fullmatch(f.name) and f.is_dir() and not f.is_symlink()]
    except OSError as error:
        raise RunError(f"{home.runs}: cannot be read ({error.strerror}); see its permissions") from None


def _label(folder: Path) -> tuple[str, str | None]:
    """When a run was made, and its name. A damaged one has neither, so that it comes first; it still has its id."""
    try:
        with RunStore(folder / "run.db") as store:
            created, name = str(store.get("created", "")), store.get("name")
    except RunError:
        return "", None
    return created, None if name is None else str(name)


def find_run(home: Home, reference: str) -> Run:
    """The run of an id, a unique prefix of one, a name, or ``last``. Raises RunError."""
    if _ID.fullmatch(reference):  # no run's name: no other store needs to be looked into
        folder = home.runs / reference
        if folder.is_dir() and not folder.is_symlink():
            return Run(folder)
    runs = _named_runs(home)
    if not runs:
        raise RunError(f"{reference}: there are no runs in {home.runs} yet; 'makemore-tui train' makes one")
    if reference == "last":
        return runs[-1][0]
    named = [run for run, name in runs if name == reference]
    matches = named or [run for run, _ in runs if reference and run.id.startswith(reference)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(
            f"{reference}: fits {len(matches)} runs ({', '.join(r.id for r in matches)}); give more of the id"
        )
    raise RunError(
        f"{reference}: no such run; give an id, a unique prefix, a name or 'last' ('makemore-tui runs' lists)"
    )
