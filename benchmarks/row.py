"""One row of the table: what was measured, against what, and whether it is enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.timing import median_or_none

_HEADINGS = ("what", "measured", "reference", "ratio", "target", "met?")
Unit = Literal["steps/s", "s", "GB", "MB", "KB/s", "bytes", "%"]


@dataclass(frozen=True)
class Target:
    """``ratio``: so many times better than the reference, at least; ``limit``: at most so much, in the row's unit;
    ``growth``: at most so many times the reference."""

    kind: Literal["ratio", "limit", "growth"]
    bound: float


@dataclass(frozen=True)
class Row:
    """repeats, reference_repeats: what each repeat measured; empty where there is no figure, or none was reached.

    ``measured`` is the repeats' median, or a higher quantile of them.
    """

    name: str
    unit: Unit
    repeats: list[float]
    reference_repeats: list[float] = field(default_factory=list)
    target: Target | None = None
    note: str = ""
    quantile: float | None = None

    @property
    def measured(self) -> float | None:
        if self.quantile is None or not self.repeats:
            return median_or_none(self.repeats)
        return sorted(self.repeats)[math.ceil(self.quantile * len(self.repeats)) - 1]

    @property
    def reference(self) -> float | None:
        return median_or_none(self.reference_repeats)

    @property
    def ratio(self) -> float | None:
        """How many times better than the reference: more steps a second, or less time."""
        if self.measured is None or self.reference is None:
            return None
        return self.measured / self.reference if self.unit == "steps/s" else self.reference / self.measured

    @property
    def met(self) -> bool | None:
        """None without a target."""
        if self.target is None:
            return None
        if self.target.kind == "ratio":
            return self.ratio is not None and self.ratio >= self.target.bound
        if self.target.kind == "growth":
            if self.measured is None or self.reference is None:
                return False
            return self.measured <= self.target.bound * self.reference
        return self.measured is not None and self.measured <= self.target.bound

    @property
    def target_text(self) -> str:
        if self.target is None:
            return ""
        if self.target.kind == "ratio":
            return f"at least {self.target.bound:g} ×"
        if self.target.kind == "growth":
            return f"at most {self.target.bound:g} × as much"
        return f"at most {self.target.bound:g} {self.unit}"

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "measured": self.measured,
            "reference": self.reference,
            "ratio": self.ratio,
            "target": self.target_text or None,
            "met": self.met,
            "note": self.note,
            "repeats": self.repeats,
            "reference_repeats": self.reference_repeats,
        }

    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        return (
            self.name,
            self._shown(self.measured, "not reached"),
            self._shown(self.reference, "–"),
            "–" if self.ratio is None else f"{self.ratio:.{1 if self.ratio >= 10 else 2 if self.ratio >= 1 else 3}f} ×",
            self.target_text or "–",
            {True: "met", False: "not met", None: "–"}[self.met],
        )

    def _shown(self, value: float | None, missing: str) -> str:
        if value is None:
            return missing
        if self.unit in ("steps/s", "bytes", "MB", "%"):
            return f"{value:,.0f} {self.unit}"
        if self.unit == "KB/s":
            return f"{value:.1f} KB/s"
        if self.unit == "s" and value < 1:
            return f"{1000 * value:.2f} ms"
        return f"{value:.3f} GB" if self.unit == "GB" else f"{value:.2f} s"


def table(rows: Sequence[Row]) -> str:
    """The rows, in Markdown."""
    return markdown(_HEADINGS, [row.cells() for row in rows])


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown whose columns are lined up."""
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)
