"""The folder of compiled programs: its user's alone, whatever stands in it."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest

from tests.conftest import Promise
from tests.test_compiled_engine import ROWS, V, config_of
from tui_mm.compiler import cache as cache_module
from tui_mm.compiler.cache import CacheError, ProgramCache
from tui_mm.compiler.compilation import Compilation
from tui_mm.compiler.request import Request, request_for
from tui_mm.training.engines.base import EngineError


@pytest.fixture
def cache(tmp_path: Path) -> ProgramCache:
    found = ProgramCache(tmp_path / "cache" / "programs")
    found.make()
    return found


PROMISE = "a compiled program that others own or could have written, or a link to one, is not loaded"


def kept(cache: ProgramCache, name: str, content: bytes = b"no library") -> Path:
    made = cache.build_folder() / "program.so"
    made.write_bytes(content)
    cache.keep(made, name)
    return cache.path(name)


def test_a_program_is_kept_for_its_user_alone(cache: ProgramCache) -> None:
    assert cache.find_program("a") is None
    path = kept(cache, "a")
    assert cache.find_program("a") == path
    assert [oct(p.stat().st_mode)[-3:] for p in (path, cache.folder)] == ["600", "700"]


def test_it_stands_in_the_cache_and_not_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home may come from elsewhere; a program never does."""
    assert not ProgramCache.find().folder.is_relative_to(os.environ["MAKEMORE_HOME"])
    monkeypatch.delenv("MAKEMORE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert "makemore-tui" in ProgramCache.find().folder.parts


@pytest.mark.parametrize("which", ["file", "folder"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_could_write_is_not_loaded(cache: ProgramCache, which: str, mode: int, promised: Promise) -> None:
    path = kept(cache, "a")
    changed = path if which == "file" else cache.folder
    changed.chmod(changed.stat().st_mode | mode)
    with pytest.raises(CacheError, match="can be written by others, and is not used"):
        cache.find_program("a")
    promised(PROMISE, tried=1, lost=0)


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_another_user_owns_is_not_loaded(
    cache: ProgramCache, which: str, monkeypatch: pytest.MonkeyPatch, promised: Promise
) -> None:
    path = kept(cache, "a")
    own = os.getuid()
    if which == "file":
        real = Path.lstat

        def lstat(self: Path) -> os.stat_result:
            found = list(real(self))
            if self == path:
                found[4] += 1
            return os.stat_result(found)

        monkeypatch.setattr(Path, "lstat", lstat)
    else:
        monkeypatch.setattr(os, "getuid", lambda: own + 1)
    with pytest.raises(CacheError, match="belongs to another user"):
        cache.find_program("a")
    promised(PROMISE, tried=1, lost=0)


def test_a_link_is_not_followed(cache: ProgramCache, tmp_path: Path, promised: Promise) -> None:
    elsewhere = tmp_path / "elsewhere.so"
    elsewhere.write_bytes(b"library")
    cache.path("a").symlink_to(elsewhere)
    with pytest.raises(CacheError, match="is not what this program keeps there"):
        cache.find_program("a")
    other = ProgramCache(tmp_path / "linked")
    other.folder.symlink_to(cache.folder)
    with pytest.raises(CacheError, match="is not what this program keeps there"):
        other.make()
    promised(PROMISE, tried=2, lost=0)


def test_the_longest_unused_make_room(cache: ProgramCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_MOST_KEPT", 3)
    for k, name in enumerate("abc"):
        os.utime(kept(cache, name), (k, k))
    assert cache.find_program("a") is not None, "and is used now"
    kept(cache, "d")
    assert sorted(path.stem for path in cache.folder.glob("*.so")) == ["a", "c", "d"]


def test_what_a_killed_compilation_left_goes_after_an_hour(cache: ProgramCache) -> None:
    old, new = cache.build_folder(), cache.build_folder()
    (old / "file").write_text("x")
    os.utime(old, (time.time() - 4000,) * 2)
    cache.build_folder()
    assert not old.exists()
    assert new.exists()


def request() -> Request:
    return request_for(config_of("mlp"), V, 4, ROWS, 4)


def test_a_program_that_is_no_library_is_told_in_a_line(cache: ProgramCache) -> None:
    path = kept(cache, request().name())
    with pytest.raises(EngineError, match=r"cannot be loaded") as caught:
        Compilation(request(), cache).poll(1e9)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEMORE_COMPILE", "yes")
    monkeypatch.setenv("CXX", "sh")  # is there
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot be made"):
        Compilation(request(), ProgramCache(tmp_path / "file" / "programs")).poll(1e9)


def test_nothing_is_compiled_where_that_was_said(cache: ProgramCache) -> None:
    """Without a word, unless a training waits for it."""
    compilation = Compilation(request(), cache)
    assert compilation.poll(1e9) is None
    assert list(cache.folder.iterdir()) == []
    with pytest.raises(EngineError, match="MAKEMORE_COMPILE says not to compile"):
        compilation.poll(math.inf)


def test_no_compiler_is_started_for_a_short_rest(cache: ProgramCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEMORE_COMPILE", "yes")
    compilation = Compilation(request(), cache)
    for _ in range(3):
        assert compilation.poll(5.0) is None
    assert list(cache.folder.iterdir()) == []
