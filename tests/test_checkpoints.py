"""Checkpoints: whole or not at all, exact, and never pickle."""

from __future__ import annotations

import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.runs import checkpoints
from tui_mm.runs.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from tui_mm.runs.home import RunError


def example() -> Checkpoint:
    rng = np.random.default_rng(0)
    arrays = {
        "model.W": rng.normal(size=(3, 4)).astype(np.float32),
        "optimizer.step": np.array(3.0, np.float32),
        "model.counts": rng.integers(0, 9, (4, 4)),
        "generator": rng.integers(0, 256, 100).astype(np.uint8),
    }
    return Checkpoint(arrays, {"trainer": {"step": 3, "loss": float("nan")}, "vocabulary": "aé李👍"})


def test_it_comes_back_to_the_bit(tmp_path: Path) -> None:
    kept = example()
    save_checkpoint(tmp_path / "last.safetensors", kept)
    found = load_checkpoint(tmp_path / "last.safetensors")
    assert found.arrays.keys() == kept.arrays.keys()
    for name, array in kept.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)
    assert found.values["vocabulary"] == "aé李👍"
    assert found.values["trainer"]["step"] == 3


def test_it_is_the_owners_alone_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, example())
    save_checkpoint(path, example())
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_one(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, example())
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    target = {"write": (checkpoints.os, "fdopen"), "fsync": (checkpoints.os, "fsync"), "replace": (Path, "replace")}
    monkeypatch.setattr(*target[step], fail)
    with pytest.raises(RunError, match="the disk is full"):
        save_checkpoint(path, Checkpoint({"x": np.zeros(5)}, {}))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


def test_what_is_no_checkpoint_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    with pytest.raises(RunError, match="no such checkpoint"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps({"step": 3}))
    with pytest.raises(RunError, match="damaged or no checkpoint"):
        load_checkpoint(path)
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(RunError, match="damaged or no checkpoint"):
        load_checkpoint(path)
    save_file({"x": np.zeros(3)}, path, metadata={"makemore-tui": '{"format": 99}'})
    with pytest.raises(RunError, match="another version"):
        load_checkpoint(path)


@given(data=st.data())
def test_any_damage_is_one_clear_line_or_a_checkpoint(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("checkpoint") / "last.safetensors"
    save_checkpoint(path, example())
    raw = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    else:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        load_checkpoint(path)
    except RunError as error:
        assert "\n" not in str(error)
