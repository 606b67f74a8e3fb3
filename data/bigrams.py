"""Bigram counts of a token stream and the losses they give: the baseline of every chart (lecture part 1).

The counts are sparse: a list in Chinese has thousands of characters, and most pairs never occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.vocabulary import BOUNDARY

_CHUNK = 1 << 22  # pairs counted at once, to bound the int64 temporaries
_DENSE_CELLS = 1 << 22  # a table of so many cells is counted directly, without sorting


@dataclass(frozen=True, eq=False)
class BigramCounts:
    """How often each pair of ids stands side by side, the boundary on both sides of a word counted in.

    pairs: int64 (kinds,), first * vocab_size + second, ascending; counts: int64 (kinds,)
    """

    vocab_size: int
    pairs: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, tokens: NDArray[Any], vocab_size: int) -> BigramCounts:
        """Count a stream in which every word is followed by the boundary."""
        cells = vocab_size * vocab_size
        if cells <= _DENSE_CELLS:
            dense = np.zeros(cells, dtype=np.int64)
            for codes in _pair_codes(tokens, vocab_size):
                dense += np.bincount(codes, minlength=cells)
            pairs = np.flatnonzero(dense)
            return cls(vocab_size, pairs, dense[pairs])
        pairs = counts = np.empty(0, dtype=np.int64)
        for codes in _pair_codes(tokens, vocab_size):
            new_pairs, new_counts = np.unique(codes, return_counts=True)
            pairs, at = np.unique(np.concatenate((pairs, new_pairs)), return_inverse=True)
            counts = np.bincount(at, np.concatenate((counts, new_counts))).astype(np.int64)
        return cls(vocab_size, pairs, counts)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def first(self) -> NDArray[np.int64]:
        return self.pairs // self.vocab_size

    @property
    def second(self) -> NDArray[np.int64]:
        return self.pairs % self.vocab_size

    def row(self, first: int) -> dict[int, int]:
        """How often each id follows ``first``; those that never do are left out."""
        begin, end = np.searchsorted(self.pairs, [first * self.vocab_size, (first + 1) * self.vocab_size])
        return dict(
            zip((self.pairs[begin:end] % self.vocab_size).tolist(), self.counts[begin:end].tolist(), strict=True)
        )

    def dense(self) -> NDArray[np.int64]:
        """(vocab_size, vocab_size); for small vocabularies."""
        table = np.zeros(self.vocab_size**2, dtype=np.int64)
        table[self.pairs] = self.counts
        return table.reshape(self.vocab_size, self.vocab_size)

    def most_frequent(self, count: int) -> list[tuple[int, int, int]]:
        """(first id, second id, how often), most frequent first, ties in id order."""
        top = np.argsort(-self.counts, kind="stable")[:count]
        return [
            (int(p) // self.vocab_size, int(p) % self.vocab_size, int(self.counts[i]))
            for i, p in zip(top, self.pairs[top], strict=True)
        ]

    def loss(self, smoothing: float, on: BigramCounts | None = None) -> float:
        """Mean negative log likelihood in nats of ``on`` (default: these same counts), with ``smoothing`` added
        to every cell. Infinite where a pair has no probability.
        """
        on = on or self
        if not on.total:
            return float("nan")
        at = np.searchsorted(self.pairs, on.pairs)
        found = at < len(self.pairs)
        found[found] = self.pairs[at[found]] == on.pairs[found]
        numerator = np.full(len(on.pairs), float(smoothing))
        numerator[found] += self.counts[at[found]]
        rows = np.bincount(self.first, self.counts, minlength=self.vocab_size) + smoothing * self.vocab_size
        with np.errstate(divide="ignore", invalid="ignore"):
            probability = np.where(rows[on.first] > 0, numerator / rows[on.first], 1 / self.vocab_size)
            return float(-(on.counts * np.log(probability)).sum() / on.total)

    def unigram_loss(self, smoothing: float, on: BigramCounts | None = None) -> float:
        """The same where nothing is known but how often each id occurs."""
        on = on or self
        mine, theirs = (np.bincount(c.second, c.counts, minlength=self.vocab_size) for c in (self, on))
        share = (mine + smoothing) / (self.total + smoothing * self.vocab_size)
        seen = theirs > 0
        with np.errstate(divide="ignore"):
            return float(-(theirs[seen] * np.log(share[seen])).sum() / on.total) if on.total else float("nan")


def _pair_codes(tokens: NDArray[Any], vocab_size: int) -> Iterator[NDArray[np.int64]]:
    before = np.int64(BOUNDARY)
    for begin in range(0, len(tokens), _CHUNK):
        second = tokens[begin : begin + _CHUNK].astype(np.int64)
        first = np.concatenate(([before], second[:-1]))
        before = second[-1]
        yield first * vocab_size + second
