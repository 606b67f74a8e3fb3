"""What a word list looks like, in numbers: all that the Dataset panel and `data show` tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data.bigrams import BigramCounts
from data.lookup import WordIndex
from data.splits import Splits


@dataclass(frozen=True)
class SplitStatistics:
    words: int
    examples: int
    shared_with_train: int  # of these words, repeats counted, how many also stand in train; for train itself 0


@dataclass(frozen=True)
class Statistics:
    """Losses and the entropy are in nats a character, the end of a word counted as one."""

    name: str
    words: int
    distinct: int
    duplicates: int
    vocabulary: int  # with the boundary
    characters: str  # without it
    examples: int
    splits: dict[str, SplitStatistics]
    lengths: dict[int, int]  # characters -> words
    shortest: int
    longest: int
    bigrams: list[tuple[str, str, int]]  # the most frequent: first, second, how often
    distinct_bigrams: int  # kinds of bigram that occur
    unigram_entropy: float
    uniform_loss: float  # ln of the vocabulary
    bigram_loss: float  # of the words' own bigram counts, unsmoothed
    smoothed_bigram_loss: float  # with 1 added to every count
    dev_bigram_loss: float | None  # counted on train with 1 added, evaluated on dev: the loss to beat


def describe(splits: Splits, index: WordIndex | None = None, top: int = 12) -> Statistics:
    """Statistics of a corpus and its splits. ``top`` bounds the bigrams listed."""
    corpus, vocabulary = splits.corpus, splits.vocabulary
    index = index or WordIndex(splits)
    size = len(vocabulary)
    counts = {name: BigramCounts.of(split.tokens, size) for name, split in splits}
    everything = _sum(list(counts.values()))
    unigrams = np.bincount(everything.second, everything.counts, minlength=size)
    shares = unigrams[unigrams > 0] / everything.total
    lengths, words_of = np.unique(corpus.lengths, return_counts=True)
    return Statistics(
        name=corpus.name,
        words=len(corpus),
        distinct=index.distinct,
        duplicates=len(corpus) - index.distinct,
        vocabulary=size,
        characters=vocabulary.characters,
        examples=everything.total,
        splits={
            name: SplitStatistics(split.words, split.examples, 0 if name == "train" else index.shared_with_train(name))
            for name, split in splits
        },
        lengths=dict(zip(lengths.tolist(), words_of.tolist(), strict=True)),
        shortest=int(lengths[0]),
        longest=int(lengths[-1]),
        bigrams=[
            (vocabulary.symbol(first), vocabulary.symbol(second), count)
            for first, second, count in everything.most_frequent(top)
        ],
        distinct_bigrams=len(everything.pairs),
        unigram_entropy=float(-(shares * np.log(shares)).sum()),
        uniform_loss=math.log(size),
        bigram_loss=everything.loss(0),
        smoothed_bigram_loss=everything.loss(1),
        dev_bigram_loss=counts["train"].loss(1, counts["dev"]) if splits.dev.examples else None,
    )


def _sum(tables: list[BigramCounts]) -> BigramCounts:
    pairs, at = np.unique(np.concatenate([t.pairs for t in tables]), return_inverse=True)
    counts = np.bincount(at, np.concatenate([t.counts for t in tables]))
    return BigramCounts(tables[0].vocab_size, pairs, counts.astype(np.int64))
