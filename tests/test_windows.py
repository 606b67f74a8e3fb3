"""Context windows and sequences against the notebook's loop."""

from __future__ import annotations

import string
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.corpus import Corpus, parse_words
from data.splits import split_words
from data.vocabulary import Vocabulary
from data.windows import IGNORED, context_windows, distinct_windows, padded_sequences

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=120)
SIZE = 5  # ids 0 to 4
WORDS = st.lists(st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=9), max_size=12)
DTYPES = st.sampled_from([np.uint8, np.int16, np.int32])
FIVE = ["emma", "olivia", "ava", "isabella", "sophia"]


def stream(words: list[list[int]], dtype: type[Any] = np.uint8) -> NDArray[Any]:
    return np.array([i for word in words for i in (*word, 0)], dtype=dtype)


def notebook_dataset(words: list[list[int]], block_size: int) -> tuple[list[list[int]], list[int]]:
    X, Y = [], []
    for word in words:
        context = [0] * block_size
        for ix in (*word, 0):
            X.append(context)
            Y.append(ix)
            context = [*context, ix][1:]  # right for a block size of 0, too
    return X, Y


def notebook_sequences(words: list[list[int]], block_size: int) -> tuple[list[list[int]], list[list[int]]]:
    inputs, targets = [], []
    for word in words:
        seen, ahead = [0, *word], [*word, 0]
        for begin in range(0, len(ahead), block_size):
            part = ahead[begin : begin + block_size]
            padding = block_size - len(part)
            inputs.append(seen[begin : begin + block_size] + [0] * padding)
            targets.append(part + [IGNORED] * padding)
    return inputs, targets


# --- context windows


@REPEATABLE
@given(WORDS, st.integers(0, 12), DTYPES)
@example([], 3, np.uint8)
@example([[1]], 0, np.uint8)
def test_windows_are_those_of_the_notebooks_loop(words: list[list[int]], block_size: int, dtype: type[Any]) -> None:
    tokens = stream(words, dtype)
    contexts, targets = context_windows(tokens, block_size)
    X, Y = notebook_dataset(words, block_size)
    assert contexts.shape == (len(tokens), block_size)
    assert contexts.dtype == targets.dtype == dtype
    assert contexts.tolist() == X
    assert targets.tolist() == Y


def test_the_first_five_words_give_the_lectures_32_examples() -> None:
    vocabulary = Vocabulary(string.ascii_lowercase)
    splits = split_words(parse_words("\n".join(FIVE), "five"), vocabulary, train_fraction=1, dev_fraction=0)
    X, Y = context_windows(splits.train.tokens, 3)
    assert X.shape == (32, 3)
    assert Y[:12].tolist() == [5, 13, 13, 1, 0, 15, 12, 9, 22, 9, 1, 0]
    assert X[:6].tolist() == [[0, 0, 0], [0, 0, 5], [0, 5, 13], [5, 13, 13], [13, 13, 1], [0, 0, 0]]


# --- distinct windows


