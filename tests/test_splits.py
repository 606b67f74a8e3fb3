"""The seeded split: the notebook's, to the word."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data import splits as splits_module
from data.corpus import Corpus, CorpusError, parse_words
from data.splits import Split, Splits, encode_words, shuffled_order, split_words
from data.vocabulary import Vocabulary

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=100)


def numbered(count: int) -> Corpus:
    """Different words, one for each number."""
    return parse_words("\n".join(f"w{i}" for i in range(count)), "list")


def words_of(splits: Splits, split: Split) -> list[str]:
    """A split's words, read back from its tokens."""
    words, word = [], []
    for token in split.tokens.tolist():
        if token:
            word.append(token)
        else:
            words.append(splits.vocabulary.decode(word))
            word = []
    assert not word
    return words


def notebook_splits(words: list[str], seed: int = 42) -> tuple[list[str], list[str], list[str]]:
    words = list(words)
    random.Random(seed).shuffle(words)
    n1, n2 = int(0.8 * len(words)), int(0.9 * len(words))
    return words[:n1], words[n1:n2], words[n2:]


def shuffled(count: int, seed: int) -> list[int]:
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order


@REPEATABLE
@given(st.integers(0, 700), st.integers(-(1 << 70), 1 << 70))
@example(0, 42)
@example(1, 42)
@example(2, 42)
@example(33, 0)
@example(256, 1)
def test_the_order_is_that_of_random_shuffle(count: int, seed: int) -> None:
    assert shuffled_order(count, seed).tolist() == shuffled(count, seed)


@pytest.mark.parametrize("count", [4095, 4096, 4097, 8192, 32_033, 65_537, 150_000])
def test_a_long_order_is_that_of_random_shuffle(count: int) -> None:
    assert shuffled_order(count, 42).tolist() == shuffled(count, 42)


def test_the_orders_of_two_seeds_differ() -> None:
    assert shuffled_order(100, 1).tolist() != shuffled_order(100, 2).tolist()


def test_words_are_shuffled_and_cut_as_in_the_notebook(corpus: Corpus) -> None:
    splits = split_words(corpus)
    found = tuple(words_of(splits, split) for _, split in splits)
    assert found == notebook_splits(list(corpus.words()))


@REPEATABLE
@given(st.integers(10, 300), st.integers(0, 1 << 32))
def test_any_count_and_seed_is_cut_as_in_the_notebook(count: int, seed: int) -> None:
    corpus = numbered(count)
    splits = split_words(corpus, seed=seed)
    found = tuple(words_of(splits, split) for _, split in splits)
    assert found == notebook_splits(list(corpus.words()), seed)


def test_every_word_stands_in_exactly_one_split(corpus: Corpus) -> None:
    splits = split_words(corpus, train_fraction=0.5, dev_fraction=0.2)
    order = np.concatenate([split.order for _, split in splits])
    assert sorted(order.tolist()) == list(range(len(corpus)))
    found = [word for _, split in splits for word in words_of(splits, split)]
    assert Counter(found) == Counter(corpus.words())


def test_order_names_the_words_of_the_corpus(corpus: Corpus) -> None:
    splits = split_words(corpus)
    for _, split in splits:
        assert [corpus.word(i) for i in split.order.tolist()] == words_of(splits, split)


def test_examples_are_the_characters_and_the_ends(corpus: Corpus) -> None:
    splits = split_words(corpus)
    for name, split in splits:
        words = words_of(splits, split)
        assert split.words == len(words)
        assert split.examples == sum(len(word) + 1 for word in words)
        assert splits.named(name) is split
    assert [name for name, _ in splits] == ["train", "dev", "test"]


def test_train_on_everything_keeps_the_words_in_order(corpus: Corpus) -> None:
    splits = split_words(corpus, train_fraction=1, dev_fraction=0)
    assert words_of(splits, splits.train) == list(corpus.words())
    assert splits.dev.examples == splits.test.examples == 0
    assert splits.dev.words == splits.test.words == 0


