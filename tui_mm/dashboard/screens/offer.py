"""The question at the start while a training goes on elsewhere: to watch it, or to begin another run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_mm.dashboard.screens.ask import QuestionScreen
from tui_mm.runs.row import RunRow

_MOST = 5  # runs offered, the newest


class OfferScreen(QuestionScreen[str]):
    """Dismissed with the id of the run to be watched, or with "" for a new one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,n", "answer('new')", "A new run")]

    def __init__(self, live: Sequence[RunRow]) -> None:
        offered = live[:_MOST]
        goes_on = "A training goes on." if len(live) == 1 else f"{len(live)} trainings go on."
        more = f" The newest {_MOST} stand here; r lists all." if len(live) > _MOST else ""
        super().__init__(
            goes_on + more,
            [*((f"run-{row.id}", row.id, _line(row)) for row in offered), ("new", "", "A new run (esc)")],
            safe=f"run-{offered[0].id}",
        )

    def _fold(self) -> None:
        self.add_class("-stacked")  # the answers are long


def _line(row: RunRow) -> str:
    name = f" {row.name}" if row.name else ""
    total = f" of {row.total_steps:,}" if row.total_steps else ""
    return (
        f"Watch {row.id}{name}: {row.model} on {row.data.rpartition('/')[2]}, {row.status}, step {row.steps:,}{total}"
    )
