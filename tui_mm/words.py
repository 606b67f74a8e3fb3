"""The words that a configuration asks for. No torch: the dashboard shows them before that is loaded."""

from __future__ import annotations

from data.corpus import Corpus
from data.splits import Splits, split_words
from data.vocabulary import Vocabulary
from tui_mm.config import RunConfig


def split_for(config: RunConfig, corpus: Corpus) -> Splits:
    """The first ``max_words`` of a corpus, split as the configuration says. Raises CorpusError."""
    return split_words(
        corpus.head(config.max_words) if config.max_words else corpus,
        Vocabulary.of(corpus),  # of all the words, as the lecture's first cells have it
        train_fraction=config.train_fraction,
        dev_fraction=config.dev_fraction,
        seed=config.split_seed,
    )
