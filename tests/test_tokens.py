"""Text to tokens and back."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.tokens import UNKNOWN, join_tokens, mark_ends, sentence_ends, tokenize

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
TEXT = st.text(
    st.one_of(
        st.sampled_from("ab Ab1.,!?;:'’-\"()[]<>_=\n\t。“” \u0301\u200d\ufeff"),
        st.sampled_from([*"xyz", " ", " ", "\n"]),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=60,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The old man.", ["The", "old", "man", "."]),
        ("I didn't, he’d well-worn O'Brien's", ["I", "didn't", ",", "he’d", "well-worn", "O'Brien's"]),
        ("'tis the dogs' bone - mine", ["'", "tis", "the", "dogs", "'", "bone", "-", "mine"]),
        ("3.14 of 1,000, in 1998.", ["3.14", "of", "1,000", ",", "in", "1998", "."]),
        ("wait... no -- yes", ["wait", "...", "no", "--", "yes"]),
        ("======= *** _so_ snake_case", ["=======", "***", "_", "so", "_", "snake_case"]),
        ('("Why?")', ["(", '"', "Why", "?", '"', ")"]),
        ("the <unk> said <b>", ["the", UNKNOWN, "said", "<", "b", ">"]),
        ("cafe\u0301 नमस्ते naïve", ["cafe\u0301", "नमस्ते", "naïve"]),
        ("one\u200btwo\ufeffthree", ["one", "two", "three"]),
        ("こんにちは。", ["こんにちは", "。"]),
        (" \n\t ", []),
        ("", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens


@REPEATABLE
@given(TEXT)
@example("a\u200b.\ufeff b")
@example("e\u0301\u0301 \u0301")
def test_the_tokens_are_all_of_a_text_but_its_white_space(text: str) -> None:
    bare = "".join(c for c in text if not c.isspace() and c not in "\u200b\ufeff")
    assert "".join(tokenize(text)) == bare
    assert not any(c.isspace() for token in tokenize(text) for c in token)


@REPEATABLE
@given(st.lists(TEXT, max_size=4))
@example(["a.", ".", "..", "...", ". .", "....."])
@example(['"', "a", '"', '"', "'", "s", "- -", "3 . 14", "< unk >"])
@example(["rock ’n", "( (", ") )", "x )", "“ ‘ a"])
def test_tokens_that_are_joined_are_told_apart_again(texts: list[str]) -> None:
    tokens = [token for text in texts for token in tokenize(text)]
    assert tokenize(join_tokens(tokens)) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "The boat, (an old one) came: was it 3.14 m? Yes!",
        '"Stop!" he cried, "or I shall shout." Nobody did.',
        "“Stop,” she said; ‘why’ is in [brackets]...",
        "A <unk>, too.",
        'He said "yes" and "no", then left',
    ],
)
def test_tokens_are_joined_as_a_person_writes(text: str) -> None:
    assert join_tokens(tokenize(text)) == text


def test_signs_that_would_become_one_token_stay_apart() -> None:
    assert join_tokens(["a", ".", ".", "..", "."]) == "a. . .. ."
    assert join_tokens([]) == ""


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("One.Two costs 3.50 now.", ["One.Two costs 3.50 now."]),
        ('"Go." "No!" He went.', ['"Go."', '"No!"', "He went."]),
        ('"Stop!" he said. "Why?"', ['"Stop!" he said.', '"Why?"']),
        ("He left (at last.) She stayed.", ["He left (at last.)", "She stayed."]),
        (
            "Mr. Hale and Dr. Marsh met J. R. Brook. I did, too.",
            ["Mr. Hale and Dr. Marsh met J. R. Brook.", "I did, too."],
        ),
        ("It was I. He knew.", ["It was I.", "He knew."]),
        ("Well... perhaps. Really?! Yes.", ["Well... perhaps.", "Really?!", "Yes."]),
        ("A line\ngoes on\n\nthen a heading\n \t\nand text", ["A line\ngoes on", "then a heading", "and text"]),
        ("He said so.\n\nand more", ["He said so.", "and more"]),
        ("行く。来る。", ["行く。", "来る。"]),
        ("", []),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert [s.strip() for s in mark_ends(text, "|").split("|") if s.strip()] == sentences


@REPEATABLE
@given(TEXT, st.integers(0, 60))
def test_an_end_is_an_end_from_wherever_one_looks(text: str, begin: int) -> None:
    """So that a text may be cut part by part."""
    ends = list(sentence_ends(text))
    assert ends == sorted(set(ends))
    assert all(end in ends or not text[begin:end].strip() for end in sentence_ends(text, begin) if end > begin)
    parts = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    assert mark_ends(text, "\0").split("\0") == parts


def test_no_text_takes_long() -> None:
    """Time linear in the text, whatever it is made of."""
    size = 100_000
    texts = ["." * size, ".)" * size, "\n \t" * size, "a-" * size, "1," * size, "<unk" * size, "e\u0301" * size]
    started = time.process_time()
    for text in (*texts, '."' * size, "\u0301" * size, "Mr." * size, "." + ")" * size):
        assert len(tokenize(text)) > 0 or not text.strip()
        assert len(list(sentence_ends(text))) <= 1
    assert time.process_time() - started < 20


def test_every_combining_mark_stays_in_its_word() -> None:
    marks = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)).startswith("M")]
    assert [mark for mark in marks if len(tokenize(f"a{mark}b")) > 1] == []
