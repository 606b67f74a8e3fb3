"""The seeded split of a word list into train, dev and test, exactly as the lecture's notebook makes it.

``random.seed(42); random.shuffle(words)``, cut at ``int(.8 * n)`` and ``int(.9 * n)`` (lecture part 2).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.corpus import Corpus, CorpusError
from data.vocabulary import BOUNDARY
from data.word_vocabulary import AnyVocabulary, vocabulary_of

SPLITS = ("train", "dev", "test")
_CHUNK_WORDS = 1 << 17  # words gathered at once: bounds the int64 index arrays to some ten MB


def shuffled_order(count: int, seed: int) -> NDArray[np.uint32]:
    """The permutation that ``random.Random(seed).shuffle`` gives a list of ``count`` items.

    Python makes one draw and one swap at a time: 6 s for 13 million words. Here both are array operations, with
    the draws from the same Mersenne Twister.
    """
    order = np.arange(count, dtype=np.uint32)
    last = count - 1
    for partners in _swap_partners(count, seed):
        _swap(order, last, partners)
        last -= len(partners)
    return order


def _swap(order: NDArray[np.uint32], last: int, partners: NDArray[np.int64]) -> None:
    """Swap ``order[last - k]`` with ``order[partners[k]]`` for k = 0, 1, ...

    Swaps that touch no place twice are independent and done at once; others are halved until they are.
    """
    size = len(partners)
    if size <= 32:
        for i, j in zip(range(last, last - size, -1), partners.tolist(), strict=True):
            order[i], order[j] = order[j], order[i]
        return
    first = last - size + 1
    if partners.max() < first and (np.diff(np.sort(partners)) > 0).all():
        tail = order[first : last + 1][::-1]
        tail[:], order[partners] = order[partners], tail.copy()
        return
    half = size // 2
    _swap(order, last, partners[:half])
    _swap(order, last - half, partners[half:])


def _swap_partners(count: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """In order, the j of every swap (i, j) for i = count - 1 down to 1; each j is uniform in 0..i."""
    bits = np.random.MT19937()
    _, state, _ = random.Random(seed).getstate()
    bits.state = {"bit_generator": "MT19937", "state": {"key": np.array(state[:-1], np.uint64), "pos": state[-1]}}
    spare = np.empty(0, dtype=np.int64)
    bound = count
    while bound > 1:
        width = bound.bit_length()
        # bounds in [least, bound] all take draws of the same width, as random's _randbelow does
        least = max(2, 1 << (width - 1))
        want = min(bound - least + 1, 4096)
        if len(spare) < want:
            spare = np.concatenate((spare, bits.random_raw(4096).astype(np.int64)))
        draws = spare[:want] >> (32 - width)
        # A draw is taken if below the bound, and each taken one lowers the bound by 1: sure below bound - want,
        # sure not at bound and above; only the few between depend on how many were taken before them.
        taken = draws < bound - want
        for k in np.flatnonzero(~taken & (draws < bound)).tolist():
            taken[k] = draws[k] < bound - int(np.count_nonzero(taken[:k]))
        accepted = draws[taken]
        spare = spare[want:]
        bound -= len(accepted)
        if len(accepted):
            yield accepted


@dataclass(frozen=True, eq=False)
class Split:
    """The words of one split, as ids, in the split's order.

    tokens: ids of every word followed by the boundary, one word after another, narrow dtype (examples,)
    order: which words of the corpus these are, uint32 (words,)
    """

    tokens: NDArray[Any]
    order: NDArray[np.uint32]

    @property
    def words(self) -> int:
        return len(self.order)

    @property
    def examples(self) -> int:
        """Predictions to make: every character, and the end of every word."""
        return len(self.tokens)

    def head(self, examples: int) -> Split:
        """Its first words that make up so many examples, or all; of a shuffled split, words taken by chance."""
        if examples >= self.examples:
            return self
        ends = np.flatnonzero(self.tokens == BOUNDARY) + 1
        words = min(int(np.searchsorted(ends, examples)) + 1, len(ends))
        return Split(self.tokens[: ends[words - 1]], self.order[:words])


@dataclass(frozen=True, eq=False)
class Splits:
    """Train, dev and test of one corpus; dev and test may be empty when their fraction is 0."""

    corpus: Corpus
    vocabulary: AnyVocabulary
    train: Split
    dev: Split
    test: Split

    def __iter__(self) -> Iterator[tuple[str, Split]]:
        return iter(zip(SPLITS, (self.train, self.dev, self.test), strict=True))

    def named(self, name: str) -> Split:
        return dict(self)[name]


def encode_words(corpus: Corpus, vocabulary: AnyVocabulary, order: NDArray[np.uint32]) -> NDArray[Any]:
    """Ids of the words ``order`` names, each followed by the boundary: (sum of lengths + words,)."""
    lengths, ids = corpus.lengths[order], vocabulary.table_of(corpus)
    tokens = np.full(int(lengths.sum()) + len(order), BOUNDARY, dtype=vocabulary.dtype)
    at = 0
    for begin in range(0, len(order), _CHUNK_WORDS):
        part, size = order[begin : begin + _CHUNK_WORDS], lengths[begin : begin + _CHUNK_WORDS]
        total = int(size.sum())
        ends = np.cumsum(size)
        positions = np.arange(total) + np.repeat(corpus.offsets[part] - (ends - size), size)
        places = np.arange(total) + np.repeat(np.arange(len(part)), size)
        tokens[at + places] = ids[corpus.codes[positions]]
        at += total + len(part)
    return tokens


def split_words(
    corpus: Corpus,
    vocabulary: AnyVocabulary | None = None,
    *,
    train_fraction: float = 0.8,
    dev_fraction: float = 0.1,
    seed: int = 42,
) -> Splits:
    """Shuffle and cut a corpus.

    A train fraction of 1 keeps the words in their order: there is nothing to divide (lecture part 1, and the
    first cells of part 2). The vocabulary is that of all the words.

    Raises CorpusError when a split that was asked for would get no word.
    """
    vocabulary = vocabulary or vocabulary_of(corpus)
    count = len(corpus)
    order = np.arange(count, dtype=np.uint32) if train_fraction == 1 else shuffled_order(count, seed)
    first = int(train_fraction * count)
    both = round(train_fraction + dev_fraction, 9)  # .7 + .1 is .7999999999999999
    second = int(both * count)
    cuts = (0, first, second, count)
    fractions = (train_fraction, dev_fraction, 1 - both)
    for name, (begin, end), fraction in zip(SPLITS, pairwise(cuts), fractions, strict=True):
        if fraction > 0 and begin == end:
            raise CorpusError(
                f"{corpus.name}: {count} {corpus.level.rows if count > 1 else corpus.level.row} cannot be split "
                f"{'/'.join(f'{100 * f:g}' for f in fractions)}: {name} would get none; give more {corpus.level.rows}, "
                "or train on all of them with --train-fraction 1 --dev-fraction 0"
            )
    parts = [Split(encode_words(corpus, vocabulary, part), part) for part in np.split(order, [first, second])]
    return Splits(corpus, vocabulary, *parts)