@REPEATABLE
@given(WORDS, st.integers(0, 20), st.integers(1, 40))
def test_distinct_windows_count_every_example_once(words: list[list[int]], block_size: int, chunk: int) -> None:
    X, Y = notebook_dataset(words, block_size)
    expected = Counter((tuple(x), y) for x, y in zip(X, Y, strict=True))
    found: Counter[tuple[tuple[int, ...], int]] = Counter()
    for part in distinct_windows(stream(words), SIZE, block_size, chunk):
        kinds = [tuple(context) for context in part.contexts.tolist()]
        assert len(set(kinds)) == len(kinds)
        assert set(part.row.tolist()) == set(range(len(kinds)))
        assert (np.diff(part.row) >= 0).all()
        assert 0 < part.count.sum() <= chunk
        pairs = list(zip(part.row.tolist(), part.target.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        for (row, target), count in zip(pairs, part.count.tolist(), strict=True):
            found[kinds[row], target] += count
    assert found == expected


def test_in_one_chunk_no_context_is_repeated(corpus: Corpus) -> None:
    splits = split_words(corpus)
    (part,) = distinct_windows(splits.train.tokens, len(splits.vocabulary), 3)
    contexts, _ = context_windows(splits.train.tokens, 3)
    assert len(part.contexts) == len(np.unique(contexts, axis=0)) < len(contexts)
    assert part.count.sum() == len(contexts)


@pytest.mark.parametrize("block_size", [4, 5, 8])
def test_distinct_windows_of_a_vast_vocabulary_are_told_apart(block_size: int) -> None:
    """65,536 ** 4 is 2 ** 64: codes that wrapped around would forget all but the last four ids."""
    size = 1 << 16
    words = [[first, 1, 2, 3, second, 4, 5, 6] for first in (1, 7, size - 1) for second in (8, size - 1)] * 2
    X, Y = notebook_dataset(words, block_size)
    (part,) = distinct_windows(stream(words, np.int32), size, block_size)
    assert len(part.contexts) == len(set(map(tuple, X)))
    found = {
        (tuple(part.contexts[row].tolist()), target): count
        for row, target, count in zip(part.row.tolist(), part.target.tolist(), part.count.tolist(), strict=True)
    }
    assert found == Counter((tuple(x), y) for x, y in zip(X, Y, strict=True))


# --- sequences


@REPEATABLE
@given(WORDS, st.integers(1, 12), DTYPES)
@example([], 3, np.uint8)
@example([[1, 2, 3]], 4, np.uint8)
@example([[1, 2, 3, 4]], 4, np.uint8)
def test_sequences_are_those_of_a_plain_loop(words: list[list[int]], block_size: int, dtype: type[Any]) -> None:
    inputs, targets = padded_sequences(stream(words, dtype), block_size)
    assert inputs.dtype == dtype
    assert targets.dtype == np.int32
    assert inputs.shape == targets.shape == (len(inputs), block_size)
    assert (inputs.tolist(), targets.tolist()) == notebook_sequences(words, block_size)


@REPEATABLE
@given(WORDS, st.integers(1, 12))
def test_every_prediction_is_made_once_after_the_tokens_before_it(words: list[list[int]], block_size: int) -> None:
    tokens = stream(words)
    inputs, targets = padded_sequences(tokens, block_size)
    made = targets != IGNORED
    assert targets[made].tolist() == tokens.tolist()
    windows, _ = context_windows(tokens, block_size)
    for context, (row, column) in zip(windows.tolist(), np.argwhere(made).tolist(), strict=True):
        assert inputs[row, : column + 1].tolist() == context[block_size - 1 - column :]


def test_a_row_that_fits_the_longest_word_holds_one_word() -> None:
    inputs, targets = padded_sequences(stream([[1, 2, 3], [4]]), 4)
    assert inputs.tolist() == [[0, 1, 2, 3], [0, 4, 0, 0]]
    assert targets.tolist() == [[1, 2, 3, 0], [4, 0, IGNORED, IGNORED]]


def test_a_longer_word_goes_on_after_its_last_character() -> None:
    inputs, targets = padded_sequences(stream([[1, 2, 3]]), 3)
    assert inputs.tolist() == [[0, 1, 2], [3, 0, 0]]
    assert targets.tolist() == [[1, 2, 3], [0, IGNORED, IGNORED]]


# --- the lecture's list


@pytest.mark.parametrize("block_size", [1, 3, 8])
def test_the_lectures_windows_are_those_of_its_loop(lecture: Corpus, block_size: int) -> None:
    splits = split_words(lecture)
    words = [splits.vocabulary.encode(lecture.word(i)) for i in splits.dev.order.tolist()]
    X, Y = notebook_dataset(words, block_size)
    contexts, targets = context_windows(splits.dev.tokens, block_size)
    assert contexts.shape == (22_655, block_size)
    assert contexts.tolist() == X
    assert targets.tolist() == Y


def test_the_lectures_training_windows_of_three_letters_are_of_5_438_kinds(lecture: Corpus) -> None:
    (part,) = distinct_windows(split_words(lecture).train.tokens, 27, 3)
    assert len(part.contexts) == 5_438
    assert part.count.sum() == 182_625


def test_the_lectures_words_fit_sequences_of_16(lecture: Corpus) -> None:
    splits = split_words(lecture)
    inputs, targets = padded_sequences(splits.train.tokens, 16)
    assert inputs.shape == (25_626, 16)
    assert (targets != IGNORED).sum() == 182_625
    assert not inputs[:, 0].any()
