"""Characters and their ids. Id 0 is the boundary, the token before and after every word (`.` in the lectures)."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from data.corpus import Corpus
from data.levels import CHARACTER, Level

BOUNDARY = 0
_BOUNDARY_SYMBOLS = (".", "·", "¶", "\u241e")
"""How the boundary is shown: the first of these that is not itself a letter of the words."""


class VocabularyError(ValueError):
    """Text with a character that the vocabulary does not hold; one line for a person."""


class Vocabulary:
    """The boundary and the distinct characters of a corpus, in code point order (lecture part 1).

    A literal ``.`` in the words gets an id of its own, apart from the boundary's.
    """

    level: ClassVar[Level] = CHARACTER

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(sorted(set(characters)))

    @classmethod
    def of(cls, corpus: Corpus) -> Vocabulary:
        seen = np.zeros(0x110000, dtype=bool)
        seen[corpus.codes] = True
        return cls(map(chr, np.flatnonzero(seen).tolist()))

    @property
    def entries(self) -> str:
        """What a checkpoint keeps, from which ``vocabulary_from`` makes the same again."""
        return self.characters

    def __len__(self) -> int:
        return len(self.characters) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and other.characters == self.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest integer type that holds every id and that torch can index with after a cast."""
        return narrowest(len(self))

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
        return first_unused(_BOUNDARY_SYMBOLS, self.characters)

    def symbol(self, token: int) -> str:
        """The character of an id, for showing; the boundary has a symbol of its own."""
        return self.boundary_symbol if token == BOUNDARY else self.characters[token - 1]

    def table_of(self, corpus: Corpus) -> NDArray[Any]:
        """Ids by the codes of a corpus: by code point, whichever corpus it is."""
        return self._table

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

    def seen(self, corpus: Corpus) -> Corpus:
        """The corpus as a model sees it: the same, since every character has an id of its own."""
        return corpus

    def seen_codes(self, text: str) -> NDArray[Any]:
        """The codes that a word has in ``seen``."""
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def first_unused(wanted: Iterable[str], taken: Container[str]) -> str:
    """The first of ``wanted`` that is not taken; beyond them, of the characters from private use on."""
    return next(s for s in chain(wanted, map(chr, range(0xE000, sys.maxunicode + 1))) if s not in taken)


def narrowest(size: int) -> np.dtype[Any]:
    """The integer type for ids below ``size``."""
    return np.dtype(np.uint8 if size <= 1 << 8 else np.int16 if size <= 1 << 15 else np.int32)
