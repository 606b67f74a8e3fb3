"""Named data sets: bundled with the program, downloadable, or any file."""

from __future__ import annotations

import hashlib
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from data.corpus import MAX_BYTES, Corpus, CorpusError, decode_words, read_stdin, read_words

STDIN = "-"
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class NamedSet:
    """A data set with a name. ``url`` and ``sha256`` are empty for what is bundled."""

    name: str
    summary: str
    url: str = ""
    sha256: str = ""


CATALOG = {
    item.name: item
    for item in (
        NamedSet("names", "given names from many languages, bundled with the program"),
        NamedSet(
            "lecture-names",
            "the makemore lectures' names.txt (32,033 names), downloaded once",
            url="https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
            sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        ),
    )
}


def cached_path(item: NamedSet, cache: Path) -> Path:
    """Where a downloadable set is kept."""
    return cache / f"{item.name}.txt"


def load(source: str, *, cache: Path, encoding: str = "utf-8") -> Corpus:
    """A corpus by the name of a set, the path of a file, or ``-`` for standard input.

    A set's name wins over a file of that name (write ``./names`` for the file).
    Raises CorpusError, one line that says what to do.
    """
    if source == STDIN:
        return read_stdin(encoding)
    item = CATALOG.get(source)
    if item is None:
        return read_words(Path(source).expanduser(), source, encoding)
    if not item.url:
        return decode_words((resources.files("data") / f"{item.name}.txt").read_bytes(), item.name)
    path = cached_path(item, cache)
    if not path.exists():
        raise CorpusError(
            f"{item.name}: is not on this machine yet; run 'makemore-tui data fetch {item.name}', "
            f"or put the file at {path}"
        )
    corpus_bytes = path.read_bytes()
    _verify(item, corpus_bytes, str(path), "delete it and fetch it again")
    return decode_words(corpus_bytes, item.name)


def fetch(name: str, *, cache: Path) -> Path:
    """Download a set into ``cache`` unless a good copy is there; returns its path.

    Raises CorpusError when there is no such set, no network, or the file is not the one expected.
    """
    item = CATALOG.get(name)
    if item is None or not item.url:
        allowed = ", ".join(i.name for i in CATALOG.values() if i.url)
        raise CorpusError(f"{name}: is not a set to download; allowed: {allowed}")
    path = cached_path(item, cache)
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == item.sha256:
        return path
    by_hand = f"download {item.url} by hand and put it at {path}"
    try:
        with urllib.request.urlopen(item.url, timeout=_TIMEOUT_S) as response:
            raw = response.read(MAX_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise CorpusError(f"{name}: could not be downloaded ({reason}); {by_hand}") from None
    _verify(item, raw, item.url, by_hand)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as part:
        part.write(raw)
    Path(part.name).replace(path)
    return path


def _verify(item: NamedSet, raw: bytes, where: str, remedy: str) -> None:
    found = hashlib.sha256(raw).hexdigest()
    if found != item.sha256:
        raise CorpusError(
            f"{item.name}: {where} is not the expected file (sha256 {found[:12]}..., "
            f"expected {item.sha256[:12]}...); {remedy}"
        )
