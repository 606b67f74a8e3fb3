"""Plain texts: cut into sentences and words, which are kept as one flat array of numbers (Bengio et al. 2003).

What characters of words are at character level, words of sentences are here; everything built on a corpus stays as it
is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from data.corpus import Corpus, CorpusError, Format, lone_surrogate, normalize
from data.levels import WORD, Level
from data.tokens import join_tokens, mark_ends, sentence_ends, tokenize

_BREAK = "\0"  # stands between sentences while a text is cut; no text that is read holds it
_PART = 1 << 19  # characters cut at once: their strings take some twenty times as much
_PART_TOKENS = 1 << 19  # written at once
_WANTED = "a text with sentences"


@dataclass(frozen=True, eq=False)
class TextCorpus(Corpus):
    """Sentences in the order of their text; each stands where a word list has a word.

    codes: int32, numbers of the tokens of all sentences, one after another
    offsets: int64 (sentences + 1,), where each sentence begins in ``codes``
    tokens: every distinct token, by its number
    """

    level: ClassVar[Level] = WORD

    tokens: tuple[str, ...]

    def word(self, index: int, most: int | None = None) -> str:
        """A sentence as a person writes it, or its first ``most`` tokens where it is longer."""
        return join_tokens([self.tokens[code] for code in self.codes_at(index, most).tolist()])

    def head(self, count: int) -> TextCorpus:
        offsets = self.offsets[: min(count, len(self)) + 1]
        return TextCorpus(self.name, self.codes[: offsets[-1]], offsets, self.tokens)

    def text(self) -> str:
        """The sentences, one a line, a space between tokens; ``parse_sentences`` gives the same corpus again."""
        return "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        tokens = np.array((*self.tokens, "\n"), dtype=object)
        end = len(self.tokens)
        cuts = np.searchsorted(self.offsets, np.arange(0, len(self.codes), _PART_TOKENS)).tolist()
        for first, last in zip(cuts, [*cuts[1:], len(self)], strict=True):
            begins = self.offsets[first : last + 1]
            codes = np.insert(self.codes[begins[0] : begins[-1]], begins[1:] - begins[0], end)
            yield " ".join(tokens[codes].tolist()).replace(" \n ", "\n").replace(" \n", "\n")


def parse_text(text: str, name: str) -> TextCorpus:
    """A corpus from running text, cut into sentences and tokens as ``data.tokens`` says.

    Raises CorpusError for a text that is empty or blank, with NUL characters or with lone surrogates.
    """
    text = _checked(text, name)
    return _numbered(name, (tokenize(mark_ends(part, _BREAK)) for part in _parts(text)))


def parse_sentences(text: str, name: str) -> TextCorpus:
    """A corpus from what ``TextCorpus.text`` wrote: one sentence a line, with white space between its tokens.

    Raises CorpusError as ``parse_text`` does.
    """
    text = _checked(text, name)
    return _numbered(name, (part.replace("\n", f" {_BREAK} ").split() for part in _lines_of(text)))


TEXT = Format(parse_text, WORD.holds)
SENTENCES = Format(parse_sentences, WORD.holds)


def _checked(text: str, name: str) -> str:
    text = normalize(text, name, _WANTED)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise lone_surrogate(text, name, error.start) from None
    return text


def _parts(text: str) -> Iterator[str]:
    """The text in parts that end where a sentence does."""
    begin = 0
    while begin < len(text):
        end = next(sentence_ends(text, begin + _PART), len(text)) if len(text) - begin > _PART else len(text)
        yield text[begin:end]
        begin = end


def _lines_of(text: str) -> Iterator[str]:
    """The text in parts that end where a line does."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin + _PART) + 1 or len(text)
        yield text[begin:end]
        begin = end


def _numbered(name: str, parts: Iterable[list[str]]) -> TextCorpus:
    """A corpus of the tokens of some parts, numbered as they come; sentences end at _BREAK, and where a part does."""
    numbers = {_BREAK: 0}
    found = []
    for part in parts:
        part.append(_BREAK)
        for token in dict.fromkeys(part):
            numbers.setdefault(token, len(numbers))
        found.append(np.fromiter(map(numbers.__getitem__, part), np.int32, len(part)))
    codes = np.concatenate(found)
    del found
    ends = np.flatnonzero(codes == 0)
    lengths = np.diff(ends, prepend=-1) - 1
    lengths = lengths[lengths > 0]
    if not len(lengths):
        raise CorpusError(f"{name}: has no word; give {_WANTED}")
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    tokens: NDArray[np.int32] = codes[codes != 0] - 1
    return TextCorpus(name, tokens, offsets, tuple(numbers)[1:])
