"""From a configuration, or a run that is there, to what the dashboard shows, and the parting from it.

Loads numpy and the words: imported when the first screen is painted.
"""

from __future__ import annotations

from dataclasses import dataclass

from data.corpus import Corpus, CorpusError
from tui_mm.config import ConfigError, RunConfig
from tui_mm.dashboard.state import Words
from tui_mm.runs.drafts import begin_draft, discard_drafts, is_draft
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, find_run
from tui_mm.words import DATA_FIELDS, data_facts, load_words, model_facts, split_for
from tui_mm.worker.client import WorkerClient

REFUSALS = (CorpusError, ConfigError, RunError)
"""What ``begin`` and ``reopen`` raise."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A run with its words."""

    config: RunConfig
    words: Words
    run: Run


def begin(config: RunConfig, home: Home, before: Opened | None = None) -> Opened:
    """A run that is not trained yet. The words of ``before`` serve again if they are the same. Takes a moment."""
    if before is not None and same_words(before.config, config):
        words = before.words
    else:
        corpus = load_words(config, home.datasets)
        words = _words(config, corpus)
    facts = {
        "data": data_facts(config, words.splits, words.statistics.distinct),
        "model": model_facts(config, words.splits.vocabulary),
    }
    return Opened(config, words, begin_draft(home, config, words.corpus, facts))


def reopen(home: Home, ident: str) -> Opened:
    """A run that is there. Takes a moment."""
    run = find_run(home, ident)
    config = run.config()
    return Opened(config, _words(config, run.corpus()), run)


def tidy(home: Home, unwanted: Opened | None = None) -> None:
    """Delete the drafts that nobody looks at, and one that was made in vain."""
    if unwanted is not None and is_draft(unwanted.run):
        unwanted.run.delete()
    discard_drafts(home)


def connect(opened: Opened) -> tuple[RunFollower, WorkerClient, int]:
    """Who follows a run, who asks its worker (which is started), and how many parameters its model has."""
    client = WorkerClient(opened.run)
    client.start_worker()
    parameters = model_facts(opened.config, opened.words.splits.vocabulary)["parameters"]
    return RunFollower(opened.run), client, int(parameters)


def part(client: WorkerClient, *, goes_on: bool) -> str:
    """Leave a run. A training that is under way goes on; a draft is deleted.

    ``goes_on``: it was told to go on just now. Returns what is left of it, as a line for a person, or "".
    """
    run = client.run
    try:
        if not run.folder.is_dir():
            return ""
        status = run.status()
        if status == "created" and is_draft(run):
            client.discard()
            return ""
        if status == "running" or goes_on:
            return f"run {run.id} goes on training; watch it again: makemore-tui attach {run.id}"
        return f"run {run.id} is kept: makemore-tui sample {run.id}"
    except RunError as error:
        return str(error)  # damaged, or another viewer's worker has it
    finally:
        client.close()


def same_words(one: RunConfig, other: RunConfig) -> bool:
    """Whether two configurations read and split the same words."""
    return all(getattr(one, name) == getattr(other, name) for name in DATA_FIELDS)


def _words(config: RunConfig, corpus: Corpus) -> Words:
    return Words.of(split_for(config, corpus), corpus)
