"""The record of which engine took which steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.config import ConfigError, make_config
from tui_mm.engine_record import EngineRecord

RECORDS = st.builds(
    lambda first, steps: EngineRecord(
        tuple((step, ("eager", "compiled")[(first + k) % 2]) for k, step in enumerate([0, *sorted(steps)]))
    ),
    st.integers(0, 1),
    st.sets(st.integers(1, 10**9), max_size=20),
)


def test_a_record_as_text() -> None:
    record = EngineRecord(((0, "eager"), (6000, "compiled"), (9000, "eager")))
    assert str(record) == "eager:6000,compiled:9000,eager"
    assert str(EngineRecord()) == "eager"
    assert str(EngineRecord.planned("auto")) == "eager", "auto begins with the engine that needs no compiler"
    assert str(EngineRecord.planned("compiled")) == "compiled"


@given(RECORDS)
def test_the_text_gives_the_record_again(record: EngineRecord) -> None:
    assert EngineRecord.parse(str(record)) == record
    assert make_config(flags={"engine": str(record)}).engine == str(record)


@given(RECORDS, st.integers(0, 10**9))
def test_at_and_next_change_agree(record: EngineRecord, step: int) -> None:
    change = record.next_change(step)
    if change is None:
        assert record.at(step) == record.at(10**10)
    else:
        assert change > step
        assert record.at(change - 1) == record.at(step) != record.at(change)


@given(RECORDS, st.integers(0, 10**9), st.sampled_from(["eager", "compiled"]))
def test_a_change_keeps_what_was_before(record: EngineRecord, step: int, name: str) -> None:
    changed = record.changed(step, name)  # type: ignore[arg-type]
    assert changed.at(step) == name
    assert changed.next_change(step) is None
    assert EngineRecord.parse(str(changed)) == changed
    if step:
        assert changed.at(step - 1) == record.at(step - 1)


@pytest.mark.parametrize(
    "text",
    ["", "fast", "eager:5", "eager,compiled", "compiled:5,compiled", "eager:5,compiled:5,eager", "eager:0,compiled",
     "eager:9,compiled:3,eager", "eager:-1,compiled", "eager:5,compiled,", "auto:5,compiled", "eager:٣,compiled",
     ",".join(f"{('eager', 'compiled')[k % 2]}:{k + 1}" for k in range(200)) + ",eager"],
)  # fmt: skip
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        EngineRecord.parse(text)
    with pytest.raises(ConfigError, match="engine"):
        make_config(flags={"engine": text})


def test_a_model_with_dropout_is_not_compiled() -> None:
    with pytest.raises(ConfigError, match=r"engine: compiled is not allowed \(a compiled step .* dropout"):
        make_config(flags={"engine": "compiled", "dropout": 0.1})
    assert make_config(flags={"engine": "auto", "dropout": 0.1}).engine == "auto"
    assert make_config(flags={"engine": "compiled", "model": "bigram"}).engine == "compiled", "it is not used there"
