"""The benchmark of a long training watches both processes, and says what grew; how much, no test asks."""

from __future__ import annotations

import json

import pytest

from benchmarks.long import Long, Moment, main, rows_of, way

MOMENTS = [Moment(20_000, 4.0, 280_000_000, 70_000_000), Moment(2_000_000, 404.0, 290_000_000, 84_000_000)]


def test_a_training_is_followed_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"machine", "load_before", "quick", "moments", "rows"}
    moments = answer["moments"]
    assert moments[-1]["steps"] == 2_000
    steps, seconds = ([moment[name] for moment in moments] for name in ("steps", "seconds"))
    assert steps == sorted(steps) and seconds == sorted(seconds)
    assert all(moment["worker"] > 100_000_000 > moment["dashboard"] // 2 > 5_000_000 for moment in moments)
    worker, dashboard, store, time = answer["rows"]
    assert worker["measured"] == moments[-1]["worker"] / 1e6
    assert dashboard["reference"] == moments[0]["dashboard"] / 1e6
    assert store["measured"] * 1e6 > 4 * 2_000, "four bytes a loss, at least"
    assert time["measured"] == moments[-1]["seconds"]


def test_what_grew_is_said() -> None:
    rows = rows_of(Long(MOMENTS, 2_000_000, 10_000, 10_000_000, 12_500_000))
    assert [row.name.split(",")[0] for row in rows] == [
        "memory of the worker",
        "memory of the dashboard",
        "store",
        "time",
    ]
    assert [row.met for row in rows] == [True, False, None, None]
    assert "5.0 bytes a step" in rows[2].note and "12.5 MB" in rows[2].note
    assert "4,950 steps/s" in rows[3].note
    assert way(MOMENTS).split("\n")[2] == "| 20,000    | 4 s   | 280.0 MB | 70.0 MB   |"


@pytest.mark.parametrize("steps", ["39999", "-5", "many"])
def test_too_few_steps_are_refused(steps: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--steps", steps])
    assert stopped.value.code == 2
    assert "give a whole number from 40,000 on" in capsys.readouterr().err
