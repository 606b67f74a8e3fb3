"""What a configuration comes to, known without torch: its words, their split, and the facts a run keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.catalog import load
from data.corpus import Corpus
from data.splits import Splits, split_words
from data.word_vocabulary import AnyVocabulary, vocabulary_of
from tui_mm.config import RunConfig
from tui_mm.sizes import parameter_count

DATA_FIELDS = (
    "data", "level", "min_count", "encoding", "max_words", "train_fraction", "dev_fraction", "split_seed",
)  # fmt: skip
"""Those fields of a configuration that decide which words there are and how they are split."""


def load_words(config: RunConfig, cache: Path) -> Corpus:
    """The words that a configuration names; ``cache`` is where downloaded sets are. Raises CorpusError."""
    return load(config.data, cache=cache, encoding=config.encoding, level=config.level)


def split_for(config: RunConfig, corpus: Corpus) -> Splits:
    """The first ``max_words`` of a corpus (or sentences), split as the configuration says. Raises CorpusError."""
    return split_words(
        corpus.head(config.max_words) if config.max_words else corpus,
        vocabulary_of(corpus, config.min_count),  # of all the words, as the lecture's first cells have it
        train_fraction=config.train_fraction,
        dev_fraction=config.dev_fraction,
        seed=config.split_seed,
    )


def data_facts(config: RunConfig, splits: Splits, distinct: int) -> dict[str, Any]:
    """What a run keeps of its words beside the words themselves."""
    corpus, path = splits.corpus, Path(config.data)
    return {
        "name": corpus.name,
        "level": corpus.level.name,
        "source": str(path.absolute()) if path.exists() else config.data,
        "words": len(corpus),
        "distinct": distinct,
        "vocabulary": len(splits.vocabulary),
        "examples": {name: split.examples for name, split in splits},
        "sha256": corpus.sha256,
    }


def model_facts(config: RunConfig, vocabulary: AnyVocabulary) -> dict[str, Any]:
    """What a run keeps of its model beside the configuration."""
    return {
        "kind": config.model,
        "parameters": parameter_count(config, len(vocabulary)),
        "block_size": config.context,
    }
