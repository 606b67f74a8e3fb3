"""Word lists: reading, checking, and the flat array the words are kept in.

A list of Python strings costs some 60 bytes a word before its letters; 13 million words (100 MB) would not fit in
1 GB. So the words are kept as one array of code points and the offsets where each begins.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from data.levels import CHARACTER, Level

MAX_BYTES = 1 << 30
"""The largest file that is read, in bytes; a bound known before anything is allocated."""
_PART_BYTES = 1 << 20

_NEWLINE = 0x0A
_BOM = "\ufeff"
_WHITESPACE = np.array([*(c for c in range(0x3001) if chr(c).isspace()), ord(_BOM)], dtype=np.uint32)
_BLANK = "[" + "".join(re.escape(chr(c)) for c in _WHITESPACE.tolist() if c != _NEWLINE) + "]"
# A run of white space is looked at from its first character only, and once: time linear in the text.
_PADDING = re.compile(rf"(?<!{_BLANK}){_BLANK}++(?=\n|\Z)|^{_BLANK}++", re.MULTILINE)
_ENCODING_OF = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}


class CorpusError(ValueError):
    """Words that cannot be used; its text is one line for a person: what, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Words in the order of their file.

    codes: code points of all words, one after another (uint8, uint16 or uint32, the narrowest that holds them)
    offsets: int64 (words + 1,), where each word begins in ``codes``; the last entry is ``len(codes)``
    """

    level: ClassVar[Level] = CHARACTER

    name: str
    codes: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Characters of each word, int64 (words,)."""
        return np.diff(self.offsets)

    def word(self, index: int, most: int | None = None) -> str:
        """A word, or its first ``most`` characters where it is longer."""
        return _text_of(self.codes_at(index, most))

    def codes_at(self, index: int, most: int | None = None) -> NDArray[Any]:
        """The codes of a word, at most its first ``most``."""
        start, end = self.offsets[index].item(), self.offsets[index + 1].item()
        return self.codes[start : end if most is None else min(end, start + most)]

    def words(self) -> Iterator[str]:
        return (self.word(i) for i in range(len(self)))

    def head(self, count: int) -> Corpus:
        """The first ``count`` words (all of them when there are fewer)."""
        offsets = self.offsets[: min(count, len(self)) + 1]
        return Corpus(self.name, self.codes[: offsets[-1]], offsets)

    def text(self) -> str:
        """The words, one a line; reading this text gives the same corpus."""
        total = len(self.codes) + len(self)
        ends = self.offsets[1:] + np.arange(len(self))
        out = np.full(total, _NEWLINE, dtype=self.codes.dtype)
        letters = np.ones(total, dtype=bool)
        letters[ends] = False
        out[letters] = self.codes
        return _text_of(out)

    @cached_property
    def sha256(self) -> str:
        """Of ``text()`` in UTF-8: the same words give the same sum, whatever the file's encoding and line ends."""
        return hashlib.sha256(self.text().encode()).hexdigest()


def parse_words(text: str, name: str) -> Corpus:
    """A corpus from text with one word a line.

    Blank lines are dropped; white space (and byte order marks) around a word are trimmed, inside it they are letters.
    Lines end with LF, CRLF or CR.

    Raises CorpusError for text without words, with NUL characters or with lone surrogates.
    """
    text = normalize(text, name, "a list with one word a line")
    codes = _codes_of(text, name)
    lengths, padded = _measure_lines(codes)
    if padded:
        codes = _codes_of(_PADDING.sub("", text), name)
        lengths, _ = _measure_lines(codes)
    if not len(lengths):
        raise CorpusError(f"{name}: has only blank lines; give a list with one word a line")
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Corpus(name, codes[codes != _NEWLINE], offsets)


def normalize(text: str, name: str, wanted: str) -> str:
    """``text`` with lines that end with LF and without a byte order mark.

    Raises CorpusError, which says to give what is ``wanted``, for an empty text and one with NUL characters.
    """
    text = text.removeprefix(_BOM)
    if not text:
        raise CorpusError(f"{name}: is empty; give {wanted}")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise CorpusError(
            f"{name}, line {line}: holds a NUL byte, so this is no text file (or needs --encoding); give {wanted}"
        )
    return text


def lone_surrogate(text: str, name: str, at: int) -> CorpusError:
    """The error of a text that has half a character at place ``at``."""
    line = text.count("\n", 0, at) + 1
    return CorpusError(f"{name}, line {line}: holds half a character (a lone surrogate); save the file as UTF-8")


