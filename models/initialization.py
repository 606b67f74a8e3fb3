"""How weights start, by the names of exercise E02 of lecture part 2."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from models.base import Examples

Initialization = Literal["lecture", "output-0.1", "output-0.01", "small", "kaiming", "zero-output", "unigram", "torch"]

_OUTPUT_SCALES = {"lecture": 1.0, "output-0.1": 0.1, "zero-output": 0.0, "unigram": 0.0}


def output_scale(init: Initialization) -> float:
    """What the output layer's randn weights are multiplied by: small logits favour no character without a reason."""
    return _OUTPUT_SCALES.get(init, 0.01)


def log_unigrams(train: Examples, vocab_size: int) -> Tensor:
    """ln of how often each id is predicted, float32 (V,): biases that start below ln V. 1 is added to every count, so
    that nothing is impossible."""
    counts = torch.ones(vocab_size, dtype=torch.float64)
    for _, targets, count in train:
        counts.index_add_(0, targets.cpu(), count.cpu().double())
    return (counts / counts.sum()).log().float()
