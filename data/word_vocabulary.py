"""Words and their ids: the boundary, the unknown word, and what occurs often enough (Bengio et al. 2003, section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from data.corpus import Corpus, CorpusError
from data.levels import WORD, Level
from data.text import TextCorpus
from data.tokens import UNKNOWN, join_tokens, tokenize
from data.vocabulary import BOUNDARY, Vocabulary, first_unused, narrowest

UNKNOWN_ID = 1
_BOUNDARY_SYMBOLS = ("·", "¶", "\u241e")  # not the full stop, of which a text is full


class WordVocabulary:
    """The boundary (0), the unknown word (1), and words from 2 on in the order in which they are given.

    What ``Vocabulary`` is for characters; but no text is refused: a word that is not known is the unknown one.
    """

    level: ClassVar[Level] = WORD

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)

    @classmethod
    def of(cls, corpus: TextCorpus, min_count: int = 1) -> WordVocabulary:
        """The words that occur at least ``min_count`` times, the most frequent first, equals in code point order.

        Raises CorpusError where there is none.
        """
        counts = np.bincount(corpus.codes, minlength=len(corpus.tokens)).tolist()
        kept = [(-n, t) for n, t in zip(counts, corpus.tokens, strict=True) if n >= min_count and t != UNKNOWN]
        if not kept:
            raise CorpusError(
                f"{corpus.name}: no word occurs {min_count:,} times, so all would be unknown; give a lower --min-count"
            )
        return cls(token for _, token in sorted(kept))

    @property
    def entries(self) -> list[str]:
        """What a checkpoint keeps, from which ``vocabulary_from`` makes the same again."""
        return list(self.words)

    def __len__(self) -> int:
        return len(self.words) + 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WordVocabulary) and other.words == self.words

    def __hash__(self) -> int:
        return hash(self.words)

    @property
    def dtype(self) -> np.dtype[Any]:
        return narrowest(len(self))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, start=UNKNOWN_ID + 1)}

    @cached_property
    def boundary_symbol(self) -> str:
        """How the boundary is shown: as what is no word."""
        return first_unused(_BOUNDARY_SYMBOLS, self._ids)

    def symbol(self, token: int) -> str:
        """The word of an id, for showing."""
        if token == BOUNDARY:
            return self.boundary_symbol
        return UNKNOWN if token == UNKNOWN_ID else self.words[token - UNKNOWN_ID - 1]

    def table_of(self, corpus: Corpus) -> NDArray[Any]:
        """Ids by the codes of a corpus."""
        assert isinstance(corpus, TextCorpus)
        ids = (self._ids.get(token, UNKNOWN_ID) for token in corpus.tokens)
        return np.fromiter(ids, self.dtype, len(corpus.tokens))

    def encode(self, text: str) -> list[int]:
        """Ids of the tokens of a text."""
        return [self._ids.get(token, UNKNOWN_ID) for token in tokenize(text)]

    def unknown_in(self, text: str) -> list[str]:
        """The tokens of a text that are taken as the unknown word, each once."""
        return [token for token in dict.fromkeys(tokenize(text)) if token not in self._ids and token != UNKNOWN]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ids; boundaries are left out."""
        return join_tokens([self.symbol(t) for t in tokens if t != BOUNDARY])

    def seen(self, corpus: Corpus) -> Corpus:
        """The corpus as a model sees it, where all rare words are one: words by their ids."""
        return Corpus(corpus.name, self.table_of(corpus)[corpus.codes], corpus.offsets)

    def seen_codes(self, text: str) -> NDArray[Any]:
        """The codes that a sentence has in ``seen``."""
        return np.array(self.encode(text), dtype=self.dtype)


AnyVocabulary = Vocabulary | WordVocabulary
"""Ids of characters or of words: the two have the same interface."""


def vocabulary_of(corpus: Corpus, min_count: int = 1) -> AnyVocabulary:
    """The characters of a word list, or those words of a text that occur ``min_count`` times.

    Raises CorpusError where there are none.
    """
    return WordVocabulary.of(corpus, min_count) if isinstance(corpus, TextCorpus) else Vocabulary.of(corpus)


def vocabulary_from(entries: str | Sequence[str]) -> AnyVocabulary:
    """The vocabulary that a checkpoint keeps: characters as one text, words as a list.

    Raises TypeError for what is neither.
    """
    if isinstance(entries, str):
        return Vocabulary(entries)
    if not all(isinstance(word, str) for word in entries):
        raise TypeError("a vocabulary is a text or a list of words")
    return WordVocabulary(entries)
