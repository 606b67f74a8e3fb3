"""Context windows, and the whole way from a file's bytes to them, against the notebook's loop over letters."""

from __future__ import annotations

import torch

from benchmarks import notebook
from benchmarks.row import Row, Target
from benchmarks.timing import interleaved, seconds
from data.corpus import Corpus, decode_words
from data.splits import Splits, split_words
from data.windows import context_windows

BLOCK_SIZE = 3  # the lecture's


def _windows_of(splits: Splits) -> notebook.Windows:
    """As int64 tensors, which is what the notebook's loop ends with: the trainer keeps the narrow integers and widens
    a minibatch at a time.
    """
    made = (context_windows(split.tokens, BLOCK_SIZE) for _, split in splits)
    return [(torch.from_numpy(contexts).long(), torch.from_numpy(targets).long()) for contexts, targets in made]


def windows_rows(corpus: Corpus, repeats: int) -> list[Row]:
    """Both sides are run once before, to see that they make the same tensors."""
    torch.set_num_threads(1)
    raw = corpus.text().encode()
    words = list(corpus.words())
    parts, ids = notebook.shuffled_parts(words), notebook.number_letters(words)
    splits = split_words(corpus)

    def ours_of_text() -> notebook.Windows:
        return _windows_of(split_words(decode_words(raw, corpus.name)))

    expected = notebook.windows_of_text(raw, BLOCK_SIZE)
    for made in (_windows_of(splits), ours_of_text(), notebook.windows_of_parts(parts, ids, BLOCK_SIZE)):
        if not all(torch.equal(a, b) for x, y in zip(made, expected, strict=True) for a, b in zip(x, y, strict=True)):
            raise RuntimeError("the windows are not those of the notebook's loop")
    windows = interleaved(
        seconds(lambda: notebook.windows_of_parts(parts, ids, BLOCK_SIZE)),
        seconds(lambda: _windows_of(splits)),
        repeats,
    )
    whole = interleaved(seconds(lambda: notebook.windows_of_text(raw, BLOCK_SIZE)), seconds(ours_of_text), repeats)
    return [
        Row(
            "windows of 3",
            "s",
            windows.ours,
            windows.reference,
            Target("ratio", 50),
            f"{sum(split.examples for _, split in splits):,} examples, all splits; both sides end with the same int64 "
            "tensors. Ours begins with ids, which the notebook looks up in its loop: the next row counts all",
        ),
        Row(
            "bytes to windows of 3",
            "s",
            whole.ours,
            whole.reference,
            note="decode, words, ids, seeded split, windows; from the file's bytes in memory",
        ),
    ]
