"""Which step engine takes which steps of a training, as text that a person can give back: ``eager:6000,compiled`` is
the eager one for the first 6,000 steps and the compiled one from there on. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

EngineName = Literal["eager", "compiled"]
AUTO = "auto"
PATTERN = r"\A(auto|(eager|compiled)(:[0-9]{1,10},(eager|compiled))*)\Z"
MAX_CHARACTERS = 2000
_NAMES = get_args(EngineName)
_PART = re.compile(r"([a-z]+)(?::([0-9]+))?")


@dataclass(frozen=True)
class EngineRecord:
    """(steps taken before, engine) pairs: the first is at 0, the numbers rise, and neighbours differ."""

    changes: tuple[tuple[int, EngineName], ...] = ((0, "eager"),)

    @classmethod
    def parse(cls, text: str) -> EngineRecord:
        """Raises ValueError for a text that is none."""
        changes: list[tuple[int, EngineName]] = []
        begin = 0
        parts = text.split(",")
        for k, part in enumerate(parts):
            match = _PART.fullmatch(part)
            if len(text) > MAX_CHARACTERS or match is None or match[1] not in _NAMES:
                raise ValueError("no record of engines")
            name: EngineName = "eager" if match[1] == "eager" else "compiled"
            if changes and changes[-1][1] == name:
                raise ValueError("an engine that changes to itself")
            changes.append((begin, name))
            if (match[2] is None) != (k == len(parts) - 1):
                raise ValueError("every engine but the last ends at a step")
            if match[2] is not None:
                if int(match[2]) <= begin:
                    raise ValueError("steps that do not rise")
                begin = int(match[2])
        return cls(tuple(changes))

    @classmethod
    def planned(cls, engine: str) -> EngineRecord:
        """What a configuration's ``engine`` asks for; ``auto`` begins with the eager one."""
        return cls() if engine == AUTO else cls.parse(engine)

    def __str__(self) -> str:
        ends = [f":{step}," for step, _ in self.changes[1:]] + [""]
        return "".join(name + end for (_, name), end in zip(self.changes, ends, strict=True))

    def at(self, step: int) -> EngineName:
        """The engine of the step that follows ``step`` others."""
        return next(name for begin, name in reversed(self.changes) if begin <= step)

    def next_change(self, step: int) -> int | None:
        """After how many steps the engine of the next one gives way to another, as far as is known."""
        return next((begin for begin, _ in self.changes if begin > step), None)

    def changed(self, step: int, name: EngineName) -> EngineRecord:
        """The same up to ``step``, and ``name`` from there on."""
        kept = [change for change in self.changes if change[0] < step]
        if not kept or kept[-1][1] != name:
            kept.append((step, name))
        return EngineRecord(tuple(kept))


def uncompiled(model_counts: bool, dropout: float) -> str:
    """Why the steps of a model cannot be compiled, in a few words; "" where they can."""
    if model_counts:
        return "a model that counts takes one step"
    if dropout:
        return "a compiled step would draw dropout's random numbers in another order"
    return ""
