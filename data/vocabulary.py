"""Characters and their ids. Id 0 is the boundary, the token before and after every word (`.` in the lectures)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.corpus import Corpus

BOUNDARY = 0
_BOUNDARY_SYMBOLS = (".", "·", "¶", "\u241e", "\ue000")
"""How the boundary is shown: the first of these that is not itself a letter of the words."""


class VocabularyError(ValueError):
    """Text with a character that the vocabulary does not hold; one line for a person."""


class Vocabulary:
    """The boundary and the distinct characters of a corpus, in code point order (lecture part 1).

    A literal ``.`` in the words gets an id of its own, apart from the boundary's.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(sorted(set(characters)))

    @classmethod
    def of(cls, corpus: Corpus) -> Vocabulary:
        seen = np.zeros(0x110000, dtype=bool)
        seen[corpus.codes] = True
        return cls(map(chr, np.flatnonzero(seen).tolist()))

    def __len__(self) -> int:
        return len(self.characters) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and other.characters == self.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest integer type that holds every id and that torch can index with after a cast."""
        size = len(self)
        return np.dtype(np.uint8 if size <= 1 << 8 else np.int16 if size <= 1 << 15 else np.int32)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters, start=1)}

    @cached_property
    def _table(self) -> NDArray[Any]:
        """Ids by code point."""
        table = np.zeros(ord(self.characters[-1]) + 1 if self.characters else 1, dtype=self.dtype)
        table[[ord(c) for c in self.characters]] = np.arange(1, len(self))
        return table

    @cached_property
    def boundary_symbol(self) -> str:
        """How the boundary is shown: ``.``, unless the words hold one."""
        others = map(chr, range(0xE001, sys.maxunicode + 1))
        return next(s for s in chain(_BOUNDARY_SYMBOLS, others) if s not in self.characters)

    def symbol(self, token: int) -> str:
        """The character of an id, for showing; the boundary has a symbol of its own."""
        return self.boundary_symbol if token == BOUNDARY else self.characters[token - 1]

    def encode_codes(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Ids of code points that all stand in the vocabulary."""
        ids: NDArray[Any] = self._table[codes]
        return ids

    def encode(self, text: str) -> list[int]:
        """Ids of a text. Raises VocabularyError for a character that was not in the words."""
        unknown = sorted({c for c in text if c not in self._ids})
        if unknown:
            allowed = self.characters if len(self.characters) <= 60 else self.characters[:60] + "..."
            raise VocabularyError(
                f"{text!r}: {', '.join(map(repr, unknown))} is not in this model's vocabulary; "
                f"allowed are the characters of its words: {allowed}"
            )
        return [self._ids[c] for c in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ids; boundaries are left out."""
        return "".join(self.characters[t - 1] for t in tokens if t != BOUNDARY)
