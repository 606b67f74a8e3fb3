"""Named data sets: bundled with the program, downloadable, or any file."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from data.corpus import MAX_BYTES, WORD_LIST, Corpus, CorpusError, decode_words, read_stdin, read_words
from data.levels import LEVELS, WORD
from data.text import TEXT

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


FORMATS = {level: TEXT if level == WORD.name else WORD_LIST for level in LEVELS}
"""By level, what a file is read as."""


def load(source: str, *, cache: Path, encoding: str = "utf-8", level: str = "character") -> Corpus:
    """A corpus by the name of a set, the path of a file, or ``-`` for standard input.

    A set's name wins over a file of that name (write ``./names`` for the file).
    Raises CorpusError, one line that says what to do.
    """
    form = FORMATS[level]
    if source == STDIN:
        return read_stdin(encoding, form)
    item = CATALOG.get(source)
    if item is None:
        try:
            path = Path(source).expanduser()
        except RuntimeError:  # a ~user that there is not
            path = Path(source)
        return read_words(path, source, encoding, form)
    if form is not WORD_LIST:
        raise CorpusError(
            f"{item.name}: is a list of words, and --level word learns from sentences; give --data a file with "
            f"{form.holds}"
        )
    if not item.url:
        return decode_words((resources.files("data") / f"{item.name}.txt").read_bytes(), item.name)
    path = cached_path(item, cache)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(
            f"{item.name}: is not on this machine yet; run 'makemore-tui data fetch {item.name}', "
            f"or put the file at {path}"
        ) from None
    except OSError as error:
        raise CorpusError(
            f"{item.name}: {path} cannot be read ({error.strerror or error}); delete it and fetch it again"
        ) from None
    _verify(item, raw, str(path), "delete it and fetch it again")
    return decode_words(raw, item.name)


def fetch(name: str, *, cache: Path) -> Path:
    """Download a set into ``cache`` unless a good copy is there; returns its path.

    Raises CorpusError when there is no such set, no network, the file is not the one expected, or it cannot be kept.
    """
    item = CATALOG.get(name)
    if item is None or not item.url:
        allowed = ", ".join(i.name for i in CATALOG.values() if i.url)
        raise CorpusError(f"{name}: is not a set to download; allowed: {allowed}")
    path = cached_path(item, cache)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == item.sha256:
        return path
    import http.client  # only here: a start need not wait for them
    import urllib.request

    by_hand = f"download {item.url} by hand and put it at {path}"
    try:
        with urllib.request.urlopen(item.url, timeout=_TIMEOUT_S) as response:
            raw = response.read(MAX_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        reason = getattr(error, "reason", None) or error
        raise CorpusError(f"{name}: could not be downloaded ({reason}); {by_hand}") from None
    _verify(item, raw, item.url, by_hand)
    try:
        for folder in [*reversed(cache.parents), cache]:
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                folder.chmod(0o700)  # the umask may have taken away more
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as part:
            os.fchmod(part.fileno(), 0o600)  # the umask may have taken away more
            part.write(raw)
        Path(part.name).replace(path)
    except OSError as error:
        raise CorpusError(f"{name}: cannot be kept at {path} ({error.strerror or error}); make room for it") from None
    return path


def _verify(item: NamedSet, raw: bytes, where: str, remedy: str) -> None:
    found = hashlib.sha256(raw).hexdigest()
    if found != item.sha256:
        raise CorpusError(
            f"{item.name}: {where} is not the expected file (sha256 {found[:12]}..., "
            f"expected {item.sha256[:12]}...); {remedy}"
        )
