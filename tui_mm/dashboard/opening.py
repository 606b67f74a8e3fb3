"""From a configuration, or a run that is there, to what the dashboard shows. Takes a moment: call it in a thread."""

from __future__ import annotations

from dataclasses import dataclass

from data.catalog import load
from data.corpus import Corpus
from tui_mm.config import RunConfig
from tui_mm.dashboard.state import Words
from tui_mm.runs.drafts import begin_draft
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, find_run
from tui_mm.words import DATA_FIELDS, data_facts, model_facts, split_for


@dataclass(frozen=True, eq=False)
class Opened:
    """A run with its words."""

    config: RunConfig
    words: Words
    run: Run


def begin(config: RunConfig, home: Home, before: Opened | None = None) -> Opened:
    """A run that is not trained yet. The words of ``before`` serve again if they are the same.

    Raises CorpusError, ConfigError or RunError.
    """
    if before is not None and same_words(before.config, config):
        words = before.words
    else:
        corpus = load(config.data, cache=home.datasets, encoding=config.encoding)
        words = _words(config, corpus)
    facts = {
        "data": data_facts(config, words.splits, words.statistics.distinct),
        "model": model_facts(config, words.splits.vocabulary),
    }
    return Opened(config, words, begin_draft(home, config, words.corpus, facts))


def reopen(home: Home, ident: str) -> Opened:
    """A run that is there. Raises RunError, ConfigError or CorpusError."""
    run = find_run(home, ident)
    config = run.config()
    return Opened(config, _words(config, run.corpus()), run)


def same_words(one: RunConfig, other: RunConfig) -> bool:
    """Whether two configurations read and split the same words."""
    return all(getattr(one, name) == getattr(other, name) for name in DATA_FIELDS)


def _words(config: RunConfig, corpus: Corpus) -> Words:
    return Words.of(split_for(config, corpus), corpus)