@dataclass(frozen=True)
class Format:
    """What a file is read as.

    parse: makes a corpus of its text and its name; holds: what is in such a file, for messages
    """

    parse: Callable[[str, str], Corpus]
    holds: str


WORD_LIST = Format(parse_words, CHARACTER.holds)


def decode_words(raw: bytes | bytearray, name: str, encoding: str = "utf-8", form: Format = WORD_LIST) -> Corpus:
    """A corpus from the bytes of a file. Raises CorpusError, naming the line, for bytes not in ``encoding``."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        before = ""
        with contextlib.suppress(UnicodeError):  # idna and the like know no "ignore"
            before = raw[: error.start].decode(encoding, "ignore")
        line = before.count("\n") + before.count("\r") - before.count("\r\n") + 1
        raise CorpusError(
            f"{name}, line {line}: is not {encoding}; name its encoding with --encoding (latin-1, cp1252, ...) "
            "or convert the file to UTF-8"
        ) from None
    except (LookupError, ValueError):  # an encoding with a NUL in it is the latter
        raise CorpusError(
            f"--encoding: {encoding[:100]!r} is not a text encoding; allowed are Python's, such as utf-8, latin-1 or "
            "utf-16"
        ) from None
    return form.parse(text, name)


def read_words(path: Path, name: str | None = None, encoding: str = "utf-8", form: Format = WORD_LIST) -> Corpus:
    """A corpus from a file. Raises CorpusError for a missing, unreadable, too large or unusable one."""
    shown = name or str(path)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise CorpusError(f"{shown}: is a folder; give a file with {form.holds}")
        if found.st_size > MAX_BYTES:
            raise _too_large(shown)
        with path.open("rb") as file:
            raw = _read_bounded(file, shown)
    except FileNotFoundError:
        others = "or '-' for standard input"
        if form == WORD_LIST:
            others = "'-' for standard input, or a named set (makemore-tui data show lists them)"
        raise CorpusError(f"{shown}: no such file; give a file with {form.holds}, {others}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, CorpusError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CorpusError(f"{shown}: cannot be read ({reason}); give a readable file with {form.holds}") from None
    return decode_words(raw, shown, encoding, form)


def read_stdin(encoding: str = "utf-8", form: Format = WORD_LIST) -> Corpus:
    """A corpus from standard input."""
    return decode_words(_read_bounded(sys.stdin.buffer, "standard input"), "standard input", encoding, form)


def _read_bounded(file: BinaryIO, name: str) -> bytearray:
    """All of a file whose size may not be known, part by part: asked for at once, the most would be allocated."""
    raw = bytearray()
    while part := file.read(_PART_BYTES):
        raw += part
        if len(raw) > MAX_BYTES:
            raise _too_large(name)
    return raw


def _too_large(name: str) -> CorpusError:
    return CorpusError(f"{name}: is larger than {MAX_BYTES >> 20} MiB, the most that is read; give a part of it")


def _codes_of(text: str, name: str) -> NDArray[Any]:
    """The code points of ``text`` in the narrowest of uint8, uint16 and uint32 that holds them all."""
    for dtype in (np.uint8, np.uint16, np.uint32):
        try:
            raw = text.encode(_ENCODING_OF[np.dtype(dtype).itemsize])
        except UnicodeEncodeError as error:
            if not error.encoding.startswith("latin"):
                raise lone_surrogate(text, name, error.start) from None
            continue
        codes = np.frombuffer(raw, dtype=dtype)
        if len(codes) == len(text):  # UTF-16 spends two units on a code point above U+FFFF
            return codes
    raise AssertionError("UTF-32 has one unit a code point")


def _text_of(codes: NDArray[Any]) -> str:
    return codes.tobytes().decode(_ENCODING_OF[codes.dtype.itemsize])


def _measure_lines(codes: NDArray[Any]) -> tuple[NDArray[np.int64], bool]:
    """Lengths of the lines that are not empty, and whether any begins or ends with white space."""
    ends = np.append(np.flatnonzero(codes == _NEWLINE), len(codes))
    lengths = np.diff(ends, prepend=-1) - 1
    kept = lengths > 0
    if not kept.all():
        ends, lengths = ends[kept], lengths[kept]
    white = np.zeros(0x110000, dtype=bool)
    white[_WHITESPACE] = True
    return lengths, bool(white[codes[ends - lengths]].any() or white[codes[ends - 1]].any())
