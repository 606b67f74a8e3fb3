"""What a model is shown: context windows (one prediction a row) and sequences (one at every position).

Both are made from a split's token stream (every word followed by the boundary) by array operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.vocabulary import BOUNDARY

IGNORED = -1
"""The target of a position that is no prediction (padding), as in makemore.py."""


def context_windows(tokens: NDArray[Any], block_size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every prediction of the stream with the ``block_size`` ids before it (lecture part 2, build_dataset).

    tokens: (examples,), each word followed by the boundary
    Returns contexts (examples, block_size), padded with the boundary on the left, and targets (examples,),
    both of the dtype of ``tokens``.
    """
    contexts = np.full((len(tokens), block_size), BOUNDARY, dtype=tokens.dtype)
    if block_size and len(tokens) > 1:
        contexts[1:, -1] = tokens[:-1]
        # The row after a boundary starts a word. Every other row is the row before it, moved one to the left.
        inside = tokens[:-1] != BOUNDARY
        for column in range(block_size - 2, -1, -1):
            np.multiply(contexts[:-1, column + 1], inside, out=contexts[1:, column])
    return contexts, tokens


@dataclass(frozen=True, eq=False)
class DistinctWindows:
    """Context windows with repeats taken together; for evaluation, where order is nothing and counts are all.

    contexts: (kinds, block_size), each different from the others
    row, target, count: int64 (pairs,), that context ``row`` (ascending) is followed by ``target`` ``count`` times
    """

    contexts: NDArray[Any]
    row: NDArray[np.int64]
    target: NDArray[np.int64]
    count: NDArray[np.int64]


def distinct_windows(
    tokens: NDArray[Any], vocab_size: int, block_size: int, chunk: int = 1 << 22
) -> Iterator[DistinctWindows]:
    """The distinct contexts of a stream, for every ``chunk`` examples (to bound the memory that sorting takes).

    Names share their beginnings: of names.txt's 182,625 training windows of 3 letters, 5,438 are distinct.
    """
    for begin in range(0, len(tokens), chunk):
        lead = min(begin, block_size)  # what the first contexts of the chunk reach back to
        contexts, targets = context_windows(tokens[begin - lead : begin + chunk], block_size)
        part, following = contexts[lead:], targets[lead:].astype(np.int64)
        codes = _row_codes(part, vocab_size)
        _, first, row = np.unique(codes, return_index=True, return_inverse=True)
        pairs, count = np.unique(row * vocab_size + following, return_counts=True)
        yield DistinctWindows(part[first], pairs // vocab_size, pairs % vocab_size, count)


def _row_codes(rows: NDArray[Any], vocab_size: int) -> NDArray[np.int64]:
    """One number a row, equal for equal rows and for them alone."""
    codes, kinds = np.zeros(len(rows), dtype=np.int64), 1
    for column in rows.T:
        if kinds * vocab_size >= 1 << 62:  # the numbers would not fit: name them anew, 0, 1, 2, ...
            _, codes = np.unique(codes, return_inverse=True)
            kinds = len(rows)
        codes = codes * vocab_size + column
        kinds *= vocab_size
    return codes


def padded_sequences(tokens: NDArray[Any], block_size: int) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """The words of a stream as rows (makemore.py): inputs begin with the boundary, targets are one ahead.

    A word whose predictions do not fit ``block_size`` goes on in the next row, which starts with the character
    before it, so that every prediction is made exactly once.

    Returns inputs (rows, block_size) of the dtype of ``tokens`` and targets int32 (rows, block_size), where
    IGNORED marks padding.
    """
    ends = np.flatnonzero(tokens == BOUNDARY)
    sizes = np.diff(ends, prepend=-1)  # predictions of each word
    rows = -(-sizes // block_size)
    offset = np.arange(len(tokens)) - np.repeat(ends - sizes + 1, sizes)
    row = np.repeat(np.cumsum(rows) - rows, sizes) + offset // block_size
    inputs = np.full((int(rows.sum()), block_size), BOUNDARY, dtype=tokens.dtype)
    targets = np.full(inputs.shape, IGNORED, dtype=np.int32)
    if len(tokens):
        inputs[row, offset % block_size] = np.concatenate(([BOUNDARY], tokens[:-1]))
        targets[row, offset % block_size] = tokens
    return inputs, targets
