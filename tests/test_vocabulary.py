"""Characters and ids."""

from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.corpus import Corpus, parse_words
from data.vocabulary import BOUNDARY, Vocabulary, VocabularyError

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=80)
WORD = st.text(st.one_of(st.sampled_from("ab.é中🙂"), st.characters(codec="utf-8")), min_size=1, max_size=12).filter(
    lambda text: bool(text.strip()) and text == text.strip().strip("\ufeff") and not set("\n\r\0") & set(text)
)


def test_letters_are_numbered_from_one_in_code_point_order() -> None:
    vocabulary = Vocabulary.of(parse_words("bca\nb\n", "list"))
    assert vocabulary.characters == "abc"
    assert vocabulary.encode("cab") == [3, 1, 2]
    assert len(vocabulary) == 4


def test_the_boundary_is_zero_and_shown_as_a_dot() -> None:
    vocabulary = Vocabulary("ba")
    assert BOUNDARY == 0
    assert [vocabulary.symbol(i) for i in range(3)] == [".", "a", "b"]


def test_a_literal_dot_is_a_letter_apart_from_the_boundary() -> None:
    vocabulary = Vocabulary.of(parse_words("j.r.\n", "list"))
    assert vocabulary.characters == ".jr"
    assert vocabulary.encode("j.r.") == [2, 1, 3, 1]
    assert vocabulary.symbol(1) == "."
    assert vocabulary.symbol(BOUNDARY) == vocabulary.boundary_symbol == "·"


@pytest.mark.parametrize(
    ("letters", "symbol"),
    [("ab", "."), ("a.", "·"), (".·", "¶"), (".·¶", "\u241e"), (".·¶\u241e", "\ue000"), (".·¶\u241e\ue000", "\ue001")],
)
def test_the_boundary_is_shown_as_something_that_is_no_letter(letters: str, symbol: str) -> None:
    assert Vocabulary(letters).boundary_symbol == symbol


def test_the_boundary_has_a_symbol_beside_any_letters() -> None:
    letters = {*".·¶\u241e\uffff", *map(chr, range(0xE000, 0xF900))}
    assert Vocabulary(letters).boundary_symbol not in letters


@REPEATABLE
@given(st.lists(WORD, min_size=1, max_size=12))
@example(["."])
@example(["a b", "🙂🙃", "王芳", "..", "·"])
def test_any_words_decode_to_themselves(words: list[str]) -> None:
    corpus = parse_words("\n".join(words), "list")
    vocabulary = Vocabulary.of(corpus)
    assert vocabulary.characters == "".join(sorted(set("".join(words))))
    assert len({vocabulary.symbol(i) for i in range(len(vocabulary))}) == len(vocabulary)
    for index, word in enumerate(words):
        ids = vocabulary.encode(word)
        assert all(0 < i < len(vocabulary) for i in ids)
        assert vocabulary.decode(ids) == word
        codes = corpus.codes[corpus.offsets[index] : corpus.offsets[index + 1]]
        assert vocabulary.encode_codes(codes).tolist() == ids


def test_boundaries_are_left_out_of_a_decoded_text() -> None:
    assert Vocabulary("abc").decode([0, 0, 3, 1, 2, 0]) == "cab"


def test_nothing_encodes_to_nothing() -> None:
    assert Vocabulary("abc").encode("") == []
    assert Vocabulary("abc").decode([]) == ""


def test_an_unknown_character_is_named_with_what_is_allowed() -> None:
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("abc").encode("cXaéX")
    assert str(caught.value) == (
        "'cXaéX': 'X', 'é' is not in this model's vocabulary; allowed are the characters of its words: abc"
    )


def test_the_boundarys_symbol_cannot_be_encoded() -> None:
    with pytest.raises(VocabularyError, match=r"'\.' is not in"):
        Vocabulary("abc").encode("a.")


def test_a_large_vocabulary_is_not_listed_whole() -> None:
    letters = [chr(0x4E00 + i) for i in range(3000)]
    with pytest.raises(VocabularyError) as caught:
        Vocabulary(letters).encode("x")
    assert str(caught.value).endswith("".join(letters[:60]) + "...")
    with pytest.raises(VocabularyError) as caught:
        Vocabulary(letters[:60]).encode("x")
    assert str(caught.value).endswith("".join(letters[:60]))


@pytest.mark.parametrize(
    ("size", "dtype"), [(2, "uint8"), (256, "uint8"), (257, "int16"), (32_768, "int16"), (32_769, "int32")]
)
def test_ids_are_kept_in_the_narrowest_type_that_holds_them(size: int, dtype: str) -> None:
    letters = [chr(0x10000 + i) for i in range(size - 1)]
    vocabulary = Vocabulary(letters)
    assert len(vocabulary) == size
    assert vocabulary.dtype == np.dtype(dtype)
    ids = vocabulary.encode_codes(np.array([ord(letters[-1]), ord(letters[0])]))
    assert ids.dtype == vocabulary.dtype
    assert ids.tolist() == [size - 1, 1]


def test_vocabularies_are_equal_when_their_characters_are() -> None:
    assert Vocabulary("abc") == Vocabulary("ccba")
    assert hash(Vocabulary("abc")) == hash(Vocabulary("ccba"))
    assert Vocabulary("abc") != Vocabulary("abd")
    assert Vocabulary("abc") != "abc"


def test_the_lectures_vocabulary_is_the_boundary_and_26_letters(lecture: Corpus) -> None:
    vocabulary = Vocabulary.of(lecture)
    assert vocabulary.characters == string.ascii_lowercase
    assert len(vocabulary) == 27
    assert vocabulary.encode("emma") == [5, 13, 13, 1]
    assert vocabulary.dtype == np.uint8
