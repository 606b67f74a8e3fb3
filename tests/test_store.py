"""The run store: nothing lost, nothing double, nothing half."""

from __future__ import annotations

import math
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.runs.home import RunError
from tui_mm.runs.store import EvaluationRow, LossChunk, RunStore, SampleRow


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run.db", create=True)


def chunk(first: int, count: int) -> LossChunk:
    return LossChunk(first, np.arange(first, first + count, dtype=np.float32), 0.1, first + count, first + count)


def test_meta_keeps_what_json_holds(store: RunStore) -> None:
    store.set(a=1, b={"c": [1, None, "é"]}, d=None)
    store.set(a=2)
    assert store.meta() == {"a": 2, "b": {"c": [1, None, "é"]}, "d": None}
    assert store.get("missing", 7) == 7


def test_every_steps_loss_comes_back_to_the_bit(store: RunStore) -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=n).astype(np.float32) for n in (1, 300, 7)]
    parts[1][5] = np.nan
    parts[2][0] = np.inf
    first = 1
    for part in parts:
        store.add_losses(LossChunk(first, part, 0.1, 1.0, 2.0))
        first += len(part)
    assert np.array_equal(store.losses(), np.concatenate(parts), equal_nan=True)
    last = store.last_chunk()
    assert last is not None
    assert (last.first_step, last.lr, last.seconds) == (302, 0.1, 2.0)
    assert [c.first_step for c in store.loss_chunks(after_step=1)] == [2, 302]


def test_missing_and_double_steps_are_noticed(store: RunStore) -> None:
    store.add_losses(chunk(1, 5))
    with pytest.raises(RunError, match="UNIQUE"):
        store.add_losses(chunk(1, 5))
    store.add_losses(chunk(8, 5))
    with pytest.raises(RunError, match="expected step 6"):
        store.losses()


def test_evaluations_keep_nan_infinity_and_none_apart(store: RunStore) -> None:
    rows = [
        EvaluationRow(0, 3.3, None, False, 0.1),
        EvaluationRow(1, math.nan, math.nan, False, 0.2),
        EvaluationRow(2, math.inf, 2.5, True, 0.3),
    ]
    for row in rows:
        store.add_evaluation(row)
    found = store.evaluations()
    assert found[0] == rows[0]
    assert math.isnan(found[1].train)
    assert found[1].dev is not None
    assert math.isnan(found[1].dev)
    assert found[2] == rows[2]


def test_samples_replace_those_of_their_step(store: RunStore) -> None:
    store.set_samples(5, [SampleRow("old", None)])
    store.set_samples(5, [SampleRow("emma", "train"), SampleRow("zzq", None)])
    store.set_samples(3, [SampleRow("earlier", None)])
    assert store.samples() == [SampleRow("emma", "train"), SampleRow("zzq", None)]
    assert store.samples(3) == [SampleRow("earlier", None)]


def test_snapshots_come_back_by_kind_and_in_order(store: RunStore) -> None:
    assert store.last_snapshot() is None
    for step in (0, 20, 9):
        store.add_snapshot(step, "names", ["é", str(step)])
    store.add_snapshot(30, "layers", {"a": None})
    assert store.snapshots("names") == [(0, ["é", "0"]), (9, ["é", "9"]), (20, ["é", "20"])]
    assert store.snapshots("names", after_step=9) == [(20, ["é", "20"])]
    assert store.snapshots("layers") == [(30, {"a": None})]
    assert store.last_snapshot() == 30
    with pytest.raises(RunError, match="UNIQUE"):
        store.add_snapshot(9, "names", [])
    with pytest.raises(ValueError, match="JSON"):
        store.add_snapshot(10, "names", [math.nan])


def test_snapshots_are_truncated_with_the_evaluations(store: RunStore) -> None:
    for step in (0, 20, 40):
        store.add_snapshot(step, "names", [])
    store.truncate(step=40, evaluated_at=20)  # stopped before the evaluation that comes after step 40
    assert [step for step, _ in store.snapshots("names")] == [0, 20]
    store.truncate(0, -1)
    assert store.snapshots("names") == []


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_older_version_is_gone_on_with(version: int, store: RunStore) -> None:
    store.add_losses(chunk(1, 4))
    store.add_event(0, "started", "started")
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute("ALTER TABLE events DROP COLUMN sender")
        if version == 1:
            db.execute("DROP TABLE snapshots")
        db.execute(f"PRAGMA user_version={version}")
    with RunStore(store.path) as first, RunStore(store.path) as second:
        first.add_snapshot(2, "names", ["a"])
        assert second.snapshots("names") == [(2, ["a"])]
        assert len(second.losses()) == 4
        second.add_event(3, "lr", "lr 0.1", "somebody")
        assert [(e.message, e.sender) for e in first.events()] == [("started", ""), ("lr 0.1", "somebody")]
    with sqlite3.connect(store.path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)


