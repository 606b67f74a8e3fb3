"""Words and ids, the cut by frequency, and what is built on them: splits, lookup, statistics."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.bigrams import BigramCounts
from data.corpus import CorpusError, parse_words
from data.levels import CHARACTER, WORD
from data.lookup import WordIndex
from data.splits import Splits, split_words
from data.statistics import describe
from data.text import TextCorpus, parse_text
from data.tokens import UNKNOWN, tokenize
from data.vocabulary import BOUNDARY, Vocabulary
from data.word_vocabulary import UNKNOWN_ID, WordVocabulary, vocabulary_from, vocabulary_of

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=100)
TALE = (Path(__file__).parent / "tale.txt").read_text(encoding="utf-8")
RHYME = "The cat saw the cat. The dog saw the <unk>. The cat saw the fox."


def splits_of(text: str, min_count: int, **named: float) -> Splits:
    corpus = parse_text(text, "text")
    return split_words(corpus, WordVocabulary.of(corpus, min_count), **named)  # type: ignore[arg-type]


def whole(text: str, min_count: int) -> Splits:
    return splits_of(text, min_count, train_fraction=1, dev_fraction=0)


def test_words_that_occur_often_enough_have_ids_by_frequency() -> None:
    vocabulary = WordVocabulary.of(parse_text(RHYME, "rhyme"), 3)
    assert vocabulary.words == (".", "The", "cat", "saw", "the"), "equals in code point order"
    assert [vocabulary.symbol(i) for i in range(len(vocabulary))] == ["·", UNKNOWN, ".", "The", "cat", "saw", "the"]
    assert vocabulary.encode("The fox saw the cat, <unk>") == [3, 1, 5, 6, 4, 1, 1]
    assert vocabulary.encode("the THE") == [6, 1], "case is kept"
    assert vocabulary.encode(" ") == []


@pytest.mark.parametrize(("min_count", "kept"), [(1, 8), (2, 5), (3, 5), (4, 1), (5, 0)])
def test_the_cut(min_count: int, kept: int) -> None:
    text = "a a a a b b b c c c d d d e e e f g h"
    assert len(WordVocabulary.of(parse_text(text, "x"), min_count).words) == kept if kept else True
    if not kept:
        with pytest.raises(CorpusError) as caught:
            WordVocabulary.of(parse_text(text, "x"), min_count)
        assert str(caught.value) == "x: no word occurs 5 times, so all would be unknown; give a lower --min-count"


def test_a_text_that_has_unknown_words_already_keeps_them_unknown() -> None:
    vocabulary = WordVocabulary.of(parse_text("<unk> <unk> said <unk>.", "x"))
    assert vocabulary.words == (".", "said")
    assert vocabulary.unknown_in("<unk> said no, no.") == ["no", ","]


def test_the_boundary_is_shown_as_what_is_no_word() -> None:
    assert WordVocabulary(["a", "."]).boundary_symbol == "·"
    assert WordVocabulary(["a", "·"]).boundary_symbol == "¶"
    assert WordVocabulary(["·", "¶", "\u241e", "\ue000"]).boundary_symbol == "\ue001"


def test_ids_are_decoded_as_a_person_writes() -> None:
    vocabulary = WordVocabulary.of(parse_text(TALE, "tale"))
    said = '"Is there room for me?" asked the woman in the boat.'
    assert vocabulary.decode([BOUNDARY, *vocabulary.encode(said), BOUNDARY]) == said
    assert vocabulary.decode(vocabulary.encode("The zebra slept.")) == "The <unk> slept."
    assert vocabulary.decode([]) == ""


@REPEATABLE
@given(st.data())
def test_what_is_drawn_can_be_looked_up(data: st.DataObject) -> None:
    """Whatever ids a model draws: their text has the same ids."""
    vocabulary = WordVocabulary.of(parse_text(TALE, "tale"), 2)
    ids = data.draw(st.lists(st.integers(1, len(vocabulary) - 1), max_size=12))
    assert vocabulary.encode(vocabulary.decode(ids)) == ids


@pytest.mark.parametrize(("words", "dtype"), [(254, "uint8"), (255, "int16"), (40_000, "int32")])
def test_ids_are_kept_in_the_narrowest_type(words: int, dtype: str) -> None:
    vocabulary = WordVocabulary(f"w{i}" for i in range(words))
    assert len(vocabulary) == words + 2
    assert vocabulary.dtype == np.dtype(dtype)


def test_a_checkpoint_keeps_a_vocabulary_of_either_level() -> None:
    words = WordVocabulary.of(parse_text(RHYME, "rhyme"))
    assert vocabulary_from(words.entries) == words
    assert hash(vocabulary_from(words.entries)) == hash(words)
    letters = Vocabulary("cab")
    assert letters.entries == "abc"
    assert vocabulary_from(letters.entries) == letters
    assert words != letters
    with pytest.raises(TypeError, match="a text or a list of words"):
        vocabulary_from(["a", 1])  # type: ignore[list-item]


def test_each_corpus_has_the_vocabulary_of_its_level() -> None:
    assert vocabulary_of(parse_words("ab\nc", "list"), 9) == Vocabulary("abc")
    assert vocabulary_of(parse_text(RHYME, "rhyme"), 3).level == WORD
    assert vocabulary_of(parse_words("ab", "list")).level == CHARACTER
    assert split_words(parse_text(RHYME, "x"), train_fraction=1, dev_fraction=0).vocabulary.level == WORD


@REPEATABLE
@given(st.lists(st.sampled_from(["The", "cat", "dog", "fox", "saw", "a", "x1"]), min_size=1, max_size=30),
       st.integers(1, 3))  # fmt: skip
@example(["cat", "dog"], 1)
def test_splits_hold_the_ids_of_the_sentences(tokens: list[str], min_count: int) -> None:
    text = "\n\n".join(" ".join(tokens[i : i + 4]) for i in range(0, len(tokens), 4))
    often = {t for t, n in Counter(tokenize(text)).items() if n >= min_count}
    if not often:
        return
    splits = whole(text, min_count)
    wanted: list[int] = []
    for line in text.split("\n\n"):
        ids = [splits.vocabulary.encode(t)[0] for t in line.split()]
        assert [splits.vocabulary.symbol(i) for i in ids] == [t if t in often else UNKNOWN for t in line.split()]
        wanted += [*ids, BOUNDARY]
    assert splits.train.tokens.tolist() == wanted


def test_too_few_sentences_are_said_as_such() -> None:
    with pytest.raises(
        CorpusError, match=r"text: 3 sentences cannot be split 80/10/10: dev would get none; give more sen"
    ):
        splits_of(RHYME, 1)


def test_the_head_of_a_split_is_its_first_whole_sentences() -> None:
    train = whole("One two. Three. Four five six.", 1).train  # 4, 3 and 5 examples
    assert [(train.head(n).words, train.head(n).examples) for n in (1, 4, 5, 7, 8, 12, 99)] == [
        (1, 4), (1, 4), (2, 7), (2, 7), (3, 12), (3, 12), (3, 12),
    ]  # fmt: skip
    assert train.head(99) is train
    assert train.head(3).tokens.tolist() == train.tokens.tolist()[:4]
    assert train.head(3).order.tolist() == [0]


def test_sentences_that_differ_in_unknown_words_alone_are_the_same() -> None:
    splits = splits_of("The cat saw the fox. The cat saw the hen. The dog saw the cat. The cat saw the cat.", 2,
                       train_fraction=0.5, dev_fraction=0.25)  # fmt: skip
    index = WordIndex(splits)
    assert index.distinct == 3
    assert (
        index.find("The cat saw the <unk>.")
        == index.find("The cat saw the whale.")
        == index.find(splits.corpus.word(0))
    )
    assert index.find("The <unk> saw the cat.") is not None
    assert index.find("the cat saw the cat.") is None
    assert index.find("") is None
    for i, sentence in enumerate(splits.corpus.words()):
        holds = [name for name, split in splits if i in split.order.tolist()]
        assert index.find(sentence) in ("train", *holds)


def test_a_text_in_numbers() -> None:
    found = describe(whole(RHYME, 3))
    assert (found.level, found.words, found.distinct, found.duplicates) == ("word", 3, 3, 0)
    assert (found.vocabulary, found.kinds, found.characters, found.unknown) == (7, 8, "", 3)
    assert found.examples == 3 * 7
    assert found.lengths == {6: 3}
    assert found.frequent == [(".", 3), ("The", 3), ("cat", 3), ("saw", 3), ("the", 3)]
    assert found.bigrams[:2] == [("·", "The", 3), (".", "·", 3)]
    assert found.dev_unigram_loss is None
    assert found.uniform_loss == math.log(7)


def test_unigram_counts_are_a_loss_to_beat() -> None:
    train, dev = (BigramCounts.of(np.array(ids), 4) for ids in ([1, 1, 2, 0], [1, 3, 0]))
    wanted = -sum(math.log(p) for p in (3 / 8, 1 / 8, 2 / 8)) / 3
    assert math.isclose(train.unigram_loss(1, dev), wanted)
    assert math.isclose(train.unigram_loss(0), -(2 * math.log(0.5) + 2 * math.log(0.25)) / 4)
    assert train.unigram_loss(0, dev) == math.inf


def test_characters_are_what_they_were() -> None:
    found = describe(split_words(parse_words("emma\nava\nemma", "list"), train_fraction=1, dev_fraction=0))
    assert (found.level, found.characters, found.kinds, found.unknown) == ("character", "aemv", 4, 0)
    assert found.frequent == [("a", 4), ("m", 4), ("e", 2), ("v", 1)]


def test_the_ids_of_a_corpus_are_those_of_its_tokens() -> None:
    corpus = parse_text(TALE, "tale")
    assert isinstance(corpus, TextCorpus)
    vocabulary = WordVocabulary.of(corpus, 2)
    table = vocabulary.table_of(corpus)
    assert table.dtype == vocabulary.dtype
    for token, number in zip(corpus.tokens, table.tolist(), strict=True):
        assert vocabulary.symbol(number) == token or number == UNKNOWN_ID
