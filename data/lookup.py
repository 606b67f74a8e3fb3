"""Which words stand where: distinct words, words shared between splits, and whether a sampled name is new."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.corpus import Corpus
from data.splits import SPLITS, Splits

_MULTIPLIERS = np.random.Generator(np.random.PCG64(27)).integers(1 << 63, size=1 << 16, dtype=np.uint64) * 2 + 1
_CHUNK_WORDS = 1 << 17


def word_hashes(corpus: Corpus) -> NDArray[np.uint64]:
    """A 64-bit hash of every word, (words,). Equal words have equal hashes; among ten million distinct words
    any two share one with a chance of about 1 in 100,000.
    """
    hashes = np.empty(len(corpus), dtype=np.uint64)
    for begin in range(0, len(corpus), _CHUNK_WORDS):
        offsets = corpus.offsets[begin : begin + _CHUNK_WORDS + 1]
        codes = corpus.codes[offsets[0] : offsets[-1]]
        starts = offsets[:-1] - offsets[0]
        place = np.arange(len(codes)) - np.repeat(starts, np.diff(offsets))
        multipliers = _MULTIPLIERS[place & 0xFFFF]
        if len(place) and place.max() > 0xFFFF:
            multipliers *= (place.astype(np.uint64) >> np.uint64(16)) * 2 + 1  # odd, and another for every 65,536
        mixed = (codes.astype(np.uint64) + np.uint64(1)) * multipliers
        mixed ^= mixed >> np.uint64(32)
        hashes[begin : begin + len(starts)] = np.add.reduceat(mixed, starts)
    return hashes


class WordIndex:
    """Looks words up in the splits of a corpus; or sentences, of which those are the same that differ in unknown words
    alone."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits
        self._corpus = splits.vocabulary.seen(splits.corpus)
        self._hashes = word_hashes(self._corpus)

    @cached_property
    def distinct(self) -> int:
        hashes = np.sort(self._hashes)  # np.unique takes sixty times as long for ten million of them
        return min(len(hashes), 1) + int(np.count_nonzero(hashes[1:] != hashes[:-1]))

    def shared_with_train(self, name: str) -> int:
        """How many words of a split (repeats counted) also stand in train."""
        mine = self._hashes[self._splits.named(name).order]
        hashes, order, split_of = self._sorted
        first = order[np.searchsorted(hashes, mine)]  # of equal words, the one in train if there is one
        return int(np.count_nonzero(split_of[first] == 0))

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[Any], NDArray[np.uint8]]:
        split_of = np.empty(len(self._hashes), dtype=np.uint8)
        for number, (_, split) in enumerate(self._splits):
            split_of[split.order] = number
        order = np.lexsort((split_of, self._hashes))  # equal words: train first, then dev, then test
        return self._hashes[order], order, split_of

    def find(self, word: str) -> str | None:
        """The first of train, dev and test that holds ``word``; None for a new one."""
        codes = self._splits.vocabulary.seen_codes(word)
        if not len(codes):
            return None
        wanted = word_hashes(Corpus("", codes, np.array([0, len(codes)])))[0]
        hashes, order, split_of = self._sorted
        at = int(np.searchsorted(hashes, wanted))
        while at < len(hashes) and hashes[at] == wanted:
            if np.array_equal(self._corpus.codes_at(int(order[at])), codes):
                return SPLITS[split_of[order[at]]]
            at += 1
        return None
