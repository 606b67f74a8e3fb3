"""What a word list looks like, in numbers: all that the Dataset panel and `data show` tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data.bigrams import BigramCounts
from data.lookup import WordIndex
from data.splits import Splits
from data.text import TextCorpus
from data.vocabulary import BOUNDARY
from data.word_vocabulary import UNKNOWN_ID, WordVocabulary


@dataclass(frozen=True)
class SplitStatistics:
    words: int
    examples: int
    shared_with_train: int  # of these words, repeats counted, how many also stand in train; for train itself 0


@dataclass(frozen=True)
class Statistics:
    """Losses and the entropy are in nats a character, the end of a word counted as one.

    At level word it is all of sentences and their words: ``words`` are sentences, ``lengths`` are in words.
    """

    name: str
    level: str
    words: int
    distinct: int
    duplicates: int
    vocabulary: int  # with the boundary
    characters: str  # without it; "" at level word
    kinds: int  # distinct characters, or words before the rare ones are made one
    unknown: int  # predictions that are of the unknown word
    frequent: list[tuple[str, int]]  # the most frequent characters or words, and how often
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
    dev_unigram_loss: float | None  # the same of single characters, or words

    def length_ranges(self, most: int) -> list[tuple[range, int]]:
        """The lengths in at most ``most`` ranges of the same size, each with its words."""
        size = -(-(self.longest - self.shortest + 1) // max(1, most))
        ranges = [range(n, min(n + size, self.longest + 1)) for n in range(self.shortest, self.longest + 1, size)]
        return [(r, sum(self.lengths.get(n, 0) for n in r)) for r in ranges]


def describe(splits: Splits, index: WordIndex | None = None, top: int = 12) -> Statistics:
    """Statistics of a corpus and its splits. ``top`` bounds the bigrams and the characters or words listed."""
    corpus, vocabulary = splits.corpus, splits.vocabulary
    index = index or WordIndex(splits)
    size = len(vocabulary)
    counts = {name: BigramCounts.of(split.tokens, size) for name, split in splits}
    everything = _sum(list(counts.values()))
    unigrams = np.bincount(everything.second, everything.counts, minlength=size)
    shares = unigrams[unigrams > 0] / everything.total
    lengths, words_of = np.unique(corpus.lengths, return_counts=True)
    is_text = isinstance(vocabulary, WordVocabulary)
    own = UNKNOWN_ID + 1 if is_text else BOUNDARY + 1  # the first id that is a character's or a word's
    often = [i for i in np.argsort(-unigrams, kind="stable")[: top + own].tolist() if i >= own and unigrams[i]]
    return Statistics(
        name=corpus.name,
        level=corpus.level.name,
        words=len(corpus),
        distinct=index.distinct,
        duplicates=len(corpus) - index.distinct,
        vocabulary=size,
        characters="" if isinstance(vocabulary, WordVocabulary) else vocabulary.characters,
        kinds=len(corpus.tokens) if isinstance(corpus, TextCorpus) else size - 1,
        unknown=int(unigrams[UNKNOWN_ID]) if is_text else 0,
        frequent=[(vocabulary.symbol(i), int(unigrams[i])) for i in often[:top]],
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
        dev_unigram_loss=counts["train"].unigram_loss(1, counts["dev"]) if splits.dev.examples else None,
    )


def _sum(tables: list[BigramCounts]) -> BigramCounts:
    pairs, at = np.unique(np.concatenate([t.pairs for t in tables]), return_inverse=True)
    counts = np.bincount(at, np.concatenate([t.counts for t in tables]))
    return BigramCounts(tables[0].vocab_size, pairs, counts.astype(np.int64))
