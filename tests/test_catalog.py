"""Named sets: bundled, downloaded, a file or standard input. Nothing here touches the network."""

from __future__ import annotations

import hashlib
import http.client
import io
import stat
import string
import urllib.error
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from data.catalog import CATALOG, NamedSet, cached_path, fetch, load
from data.corpus import Corpus, CorpusError

GOOD = b"emma\nolivia\nava"
SMALL = NamedSet("small", "three names", "https://example.invalid/small.txt", hashlib.sha256(GOOD).hexdigest())


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "home" / "datasets"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> NamedSet:
    """A set to download whose content is known here."""
    monkeypatch.setitem(CATALOG, SMALL.name, SMALL)
    return SMALL


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A network without servers; the addresses that were asked."""
    asked: list[str] = []

    def refuse(url: str, **_: object) -> io.BytesIO:
        asked.append(url)
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    return asked


def serve(monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception) -> list[str]:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        assert 0 < timeout < 120
        asked.append(url)
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return asked


def complaint(call: Callable[[], object]) -> str:
    with pytest.raises(CorpusError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- bundled


def test_the_bundled_names_are_thousands_of_lower_case_names(cache: Path, network: list[str]) -> None:
    corpus = load("names", cache=cache)
    words = list(corpus.words())
    assert len(set(words)) >= 8_000
    assert set("".join(words)) == set(string.ascii_lowercase)
    assert corpus.lengths.min() >= 2
    assert corpus.lengths.max() <= 15
    assert corpus.name == "names"
    assert not network
    assert not cache.exists()


def test_the_bundled_names_are_read_as_they_are_written(cache: Path) -> None:
    assert load("names", cache=cache, encoding="utf-16").sha256 == load("names", cache=cache).sha256


def test_a_named_set_wins_over_a_file_of_its_name(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names").write_text("my own\n", encoding="utf-8")
    assert "my own" not in set(load("names", cache=cache).words())
    assert list(load("./names", cache=cache).words()) == ["my own"]


# --- files and standard input


def test_a_path_is_read_as_a_file(words_file: Path, cache: Path) -> None:
    corpus = load(str(words_file), cache=cache)
    assert list(corpus.words()) == words_file.read_text(encoding="utf-8").split()
    assert corpus.name == str(words_file)


def test_a_file_is_read_in_its_encoding(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("zoë\n".encode("latin-1"))
    assert list(load(str(path), cache=cache, encoding="latin-1").words()) == ["zoë"]


def test_a_tilde_is_the_home_folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.txt").write_text("ava\n", encoding="utf-8")
    assert list(load("~/mine.txt", cache=cache).words()) == ["ava"]


def test_a_missing_file_is_named_with_the_other_ways(cache: Path) -> None:
    message = complaint(lambda: load("nowhere.txt", cache=cache))
    assert message.startswith("nowhere.txt: no such file")
    assert "makemore-tui data show" in message


def test_a_dash_is_standard_input(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"emma\r\nava\r\n")))
    assert list(load("-", cache=cache).words()) == ["emma", "ava"]


def test_empty_standard_input_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    assert complaint(lambda: load("-", cache=cache)).startswith("standard input: is empty")


# --- a set that is downloaded


def test_an_absent_set_is_named_with_the_command_and_the_file(cache: Path, network: list[str]) -> None:
    message = complaint(lambda: load("lecture-names", cache=cache))
    assert message.startswith("lecture-names: is not on this machine yet")
    assert "makemore-tui data fetch lecture-names" in message
    assert str(cache / "lecture-names.txt") in message
    assert not network  # nothing is downloaded unasked


def test_a_fetched_set_is_kept_and_loads(small: NamedSet, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, GOOD)
    path = fetch("small", cache=cache)
    assert asked == [small.url]
    assert path == cached_path(small, cache)
    assert path.read_bytes() == GOOD
    assert [p.name for p in cache.iterdir()] == ["small.txt"]
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    corpus = load("small", cache=cache)
    assert list(corpus.words()) == ["emma", "olivia", "ava"]
    assert corpus.name == "small"


@pytest.mark.usefixtures("small")
def test_a_set_is_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, GOOD)
    assert fetch("small", cache=cache) == fetch("small", cache=cache)
    assert len(asked) == 1


def test_a_damaged_copy_is_named_by_load_and_replaced_by_fetch(
    small: NamedSet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cached_path(small, cache)
    cache.mkdir(parents=True)
    path.write_bytes(GOOD[:-1])
    message = complaint(lambda: load("small", cache=cache))
    assert message.startswith(f"small: {path} is not the expected file")
    assert "delete it and fetch it again" in message
    serve(monkeypatch, GOOD)
    assert fetch("small", cache=cache).read_bytes() == GOOD


def test_a_download_with_other_content_is_refused_and_not_kept(
    small: NamedSet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, b"<html>log in first</html>")
    message = complaint(lambda: fetch("small", cache=cache))
    assert message.startswith(f"small: {small.url} is not the expected file")
    assert small.sha256[:12] in message
    assert hashlib.sha256(b"<html>log in first</html>").hexdigest()[:12] in message
    assert not cached_path(small, cache).exists()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (urllib.error.URLError("no route to host"), "no route to host"),
        (urllib.error.HTTPError("u", 404, "Not Found", http.client.HTTPMessage(), None), "Not Found"),
        (TimeoutError("timed out"), "timed out"),
        (ConnectionResetError(104, "reset by peer"), "reset by peer"),
        (http.client.BadStatusLine("nonsense"), "nonsense"),
        (http.client.IncompleteRead(b"em", 5), "IncompleteRead"),
    ],
)
def test_a_failed_download_names_the_reason_the_address_and_the_file(
    small: NamedSet, cache: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, reason: str
) -> None:
    serve(monkeypatch, failure)
    message = complaint(lambda: fetch("small", cache=cache))
    assert message.startswith("small: could not be downloaded")
    assert reason in message
    assert small.url in message
    assert str(cached_path(small, cache)) in message
    assert not cached_path(small, cache).exists()


@pytest.mark.parametrize("name", ["names", "nonsense", ""])
def test_what_is_not_downloadable_is_told_what_is(cache: Path, name: str, network: list[str]) -> None:
    message = complaint(lambda: fetch(name, cache=cache))
    assert message == f"{name}: is not a set to download; allowed: lecture-names"
    assert not network


@pytest.mark.usefixtures("small")
def test_a_cache_that_cannot_be_written_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, GOOD)
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be", encoding="utf-8")
    message = complaint(lambda: fetch("small", cache=cache))
    assert message.startswith(f"small: cannot be kept at {cache / 'small.txt'} (File exists)")


def test_a_cached_copy_that_cannot_be_read_is_named(small: NamedSet, cache: Path) -> None:
    path = cached_path(small, cache)
    path.mkdir(parents=True)
    assert complaint(lambda: load("small", cache=cache)).startswith(f"small: {path} cannot be read (Is a directory)")


def test_the_lectures_list_is_fetched_checked_and_loaded(
    lecture: Corpus, lecture_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, lecture_path.read_bytes())
    fetch("lecture-names", cache=cache)
    assert asked == ["https://raw.githubusercontent.com/karpathy/makemore/master/names.txt"]
    assert load("lecture-names", cache=cache).sha256 == lecture.sha256
