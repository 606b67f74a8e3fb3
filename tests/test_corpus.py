"""Word lists: whatever the bytes, words come out or one line says what is wrong."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data import corpus as corpus_module
from data.corpus import Corpus, CorpusError, decode_words, parse_words, read_stdin, read_words

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
AROUND = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()) + "\ufeff"
"""What is trimmed off a word: white space and byte order marks."""

CHARACTERS = st.one_of(st.sampled_from("ab.é中🙂 \t\u3000\ufeff\u200d"), st.characters(codec="utf-8"))
WORD = (
    st.text(CHARACTERS, min_size=1, max_size=12)
    .map(lambda text: re.sub(r"[\n\r\0]", "x", text).strip(AROUND))
    .filter(bool)
)
LINES = st.text(
    st.one_of(st.sampled_from("ab \t\n\r\0\ufeff\u3000"), st.characters(exclude_categories=())), max_size=40
)


def parsed(text: str) -> list[str]:
    return list(parse_words(text, "list").words())


def complaint(call: Callable[[], object]) -> str:
    """The one line that ``call`` ends with."""
    with pytest.raises(CorpusError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


def trimmed_lines(text: str) -> list[str]:
    """What parse_words does, said in plain Python."""
    words = (line.strip(AROUND) for line in re.split(r"\r\n|\r|\n", text))
    return [word for word in words if word]


# --- what works


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("emma\nolivia\n", ["emma", "olivia"], id="LF"),
        pytest.param("emma\r\nolivia\r\n", ["emma", "olivia"], id="CRLF"),
        pytest.param("emma\rolivia\r", ["emma", "olivia"], id="CR"),
        pytest.param("emma\r\nolivia\rava\nmia", ["emma", "olivia", "ava", "mia"], id="mixed line ends"),
        pytest.param("\ufeffemma\nolivia\n", ["emma", "olivia"], id="BOM"),
        pytest.param("emma\n\ufeffolivia\n", ["emma", "olivia"], id="BOM of a second file"),
        pytest.param("emma\nolivia", ["emma", "olivia"], id="no final newline"),
        pytest.param("emma", ["emma"], id="one word"),
        pytest.param("\n\nemma\n\n\n \t\nolivia\n\n", ["emma", "olivia"], id="blank lines"),
        pytest.param("emma\nava\nemma\nemma\n", ["emma", "ava", "emma", "emma"], id="duplicates"),
        pytest.param("Emma\nEMMA\nemma\n", ["Emma", "EMMA", "emma"], id="upper case"),
        pytest.param("josé\nzoë\nøyvind\n", ["josé", "zoë", "øyvind"], id="accents"),
        pytest.param("王芳\n李娜\n", ["王芳", "李娜"], id="CJK"),
        pytest.param("🙂\n👩‍👩‍👧\na🙂b\n", ["🙂", "👩‍👩‍👧", "a🙂b"], id="emoji"),
        pytest.param("mary ann\nde  la  cruz\n", ["mary ann", "de  la  cruz"], id="spaces inside"),
        pytest.param("  emma\t\n\u3000olivia \x0b\n", ["emma", "olivia"], id="white space around"),
        pytest.param("j.r.\n.\n...\n", ["j.r.", ".", "..."], id="literal dot"),
        pytest.param("a\x0bb\u2028c\x85d\n", ["a\x0bb\u2028c\x85d"], id="what str.splitlines would cut"),
    ],
)
def test_these_lists_are_read(text: str, words: list[str]) -> None:
    assert parsed(text) == words
    assert list(decode_words(text.encode(), "list").words()) == words


def test_a_line_of_100_000_characters_is_one_word() -> None:
    word = "abcde" * 20_000
    corpus = parse_words(f"emma\n{word}\nava\n", "list")
    assert corpus.lengths.tolist() == [4, 100_000, 3]
    assert corpus.word(1) == word


def test_a_long_run_of_white_space_inside_a_word_takes_no_time() -> None:
    word = "a" + 50_000 * " " + "b"
    began = time.process_time()
    assert parsed(f" {word}\n{word} \n") == [word, word]
    assert time.process_time() - began < 5  # a look onward from every space took a minute


@REPEATABLE
@given(LINES)
@example("\r\r\n\n\r")
@example("\ufeff")
@example("\ufeff\ufeff")
@example("a\ud800")
@example("\x1c\n\x1fa\x1e b\x1d")
def test_any_text_gives_its_trimmed_lines_or_a_one_line_error(text: str) -> None:
    words = trimmed_lines(text)
    if words and not re.search("[\0\ud800-\udfff]", text):
        assert parsed(text) == words
    else:
        assert complaint(lambda: parse_words(text, "list")).startswith("list")


@REPEATABLE
@given(st.binary(max_size=60), st.sampled_from(["utf-8", "latin-1", "cp1252", "utf-16", "utf-7", "idna", "shift_jis"]))
@example(b"\xff", "idna")
def test_any_bytes_give_words_or_a_one_line_error(raw: bytes, encoding: str) -> None:
    try:
        text = raw.decode(encoding)
    except UnicodeError:
        assert encoding in complaint(lambda: decode_words(raw, "list", encoding))
        return
    words = trimmed_lines(text)
    if words and not re.search("[\0\ud800-\udfff]", text):
        assert list(decode_words(raw, "list", encoding).words()) == words
    else:
        assert complaint(lambda: decode_words(raw, "list", encoding)).startswith("list")


@REPEATABLE
@given(st.lists(WORD, min_size=1, max_size=20))
@example(["."])
@example(["a\ufeffb", "é", "中", "🙂"])
def test_the_text_of_a_corpus_reads_back_to_the_same_words(words: list[str]) -> None:
    corpus = parse_words("\n".join(words), "list")
    assert list(corpus.words()) == words
    assert corpus.text() == "".join(f"{word}\n" for word in words)
    again = parse_words(corpus.text(), "list")
    assert again.codes.dtype == corpus.codes.dtype
    assert again.codes.tolist() == corpus.codes.tolist()
    assert again.offsets.tolist() == corpus.offsets.tolist()


@pytest.mark.parametrize(
    ("text", "dtype"), [("az", "uint8"), ("ÿ", "uint8"), ("ā", "uint16"), ("\uffff", "uint16"), ("🙂", "uint32")]
)
def test_words_are_kept_in_the_narrowest_type(text: str, dtype: str) -> None:
    corpus = parse_words(text, "list")
    assert corpus.codes.dtype == np.dtype(dtype)
    assert corpus.word(0) == text


def test_lengths_words_and_positions_agree() -> None:
    corpus = parse_words("emma\nzoë\n王\n", "list")
    assert len(corpus) == 3
    assert corpus.name == "list"
    assert corpus.lengths.tolist() == [4, 3, 1]
    assert corpus.offsets.tolist() == [0, 4, 7, 8]
    assert [corpus.word(i) for i in range(3)] == ["emma", "zoë", "王"]


@pytest.mark.parametrize(("count", "words"), [(0, []), (1, ["emma"]), (2, ["emma", "zoë"]), (9, ["emma", "zoë", "王"])])
def test_head_keeps_the_first_words(count: int, words: list[str]) -> None:
    head = parse_words("emma\nzoë\n王\n", "list").head(count)
    assert len(head) == len(words)
    assert list(head.words()) == words
    assert head.text() == "".join(f"{word}\n" for word in words)


def test_the_sum_is_that_of_the_words_and_not_of_their_encoding_or_line_ends() -> None:
    plain = parse_words("zoë\nemma\n", "a")
    assert plain.sha256 == hashlib.sha256("zoë\nemma\n".encode()).hexdigest()
    assert decode_words("zoë\r\n\r\n emma".encode("latin-1"), "b", "latin-1").sha256 == plain.sha256
    assert decode_words("zoë\remma\r".encode("utf-16"), "c", "utf-16").sha256 == plain.sha256
    assert parse_words("emma\nzoë\n", "d").sha256 != plain.sha256


def test_a_file_is_read_under_its_path_or_the_name_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"emma\nolivia")
    assert list(read_words(path).words()) == ["emma", "olivia"]
    assert read_words(path).name == str(path)
    assert read_words(path, "mine").name == "mine"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO("zoë\nemma".encode("latin-1"))))
    corpus = read_stdin("latin-1")
    assert list(corpus.words()) == ["zoë", "emma"]
    assert corpus.name == "standard input"


# --- what does not


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.txt"
    message = complaint(lambda: read_words(path))
    assert message.startswith(f"{path}: no such file")


def test_a_folder_is_named_as_one(tmp_path: Path) -> None:
    message = complaint(lambda: read_words(tmp_path))
    assert message.startswith(f"{tmp_path}: is a folder")


def test_a_file_that_may_not_be_read_is_named_with_the_reason(
    words_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    message = complaint(lambda: read_words(words_file))
    assert message.startswith(f"{words_file}: cannot be read (Permission denied)")


def test_a_path_through_a_file_is_named_with_the_reason(words_file: Path) -> None:
    message = complaint(lambda: read_words(words_file / "words.txt"))
    assert message.startswith(f"{words_file}/words.txt: cannot be read (Not a directory)")


def test_a_path_with_a_nul_cannot_be_read() -> None:
    assert "cannot be read" in complaint(lambda: read_words(Path("a\0b"), "it"))


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    assert complaint(lambda: read_words(path)).startswith(f"{path}: is empty")


def test_a_file_with_nothing_but_a_byte_order_mark_is_called_empty() -> None:
    assert complaint(lambda: decode_words(b"\xef\xbb\xbf", "list")).startswith("list: is empty")


@pytest.mark.parametrize("text", ["\n", "\r\n\r\n", " \n\t\n\u3000", " "])
def test_a_list_of_blank_lines_is_called_that(text: str) -> None:
    assert complaint(lambda: parse_words(text, "list")).startswith("list: has only blank lines")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bytes_that_are_not_utf8_are_named_by_their_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(end.join(["emma", "olivia", "zoë", "ava"]).encode("latin-1"))
    message = complaint(lambda: read_words(path))
    assert message.startswith(f"{path}, line 3: is not utf-8")
    assert "--encoding" in message
    assert list(read_words(path, encoding="latin-1").words()) == ["emma", "olivia", "zoë", "ava"]


def test_a_cut_utf16_file_is_named_by_its_line() -> None:
    raw = "emma\nolivia\nava".encode("utf-16")[:-1]
    assert complaint(lambda: decode_words(raw, "list", "utf-16")).startswith("list, line 3: is not utf-16")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_nul_byte_is_named_by_its_line(end: str) -> None:
    raw = end.join(["emma", "oli\0via", "ava"]).encode()
    assert complaint(lambda: decode_words(raw, "list")).startswith("list, line 2: holds a NUL byte")


def test_utf16_read_as_utf8_is_told_of_the_encoding() -> None:
    raw = "emma\nolivia".encode("utf-16-le")
    assert "--encoding" in complaint(lambda: decode_words(raw, "list"))
    assert list(decode_words(raw, "list", "utf-16-le").words()) == ["emma", "olivia"]


@pytest.mark.parametrize("encoding", ["nonsense", "", "hex", "rot13", "utf-8\udc80", "undefined"])
def test_an_encoding_that_is_none_is_named(encoding: str) -> None:
    message = complaint(lambda: decode_words(b"emma\n", "list", encoding))
    assert message.startswith(f"--encoding: {encoding!r} is not a text encoding")


def test_a_lone_surrogate_is_named_by_its_line() -> None:
    assert complaint(lambda: parse_words("emma\nava\ud83d\n", "list")).startswith("list, line 2: holds half a char")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "MAX_BYTES", 3 << 20)
    path = tmp_path / "large.txt"
    path.write_bytes(b"ab\n" * (1 << 20))
    assert len(read_words(path)) == 1 << 20
    with path.open("ab") as file:
        file.write(b"\n")
    assert complaint(lambda: read_words(path)).startswith(f"{path}: is larger than 3 MiB")


def test_standard_input_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a" * ((1 << 20) + 1))))
    assert complaint(read_stdin).startswith("standard input: is larger than 1 MiB")


# --- the lecture's list


def test_the_lectures_list_has_its_words(lecture: Corpus) -> None:
    words = list(lecture.words())
    assert words[:5] == ["emma", "olivia", "ava", "isabella", "sophia"]
    assert len(words) == len(lecture) == 32_033
    assert len(set(words)) == 29_494
    assert lecture.lengths.min() == 2
    assert lecture.lengths.max() == 15
    assert len(lecture.codes) + len(lecture) == 228_146


def test_the_lectures_list_reads_as_its_lines(lecture: Corpus, lecture_path: Path) -> None:
    text = lecture_path.read_text(encoding="utf-8")
    assert len(text) == 228_145
    assert list(lecture.words()) == text.splitlines()
    assert lecture.text() == text + "\n"
