"""What a word list begins with, or why it cannot be used. Reads a bounded part of it; call it in a thread."""

from __future__ import annotations

import codecs
import itertools
import stat
from dataclasses import dataclass
from pathlib import Path

from data.catalog import CATALOG, FORMATS, STDIN, load
from data.corpus import MAX_BYTES, Corpus, CorpusError, Format, decode_words

_HEAD_BYTES = 1 << 16
_SHOWN_WORDS = 40
_SHOWN_CHARACTERS = 200  # of a word


@dataclass(frozen=True)
class Preview:
    """``facts``: one line; ``words``: the first ones, as they are in the list; ``fault``: why it cannot be used."""

    facts: str = ""
    words: tuple[str, ...] = ()
    fault: str = ""


def preview(source: str, datasets: Path, encoding: str, level: str = "character") -> Preview:
    """Of a named set or a file, as the words of a list or the sentences of a text. Never raises for what is on the
    disk."""
    form = FORMATS[level]
    try:
        if source in CATALOG:
            corpus = load(source, cache=datasets, level=level)
            return Preview(f"{CATALOG[source].summary}; {_count(corpus)}", _first(corpus))
        if source == STDIN:
            raise CorpusError(f"-: standard input is the keyboard here; give a file with {form.holds}")
        return _of_file(Path(source).expanduser(), source, encoding, form)
    except CorpusError as error:
        return Preview(fault=str(error))
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the path; a ~user that there is not
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Preview(fault=f"{source}: cannot be read ({reason}); give a readable file with {form.holds}")


def _of_file(path: Path, source: str, encoding: str, form: Format) -> Preview:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise CorpusError(f"{source}: no such file; give a file with {form.holds}") from None
    if stat.S_ISDIR(found.st_mode):
        raise CorpusError(f"{source}: is a folder; give a file with {form.holds}")
    if not stat.S_ISREG(found.st_mode):
        raise CorpusError(f"{source}: is no plain file; give a file with {form.holds}")
    if found.st_size > MAX_BYTES:
        raise CorpusError(f"{source}: is larger than {MAX_BYTES >> 20} MiB, the most that is read; give a part of it")
    with path.open("rb") as file:
        raw = file.read(_HEAD_BYTES)
    if found.st_size <= len(raw):
        corpus = decode_words(raw, source, encoding, form)
        return Preview(f"{_size(found.st_size)}, {_count(corpus)}", _first(corpus))
    return Preview(f"{_size(found.st_size)}, begins with", _first(_decode_head(raw, source, encoding, form)))


def _decode_head(raw: bytes, source: str, encoding: str, form: Format) -> Corpus:
    """The words of a file's beginning, which may end inside a character."""
    try:
        "a".encode(encoding)  # decoders of what is no text encoding raise what they like
        text = codecs.getincrementaldecoder(encoding)().decode(raw)
    except (LookupError, UnicodeError):
        return decode_words(raw, source, encoding, form)  # raises what reading the whole file would
    return form.parse(text, source)


def _first(corpus: Corpus) -> tuple[str, ...]:
    return tuple(word[:_SHOWN_CHARACTERS] for word in itertools.islice(corpus.words(), _SHOWN_WORDS))


def _count(corpus: Corpus) -> str:
    return f"{len(corpus):,} {corpus.level.rows if len(corpus) != 1 else corpus.level.row}"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"