@pytest.mark.parametrize(
    ("count", "train", "dev", "sizes"),
    [
        (10, 0.8, 0.1, [8, 1, 1]),
        (61, 0.8, 0.1, [48, 6, 7]),
        (10, 0.7, 0.1, [7, 1, 2]),  # .7 + .1 is below .8 in floating point
        (10, 0.1, 0.7, [1, 7, 2]),
        (20, 0.05, 0.35, [1, 7, 12]),
        (1000, 0.15, 0.3, [150, 300, 550]),
        (10, 0.8, 0.0, [8, 0, 2]),
        (10, 0.9, 0.1, [9, 1, 0]),
        (10, 0.7, 0.3, [7, 3, 0]),
        (3, 0.4, 0.3, [1, 1, 1]),
        (9, 0.8, 0.1, [7, 1, 1]),
        (4, 0.5, 0.25, [2, 1, 1]),
        (2, 0.5, 0.5, [1, 1, 0]),
    ],
)
def test_fractions_give_these_sizes(count: int, train: float, dev: float, sizes: list[int]) -> None:
    splits = split_words(numbered(count), train_fraction=train, dev_fraction=dev)
    assert [split.words for _, split in splits] == sizes


@pytest.mark.parametrize(
    ("count", "train", "dev", "complaint"),
    [
        (1, 0.8, 0.1, "list: 1 word cannot be split 80/10/10: train would get none"),
        (5, 0.8, 0.1, "list: 5 words cannot be split 80/10/10: dev would get none"),
        (2, 0.5, 0.25, "list: 2 words cannot be split 50/25/25: dev would get none"),
        (2, 0.5, 0.49, "list: 2 words cannot be split 50/49/1: dev would get none"),
        (1, 0.9, 0.1, "list: 1 word cannot be split 90/10/0: train would get none"),
        (3, 0.7, 0.1, "list: 3 words cannot be split 70/10/20: dev would get none"),
    ],
)
def test_too_few_words_for_a_split_are_refused_with_the_remedy(
    count: int, train: float, dev: float, complaint: str
) -> None:
    with pytest.raises(CorpusError) as caught:
        split_words(numbered(count), train_fraction=train, dev_fraction=dev)
    message = str(caught.value)
    assert message.startswith(complaint)
    assert message.endswith("--train-fraction 1 --dev-fraction 0")
    assert "\n" not in message


def test_one_word_can_be_trained_on_alone() -> None:
    splits = split_words(numbered(1), train_fraction=1, dev_fraction=0)
    assert words_of(splits, splits.train) == ["w0"]


def test_the_vocabulary_is_that_of_all_words_or_the_one_given(corpus: Corpus) -> None:
    assert split_words(corpus).vocabulary == Vocabulary.of(corpus)
    wider = Vocabulary("abcdefghijklmnopqrstuvwxyzé")
    splits = split_words(corpus, wider)
    assert splits.vocabulary is wider
    assert words_of(splits, splits.train) == notebook_splits(list(corpus.words()))[0]


def test_tokens_are_narrow() -> None:
    assert split_words(numbered(20)).train.tokens.dtype == np.uint8
    wide = parse_words("\n".join(chr(0x4E00 + i) for i in range(1000)), "list")
    assert split_words(wide).train.tokens.dtype == np.int16


def test_words_encoded_some_at_a_time_are_the_same(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary, order = Vocabulary.of(corpus), shuffled_order(len(corpus), 7)
    expected = [i for n in order.tolist() for i in (*vocabulary.encode(corpus.word(n)), 0)]
    assert encode_words(corpus, vocabulary, order).tolist() == expected
    monkeypatch.setattr(splits_module, "_CHUNK_WORDS", 7)
    assert encode_words(corpus, vocabulary, order).tolist() == expected


# --- the lecture's list


def test_the_lectures_split_has_its_sizes(lecture: Corpus) -> None:
    splits = split_words(lecture)
    assert [split.words for _, split in splits] == [25_626, 3_203, 3_204]
    assert [split.examples for _, split in splits] == [182_625, 22_655, 22_866]


def test_the_lectures_split_holds_its_words(lecture: Corpus) -> None:
    splits = split_words(lecture)
    found = tuple(words_of(splits, split) for _, split in splits)
    assert found == notebook_splits(list(lecture.words()))


def test_a_list_shuffled_four_times_gives_the_notebooks_printed_sizes(lecture: Corpus) -> None:
    words = list(lecture.words())
    for _ in range(3):
        random.Random(42).shuffle(words)
    splits = split_words(parse_words("\n".join(words), "again"))
    assert [split.examples for _, split in splits] == [182_441, 22_902, 22_803]
