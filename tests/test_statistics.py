"""Bigram counts, word look-up and what is told about a list, against plain Python."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise, permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data import bigrams as bigrams_module
from data import lookup as lookup_module
from data.bigrams import BigramCounts
from data.corpus import Corpus, parse_words
from data.lookup import WordIndex, word_hashes
from data.splits import Splits, split_words
from data.statistics import describe
from data.vocabulary import Vocabulary

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=80)
SIZE = 5  # ids 0 to 4
WORDS = st.lists(st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=7), max_size=12)
Pairs = Counter[tuple[int, int]]


def stream(words: list[list[int]], dtype: type[Any] = np.uint8) -> NDArray[Any]:
    return np.array([i for word in words for i in (*word, 0)], dtype=dtype)


def notebook_counts(words: list[list[int]]) -> Pairs:
    """The first cell of part 1."""
    N: Pairs = Counter()
    for word in words:
        for pair in pairwise([0, *word, 0]):
            N[pair] += 1
    return N


def notebook_loss(N: Pairs, on: Pairs, smoothing: float, size: int) -> float:
    total = 0.0
    for (first, second), count in on.items():
        row = sum(N[first, other] + smoothing for other in range(size))
        probability = (N[first, second] + smoothing) / row if row else 1 / size
        total -= count * (math.log(probability) if probability else -math.inf)
    return total / on.total()


def as_pairs(counts: BigramCounts) -> Pairs:
    return Counter(
        {
            (first, second): count
            for first, second, count in zip(
                counts.first.tolist(), counts.second.tolist(), counts.counts.tolist(), strict=True
            )
        }
    )


def encoded(words: list[str], vocabulary: Vocabulary) -> list[list[int]]:
    return [vocabulary.encode(word) for word in words]


# --- bigrams


@REPEATABLE
@given(WORDS)
@example([])
def test_bigrams_are_those_of_the_notebooks_loop(words: list[list[int]]) -> None:
    counts = BigramCounts.of(stream(words), SIZE)
    N = notebook_counts(words)
    assert as_pairs(counts) == N
    assert counts.total == N.total()
    assert counts.pairs.tolist() == sorted(first * SIZE + second for first, second in N)
    assert counts.dense().tolist() == [[N[first, second] for second in range(SIZE)] for first in range(SIZE)]


@pytest.mark.parametrize("dense_cells", [0, 1 << 22])
def test_bigrams_counted_some_at_a_time_are_the_same(dense_cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.random.default_rng(3).integers(1, SIZE, size=(40, 6)).tolist()
    monkeypatch.setattr(bigrams_module, "_DENSE_CELLS", dense_cells)
    for chunk in (1, 7, 64, 280, 1 << 22):
        monkeypatch.setattr(bigrams_module, "_CHUNK", chunk)
        assert as_pairs(BigramCounts.of(stream(words), SIZE)) == notebook_counts(words)


def test_bigrams_of_a_vast_vocabulary_are_counted() -> None:
    words = [[39_999, 39_998], [39_999], [1, 39_999]]
    counts = BigramCounts.of(stream(words, np.int32), 40_000)
    assert as_pairs(counts) == notebook_counts(words)


@REPEATABLE
@given(WORDS.filter(bool), WORDS.filter(bool), st.sampled_from([0.0, 0.01, 0.3, 1.0, 10.0]))
@example([[1, 1]], [[2]], 0.0)
@example([[1, 1]], [[2, 2]], 1.0)
def test_losses_are_those_of_the_notebooks_loop(
    words: list[list[int]], others: list[list[int]], smoothing: float
) -> None:
    counts, on = BigramCounts.of(stream(words), SIZE), BigramCounts.of(stream(others), SIZE)
    N, M = notebook_counts(words), notebook_counts(others)
    assert counts.loss(smoothing) == pytest.approx(notebook_loss(N, N, smoothing, SIZE))
    assert counts.loss(smoothing, on) == pytest.approx(notebook_loss(N, M, smoothing, SIZE))


def test_a_pair_that_never_occurred_costs_infinity_without_smoothing() -> None:
    counts, on = BigramCounts.of(stream([[1, 2]]), SIZE), BigramCounts.of(stream([[2, 1]]), SIZE)
    assert counts.loss(0, on) == math.inf
    assert counts.loss(1, on) < math.inf


def test_after_an_id_that_never_occurred_everything_is_as_likely() -> None:
    counts = BigramCounts.of(stream([[1]]), SIZE)
    only_after_two = BigramCounts(SIZE, np.array([2 * SIZE + 3]), np.array([4]))
    for smoothing in (0, 1):
        assert counts.loss(smoothing, only_after_two) == pytest.approx(math.log(SIZE))


def test_the_loss_on_nothing_is_not_a_number() -> None:
    assert math.isnan(BigramCounts.of(stream([[1]]), SIZE).loss(1, BigramCounts.of(stream([]), SIZE)))


def test_the_most_frequent_bigrams_come_first_and_ties_in_id_order() -> None:
    words = [[1, 2], [1, 2], [2, 1], [3]]
    counts = BigramCounts.of(stream(words), SIZE)
    expected = sorted(((a, b, n) for (a, b), n in notebook_counts(words).items()), key=lambda t: (-t[2], t[0], t[1]))
    assert counts.most_frequent(100) == expected
    assert counts.most_frequent(3) == expected[:3]
    assert counts.most_frequent(0) == []


# --- look-up


def test_a_word_is_found_in_the_first_split_that_holds_it() -> None:
    corpus = parse_words("ava\nmia\nava\nzoe\nmia\nlily\nzoe\nava\nlily\nemma\n", "list")
    splits = split_words(corpus, train_fraction=0.4, dev_fraction=0.3, seed=3)
    index = WordIndex(splits)
    for word in set(corpus.words()):
        places = [name for name, split in splits if word in {corpus.word(i) for i in split.order.tolist()}]
        assert index.find(word) == places[0]


@pytest.mark.parametrize("word", ["", "em", "emm", "emmaa", "amme", "Emma", "zzz", "é", "🙂", "\ud800", "emma\0", "."])
def test_a_word_that_stands_nowhere_is_new(corpus: Corpus, word: str) -> None:
    assert WordIndex(split_words(corpus)).find(word) is None


def test_words_in_any_script_are_found() -> None:
    words = ["王芳", "zoë", "🙂", "mary ann", "j.r.", "a", "b", "c", "d", "e"]
    index = WordIndex(split_words(parse_words("\n".join(words), "list")))
    assert {word for word in words if index.find(word)} == set(words)
    assert index.find("zoe") is None
    assert index.find("王") is None


def test_words_whose_hashes_agree_are_still_told_apart(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup_module, "word_hashes", lambda c: np.zeros(len(c), dtype=np.uint64))
    splits = split_words(corpus)
    index = WordIndex(splits)
    for name, split in splits:
        assert {index.find(corpus.word(i)) for i in split.order.tolist()} == {name}
    assert index.find("nobody") is None


@REPEATABLE
@given(st.lists(st.text("ab🙂", min_size=1, max_size=4), min_size=3, max_size=30), st.integers(0, 100))
def test_distinct_and_shared_words_are_counted(words: list[str], seed: int) -> None:
    corpus = parse_words("\n".join(words), "list")
    splits = split_words(corpus, train_fraction=0.4, dev_fraction=0.3, seed=seed)
    index = WordIndex(splits)
    train = {corpus.word(i) for i in splits.train.order.tolist()}
    assert index.distinct == len(set(words))
    for name, split in splits:
        assert index.shared_with_train(name) == sum(corpus.word(i) in train for i in split.order.tolist())


def test_hashes_do_not_depend_on_what_stands_beside_a_word(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [int(word_hashes(parse_words(word, "one"))[0]) for word in corpus.words()]
    assert word_hashes(corpus).tolist() == expected
    monkeypatch.setattr(lookup_module, "_CHUNK_WORDS", 7)
    assert word_hashes(corpus).tolist() == expected
    wide = parse_words(corpus.text() + "🙂\n", "wide")
    assert word_hashes(wide)[:-1].tolist() == expected


def test_words_of_the_same_letters_have_different_hashes() -> None:
    words = {"".join(letters) for letters in (*permutations("abcdefgh"), *product("abcdefghij", repeat=4))}
    words |= {size * "a" for size in range(1, 300)}
    hashes = word_hashes(parse_words("\n".join(sorted(words)), "list"))
    assert len(np.unique(hashes)) == len(words) > 50_000


def test_words_beyond_65_536_characters_are_told_apart() -> None:
    long = 65_536 * "a"
    corpus = parse_words(f"{long}b\nb{long}\n{long}b\n", "list")
    hashes = word_hashes(corpus).tolist()
    assert hashes[0] == hashes[2] != hashes[1]
    index = WordIndex(split_words(corpus, train_fraction=1, dev_fraction=0))
    assert index.distinct == 2
    assert index.find(f"b{long}") == "train"
    assert index.find(long) is None


# --- statistics


def test_a_list_is_described() -> None:
    words = ["ava", "mia", "ava", "zoë", "j.r.", "mia", "ann", "li", "bo", "x"]
    splits = split_words(parse_words("\n".join(words), "list"))
    train, dev, test = ([splits.corpus.word(i) for i in split.order.tolist()] for _, split in splits)
    found = describe(splits, top=4)
    vocabulary = Vocabulary("".join(words))
    size, N = len(vocabulary), notebook_counts(encoded(words, vocabulary))
    assert (found.name, found.words, found.distinct, found.duplicates) == ("list", 10, 8, 2)
    assert (found.vocabulary, found.characters) == (size, "".join(sorted(set("".join(words)))))
    assert found.examples == sum(len(word) + 1 for word in words)
    assert {name: (s.words, s.examples) for name, s in found.splits.items()} == {
        name: (len(part), sum(len(word) + 1 for word in part))
        for name, part in (("train", train), ("dev", dev), ("test", test))
    }
    assert found.splits["train"].shared_with_train == 0
    assert found.splits["dev"].shared_with_train == sum(word in train for word in dev)
    assert found.splits["test"].shared_with_train == sum(word in train for word in test)
    assert found.lengths == Counter(map(len, words))
    assert (found.shortest, found.longest) == (1, 4)
    assert found.distinct_bigrams == len(N)
    assert len(found.bigrams) == 4
    symbols = "·" + vocabulary.characters  # the words hold a dot
    for first, second, count in found.bigrams:
        assert count == N[symbols.index(first), symbols.index(second)]
    assert [count for *_, count in found.bigrams] == sorted(N.values(), reverse=True)[:4]
    letters = Counter(token for word in encoded(words, vocabulary) for token in (*word, 0))
    shares = [n / letters.total() for n in letters.values()]
    assert found.unigram_entropy == pytest.approx(-sum(p * math.log(p) for p in shares))
    assert found.uniform_loss == pytest.approx(math.log(size))
    assert found.bigram_loss == pytest.approx(notebook_loss(N, N, 0, size))
    assert found.smoothed_bigram_loss == pytest.approx(notebook_loss(N, N, 1, size))
    counted = notebook_counts(encoded(train, vocabulary))
    on_dev = notebook_loss(counted, notebook_counts(encoded(dev, vocabulary)), 1, size)
    assert found.dev_bigram_loss == pytest.approx(on_dev)


def test_without_a_dev_split_there_is_no_loss_to_beat(corpus: Corpus) -> None:
    found = describe(split_words(corpus, train_fraction=1, dev_fraction=0))
    assert found.dev_bigram_loss is None
    assert found.splits["dev"].words == 0
    assert found.splits["train"].words == len(corpus)


def test_letters_that_never_occur_count_for_nothing(corpus: Corpus) -> None:
    narrow = describe(split_words(corpus))
    wide = describe(split_words(corpus, Vocabulary(narrow.characters + "0123456789")))
    assert wide.vocabulary == narrow.vocabulary + 10
    assert wide.unigram_entropy == pytest.approx(narrow.unigram_entropy)
    assert wide.bigram_loss == pytest.approx(narrow.bigram_loss)
    assert len(wide.bigrams) == len(narrow.bigrams) == 12


def test_the_losses_order_as_they_must(corpus: Corpus) -> None:
    """Knowing the letter before cannot cost, nor knowing how often letters occur."""
    found = describe(split_words(corpus))
    assert found.bigram_loss < found.unigram_entropy < found.uniform_loss
    assert found.bigram_loss < found.smoothed_bigram_loss < found.uniform_loss


# --- the lecture's list


def counts_of(splits: Splits) -> dict[str, BigramCounts]:
    return {name: BigramCounts.of(split.tokens, 27) for name, split in splits}


def test_the_lectures_bigrams(lecture: Corpus) -> None:
    counts = counts_of(split_words(lecture, train_fraction=1, dev_fraction=0))["train"]
    dense = counts.dense()
    assert (dense > 0).sum() == len(counts.pairs) == 627
    assert (dense == 0).sum() == 102
    assert dense[0, 1] == 4410
    n, a = 14, 1
    assert counts.most_frequent(3) == [(n, 0, 6763), (a, 0, 6640), (a, n, 5438)]
    assert counts.loss(0) == pytest.approx(2.454014, abs=5e-7)
    assert counts.loss(1) == pytest.approx(2.454577, abs=5e-7)


def test_andrejq_is_impossible_without_smoothing(lecture: Corpus) -> None:
    counts = counts_of(split_words(lecture, train_fraction=1, dev_fraction=0))["train"]
    word = BigramCounts.of(stream([Vocabulary.of(lecture).encode("andrejq")]), 27)
    assert counts.loss(0, word) == math.inf
    assert counts.loss(1, word) == pytest.approx(3.4834, abs=5e-5)


def test_the_lectures_bigram_losses_on_its_splits(lecture: Corpus) -> None:
    counts = counts_of(split_words(lecture))
    losses = [counts["train"].loss(0.3, counts[name]) for name in ("train", "dev", "test")]
    assert losses == pytest.approx([2.4543, 2.4530, 2.4580], abs=5e-5)


def test_the_lectures_list_is_described(lecture: Corpus) -> None:
    found = describe(split_words(lecture), top=3)
    assert (found.words, found.distinct, found.duplicates) == (32_033, 29_494, 32_033 - 29_494)
    assert (found.vocabulary, found.examples) == (27, 228_146)
    assert (found.shortest, found.longest) == (2, 15)
    assert sum(found.lengths.values()) == 32_033
    assert found.bigrams == [("n", ".", 6763), ("a", ".", 6640), ("a", "n", 5438)]
    assert found.distinct_bigrams == 627
    assert found.splits["dev"].shared_with_train == 424
    assert found.splits["test"].shared_with_train == 377
    assert found.uniform_loss == pytest.approx(3.295837, abs=5e-7)
    assert found.unigram_entropy == pytest.approx(2.8226, abs=5e-4)  # of all words; train alone gives this figure
    assert found.bigram_loss == pytest.approx(2.454014, abs=5e-7)
    assert found.smoothed_bigram_loss == pytest.approx(2.454577, abs=5e-7)
    assert found.dev_bigram_loss == pytest.approx(2.4530, abs=1e-3)


def test_the_lectures_names_are_known(lecture: Corpus) -> None:
    splits = split_words(lecture)
    index = WordIndex(splits)
    train, dev = ({lecture.word(i) for i in split.order.tolist()} for split in (splits.train, splits.dev))
    assert index.find("emma") == ("train" if "emma" in train else "dev" if "emma" in dev else "test")
    assert index.find(min(dev - train)) == "dev"
    assert index.find("minaymoryles") is None
