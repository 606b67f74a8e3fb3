"""The two levels of a language model: what it predicts, and what a row of its predictions makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LevelName = Literal["character", "word"]


@dataclass(frozen=True)
class Level:
    """How things are called at a level.

    unit, units: what one prediction is of; letters: the same where a person would say so
    row, rows: what the boundary ends, which a corpus is a list of
    sample, samples: what a model draws
    holds: what a file of that level has in it
    """

    name: LevelName
    unit: str
    units: str
    letters: str
    row: str
    rows: str
    sample: str
    samples: str
    holds: str


CHARACTER = Level(
    "character", "character", "characters", "letters", "word", "words", "name", "names", "one word a line"
)
WORD = Level("word", "word", "words", "words", "sentence", "sentences", "sentence", "sentences", "plain text")
LEVELS: dict[str, Level] = {level.name: level for level in (CHARACTER, WORD)}
