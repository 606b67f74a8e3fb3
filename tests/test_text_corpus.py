"""Plain texts: whatever the bytes, sentences come out or one line says what is wrong."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data import corpus as corpus_module
from data import text as text_module
from data.catalog import load
from data.corpus import CorpusError, decode_words, read_stdin
from data.levels import WORD
from data.text import TEXT, TextCorpus, parse_sentences, parse_text
from data.tokens import mark_ends, tokenize

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
PLAIN = st.text(
    st.one_of(st.sampled_from("ab Ab1.,!?;'-\"()<>\n\n\t。"), st.characters(codec="utf-8", exclude_characters="\0")),
    max_size=80,
)
TALE = (Path(__file__).parent / "tale.txt").read_text(encoding="utf-8")


def sentences(corpus: TextCorpus) -> list[list[str]]:
    return [[corpus.tokens[c] for c in corpus.codes_at(i).tolist()] for i in range(len(corpus))]


def cut_plainly(text: str) -> list[list[str]]:
    """What parse_text does, said in plain Python."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return [tokens for part in mark_ends(text, "\0").split("\0") if (tokens := tokenize(part))]


def test_a_text_is_cut_into_sentences_of_tokens() -> None:
    corpus = parse_text('The old man\nslept. "Why?" asked\nthe fox.\n\nA heading\n\nThe end.', "tale")
    assert sentences(corpus) == [
        ["The", "old", "man", "slept", "."],
        ['"', "Why", "?", '"', "asked", "the", "fox", "."],
        ["A", "heading"],
        ["The", "end", "."],
    ]
    assert corpus.tokens[:6] == ("The", "old", "man", "slept", ".", '"')
    assert corpus.codes.tolist()[-3:] == [0, corpus.tokens.index("end"), 4]
    assert corpus.codes.dtype == np.int32
    assert corpus.offsets.tolist() == [0, 5, 13, 15, 18]
    assert corpus.lengths.tolist() == [5, 8, 2, 3]
    assert corpus.level == WORD
    assert len(corpus) == 4


def test_a_sentence_is_read_as_a_person_writes_it() -> None:
    corpus = parse_text(TALE, "tale")
    assert corpus.word(0) == "The old man kept the lamp of the lighthouse."
    assert corpus.word(4) == '"Is there room for me?" asked the woman in the boat.'
    assert corpus.word(9) == ("He had seen 3,500 storms (or so he told everyone), and he never lent anyone a coat.")
    assert corpus.word(0, 3) == "The old man"
    assert next(corpus.words()) == corpus.word(0)


def test_the_copy_has_a_sentence_a_line_and_a_space_between_tokens() -> None:
    corpus = parse_text('One two, three. "Four?"', "list")
    assert corpus.text() == 'One two , three .\n" Four ? "\n'
    assert corpus.sha256 == hashlib.sha256(corpus.text().encode()).hexdigest()


@REPEATABLE
@given(PLAIN)
@example("a. b")
@example("A.\u2028B. C\x85D \x1c E.")
@example("x\r\n\r\ny\rz. Z")
@example("\ufeffBegin. \ufeffEnd")
@example(TALE)
def test_a_copy_is_read_back_as_it_was(text: str) -> None:
    wanted = cut_plainly(text)
    if not wanted:
        with pytest.raises(CorpusError):
            parse_text(text, "list")
        return
    corpus = parse_text(text, "list")
    assert sentences(corpus) == wanted, "no token is lost, and sentences end where they do"
    again = parse_sentences(corpus.text(), "list")
    assert sentences(again) == wanted
    assert (again.codes.tolist(), again.offsets.tolist()) == (corpus.codes.tolist(), corpus.offsets.tolist())
    assert (again.tokens, again.sha256) == (corpus.tokens, corpus.sha256)


@pytest.mark.parametrize("part", [1, 7, 50, 400])
def test_a_text_that_is_cut_part_by_part_is_the_same(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parse_text(TALE, "tale")
    monkeypatch.setattr(text_module, "_PART", part)
    monkeypatch.setattr(text_module, "_PART_TOKENS", part)
    again = parse_text(TALE, "tale")
    assert sentences(again) == sentences(whole)
    assert again.text() == whole.text()
    assert sentences(parse_sentences(again.text(), "tale")) == sentences(whole)


def test_the_first_sentences_are_a_corpus_too() -> None:
    corpus = parse_text(TALE, "tale")
    head = corpus.head(3)
    assert sentences(head) == sentences(corpus)[:3]
    assert head.text() == "".join(line + "\n" for line in corpus.text().split("\n")[:3])
    assert sentences(corpus.head(1000)) == sentences(corpus)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "tale: is empty; give a text with sentences"),
        (b" \n\n\t ", "tale: has no word; give a text with sentences"),
        (b"One.\nTwo\0", "tale, line 2: holds a NUL byte"),
        (b"One.\nTw\xff", "tale, line 2: is not utf-8; name its encoding with --encoding"),
    ],
)
def test_bytes_that_are_no_text_are_refused_in_one_line(raw: bytes, said: str) -> None:
    with pytest.raises(CorpusError) as caught:
        decode_words(raw, "tale", form=TEXT)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"tale, line 3: holds half a character"):
        parse_text("One.\n\nTwo \ud800 three.", "tale")


def test_a_text_is_read_in_its_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tale.txt"
    path.write_bytes("Le garçon dormait.\r\n".encode("latin-1"))
    assert load(str(path), cache=tmp_path, encoding="latin-1", level="word").word(0) == "Le garçon dormait."
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"One two. Three.")))
    assert list(read_stdin(form=TEXT).words()) == ["One two.", "Three."]


def test_what_is_no_file_of_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def complaint(source: object) -> str:
        with pytest.raises(CorpusError) as caught:
            load(str(source), cache=tmp_path, level="word")
        return str(caught.value)

    assert complaint(tmp_path).endswith("is a folder; give a file with plain text")
    missing = complaint(tmp_path / "none.txt")
    assert missing.endswith("no such file; give a file with plain text, or '-' for standard input")
    assert complaint("names") == (
        "names: is a list of words, and --level word learns from sentences; give --data a file with plain text"
    )
    (tmp_path / "big.txt").write_text("One two three.")
    monkeypatch.setattr(corpus_module, "MAX_BYTES", 8)
    assert "is larger than" in complaint(tmp_path / "big.txt")