def test_an_older_store_that_two_open_at_once_is_upgraded_once(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute("ALTER TABLE events DROP COLUMN sender")
        db.execute("PRAGMA user_version=2")
    make = RunStore._make

    def while_another_does(self: RunStore, tables: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(RunStore, "_make", make)
            RunStore(store.path).close()
        make(self, tables)

    monkeypatch.setattr(RunStore, "_make", while_another_does)
    with RunStore(store.path) as late:
        late.add_event(0, "a", "one", "me")
        assert late.events()[0].sender == "me"


def test_outdated_commands_are_the_answered_ones_beyond_the_newest(store: RunStore) -> None:
    numbers = [store.put_command("me", "pause", {}) for _ in range(210)]
    for number in numbers:
        if number not in (3, 7):
            store.answer_command(number, {"n": number})
    assert store.outdated_commands() == [n for n in numbers[:10] if n not in (3, 7)]
    store.delete_commands(store.outdated_commands())
    assert [row.id for row in store.open_commands()] == [3, 7]
    assert store.answer(numbers[10]) == {"n": numbers[10]}
    assert store.outdated_commands() == []
    with pytest.raises(RunError, match="no command 1"):
        store.answer(1)


def test_events_come_in_order(store: RunStore) -> None:
    store.add_event(1, "a", "one")
    store.add_event(2, "b", "two")
    assert [(e.step, e.kind, e.message) for e in store.events()] == [(1, "a", "one"), (2, "b", "two")]
    assert [e.message for e in store.events(after=1)] == ["two"]


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=8), step=st.integers(0, 420))
def test_truncating_keeps_exactly_the_steps_up_to_it(
    sizes: list[int], step: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with RunStore(tmp_path_factory.mktemp("store") / "run.db", create=True) as store:
        first = 1
        for size in sizes:
            store.add_losses(chunk(first, size))
            store.add_evaluation(EvaluationRow(first, 1.0, None, False, 0.0))
            first += size
        total = first - 1
        starts = [e.step for e in store.evaluations()]
        store.truncate(step, step)
        kept = min(step, total)
        assert np.array_equal(store.losses(), np.arange(1, kept + 1, dtype=np.float32))
        assert [e.step for e in store.evaluations()] == [s for s in starts if s <= step]
        store.add_losses(chunk(kept + 1, 3))
        assert len(store.losses()) == kept + 3


def test_a_transaction_is_kept_whole_or_not_at_all(store: RunStore) -> None:
    with pytest.raises(KeyError), store.transaction():
        store.set(a=1)
        raise KeyError
    assert store.get("a") is None
    with store.transaction():
        store.set(a=1)
    assert store.get("a") == 1


def test_counting_up_is_safe_between_connections(store: RunStore) -> None:
    with RunStore(store.path) as other:
        assert [s.increment("n") for s in (store, other, store)] == [1, 2, 3]


def test_a_second_reader_sees_what_is_written(store: RunStore) -> None:
    with RunStore(store.path) as viewer:
        store.add_losses(chunk(1, 4))
        assert len(viewer.losses()) == 4


def test_the_file_is_its_owners_alone(store: RunStore) -> None:
    store.set(a=1)
    for path in store.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_bad_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run store"):
        RunStore(tmp_path / "none.db")
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database, not at all, whatever one calls it" * 100)
    with pytest.raises(RunError, match=r"garbage\.db"):
        RunStore(garbage)
    newer = tmp_path / "newer.db"
    RunStore(newer, create=True).close()
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(RunError, match="version 99"):
        RunStore(newer)


def test_garbage_inside_is_one_clear_line(store: RunStore) -> None:
    store.set(a=1)
    store.add_losses(chunk(1, 4))
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE meta SET value = '{'")
        db.execute("UPDATE losses SET data = x'010203'")
    with RunStore(store.path) as damaged:
        with pytest.raises(RunError, match="not JSON"):
            damaged.get("a")
        with pytest.raises(RunError, match="cannot be read"):
            damaged.losses()


def test_a_truncated_file_is_one_clear_line(store: RunStore) -> None:
    for first in range(1, 20_001, 1000):
        store.add_losses(chunk(first, 1000))
    store.close()
    raw = store.path.read_bytes()
    store.path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(RunError), RunStore(store.path) as cut:
        cut.losses()
