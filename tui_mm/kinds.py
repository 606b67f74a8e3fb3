"""The kinds of models there are, and what is known of each without building it. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ModelName = Literal[
    "mlp",
    "bigram",
    "ngram",
    "interpolated",
    "backoff",
    "neural-bigram",
    "wavenet",
    "bow",
    "rnn",
    "gru",
    "lstm",
    "transformer",
]


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    title: as it is called in a sentence; source: what it is taken from
    fields: the hyperparameters of the group Model that it uses
    preset: the one that begins with this model
    counts: learns by counting, in one step; needs_dev: cannot be trained without a dev split
    context: how much it sees, where that is not ``block_size``
    sequence: predicts at every position of a row
    """

    title: str
    source: str
    fields: tuple[str, ...]
    preset: str
    counts: bool = False
    needs_dev: bool = False
    context: int | None = None
    sequence: bool = False


_SIZES = ("block_size", "embedding", "hidden")

KINDS: dict[str, Kind] = {
    "mlp": Kind(
        "MLP",
        "Bengio et al. 2003; lecture part 2",
        (*_SIZES, "layers", "activation", "init", "norm", "dropout", "direct", "mixture", "padding"),
        "default",
    ),
    "bigram": Kind("bigram counts", "lecture part 1", ("smoothing",), "bigram", counts=True, context=1),
    "ngram": Kind("n-gram counts", "lecture part 1, E01", ("block_size", "smoothing"), "trigram", counts=True),
    "interpolated": Kind(
        "interpolated counts", "Bengio et al. 2003, 4.1", ("block_size",), "interpolated", counts=True, needs_dev=True
    ),
    "backoff": Kind("backoff counts", "MacKay and Peto 1995", ("block_size",), "backoff", counts=True, needs_dev=True),
    "neural-bigram": Kind("neural bigram", "lecture part 1", ("init", "regularization"), "neural-bigram", context=1),
    "wavenet": Kind("WaveNet", "van den Oord et al. 2016; lecture part 5", (*_SIZES, "dropout"), "wavenet"),
    "bow": Kind("bag of words", "makemore.py", _SIZES, "bow", sequence=True),
    "rnn": Kind("RNN", "Elman 1990; makemore.py", _SIZES, "rnn", sequence=True),
    "gru": Kind("GRU", "Cho et al. 2014; makemore.py", _SIZES, "gru", sequence=True),
    "lstm": Kind("LSTM", "Hochreiter and Schmidhuber 1997", _SIZES, "lstm", sequence=True),
    "transformer": Kind(
        "Transformer",
        "Vaswani et al. 2017; makemore.py",
        ("block_size", "embedding", "layers", "heads", "dropout"),
        "transformer",
        sequence=True,
    ),
}


def learns_by_counting(model: str) -> bool:
    """False for a model that is not known."""
    return model in KINDS and KINDS[model].counts


def size_text(model: str, parameters: int) -> str:
    """``35,075 parameters``, or ``19,683 cells``: a table of counts learns nothing where it stays empty."""
    return f"{parameters:,} {'cells' if learns_by_counting(model) else 'parameters'}"
