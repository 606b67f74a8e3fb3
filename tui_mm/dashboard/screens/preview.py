"""What a word list begins with, or why it cannot be used. Reads a bounded part of it; call it in a thread."""

from __future__ import annotations

import codecs
import itertools
import stat
from dataclasses import dataclass
from pathlib import Path

from data.catalog import CATALOG, STDIN, load
from data.corpus import MAX_BYTES, Corpus, CorpusError, decode_words, parse_words

_HEAD_BYTES = 1 << 16
_SHOWN_WORDS = 40
_SHOWN_CHARACTERS = 200  # of a word


@dataclass(frozen=True)
class Preview:
    """``facts``: one line; ``words``: the first ones, as they are in the list; ``fault``: why it cannot be used."""

    facts: str = ""
    words: tuple[str, ...] = ()
    fault: str = ""


def preview(source: str, datasets: Path, encoding: str) -> Preview:
    """Of a named set or a file. Never raises for what is on the disk."""
    try:
        if source in CATALOG:
            corpus = load(source, cache=datasets)
            return Preview(f"{CATALOG[source].summary}; {_count(corpus)}", _first(corpus))
        if source == STDIN:
            raise CorpusError("-: standard input is the keyboard here; give a file with one word a line")
        return _of_file(Path(source).expanduser(), source, encoding)
    except CorpusError as error:
        return Preview(fault=str(error))
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the path; a ~user that there is not
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Preview(fault=f"{source}: cannot be read ({reason}); give a readable file with one word a line")


def _of_file(path: Path, source: str, encoding: str) -> Preview:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise CorpusError(f"{source}: no such file; give a file with one word a line") from None
    if stat.S_ISDIR(found.st_mode):
        raise CorpusError(f"{source}: is a folder; give a file with one word a line")
    if not stat.S_ISREG(found.st_mode):
        raise CorpusError(f"{source}: is no plain file; give a file with one word a line")
    if found.st_size > MAX_BYTES:
        raise CorpusError(f"{source}: is larger than {MAX_BYTES >> 20} MiB, the most that is read; give a part of it")
    with path.open("rb") as file:
        raw = file.read(_HEAD_BYTES)
    if found.st_size <= len(raw):
        corpus = decode_words(raw, source, encoding)
        return Preview(f"{_size(found.st_size)}, {_count(corpus)}", _first(corpus))
    return Preview(f"{_size(found.st_size)}, begins with", _first(_decode_head(raw, source, encoding)))


def _decode_head(raw: bytes, source: str, encoding: str) -> Corpus:
    """The words of a file's beginning, which may end inside a character."""
    try:
        "a".encode(encoding)  # decoders of what is no text encoding raise what they like
        text = codecs.getincrementaldecoder(encoding)().decode(raw)
    except (LookupError, UnicodeError):
        return decode_words(raw, source, encoding)  # raises what reading the whole file would
    return parse_words(text, source)


def _first(corpus: Corpus) -> tuple[str, ...]:
    return tuple(word[:_SHOWN_CHARACTERS] for word in itertools.islice(corpus.words(), _SHOWN_WORDS))


def _count(corpus: Corpus) -> str:
    return f"{len(corpus):,} word{'s' if len(corpus) != 1 else ''}"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"
