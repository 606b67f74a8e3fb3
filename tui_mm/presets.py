"""Named starting points: values of RunConfig that go together."""

from __future__ import annotations

from typing import Any

_LECTURE: dict[str, Any] = {
    "block_size": 3,
    "embedding": 10,
    "hidden": 200,
    "init": "lecture",
    "steps": 200_000,
    "batch_size": 32,
    "optimizer": "sgd",
    "lr": 0.1,
    "weight_decay": 0.0,
    "schedule": "step",
}
_COUNTED: dict[str, Any] = {"steps": 1, "batch_size": 0}
_SEQUENCE: dict[str, Any] = {
    "block_size": 16,
    "embedding": 64,
    "hidden": 64,
    "batch_size": 128,
    "weight_decay": 0.01,
}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "lecture": _LECTURE,
    "lecture-small": _LECTURE | {"embedding": 2, "hidden": 100, "steps": 30_000, "decay_at": 2 / 3},
    "five-words": _LECTURE
    | {
        "embedding": 2,
        "hidden": 100,
        "steps": 1000,
        "batch_size": 0,
        "schedule": "constant",
        "max_words": 5,
        "train_fraction": 1.0,
        "dev_fraction": 0.0,
    },
    "bigram": _COUNTED | {"model": "bigram", "block_size": 1},
    "trigram": _COUNTED | {"model": "ngram", "block_size": 2, "smoothing": 0.15},
    "interpolated": _COUNTED | {"model": "interpolated", "block_size": 2},
    "backoff": _COUNTED | {"model": "backoff", "block_size": 4},
    "neural-bigram": {
        "model": "neural-bigram",
        "block_size": 1,
        "init": "lecture",
        "regularization": 0.01,
        "steps": 200,
        "batch_size": 0,
        "optimizer": "sgd",
        "lr": 50.0,
        "weight_decay": 0.0,
        "schedule": "constant",
    },
    "deep-mlp": {
        "block_size": 8,
        "embedding": 24,
        "hidden": 128,
        "layers": 3,
        "norm": "batch",
        "steps": 10_000,
        "batch_size": 512,
    },
    "makemore-mlp": {
        "block_size": 16,
        "embedding": 64,
        "hidden": 64,
        "init": "torch",
        "padding": "blank",
        "steps": 5_000,
    },
    "wavenet": {"model": "wavenet", "block_size": 8, "embedding": 24, "hidden": 128, "steps": 10_000},
    "bow": _SEQUENCE | {"model": "bow", "steps": 4_000},
    "rnn": _SEQUENCE | {"model": "rnn", "steps": 4_000},
    "gru": _SEQUENCE | {"model": "gru", "steps": 4_000},
    "lstm": _SEQUENCE | {"model": "lstm", "steps": 4_000},
    "transformer": _SEQUENCE | {"model": "transformer", "layers": 4, "heads": 4, "steps": 4_000, "lr": 3e-3},
}
PRESET_SUMMARIES = {
    "default": "best quality in about ten seconds on one core",
    "lecture": "the lecture's last model: 10/200, 200,000 steps of SGD, lr 0.1 then 0.01",
    "lecture-small": "the lecture's first model on all the data: 2/100",
    "five-words": "overfit the first five words, full batch, no dev or test split",
    "bigram": "counts of letter pairs, the baseline",
    "trigram": "counts of three letters, smoothed as is best for names",
    "interpolated": "Bengio's trigram, mixed with shorter contexts",
    "backoff": "counts of up to five letters that back off to shorter contexts",
    "neural-bigram": "part 1's linear layer, full batch, lr 50",
    "deep-mlp": "three hidden layers over eight letters, batch norm",
    "makemore-mlp": "makemore.py's MLP: sixteen letters",
    "wavenet": "part 5's hierarchical net over eight letters",
    "bow": "makemore.py's bag of words",
    "rnn": "makemore.py's recurrent net",
    "gru": "makemore.py's gated recurrent net",
    "lstm": "long short-term memory, of the same size",
    "transformer": "makemore.py's Transformer",
}
