"""From a configuration and words to a trainer: the one place that puts the parts together."""

from __future__ import annotations

import torch
from torch import Generator

from data.splits import Splits
from models.base import LanguageModel
from models.mlp import MLP, MLPConfig
from models.ngram import Bigram, BigramConfig
from tui_mm.config import ConfigError, RunConfig
from tui_mm.training.devices import choose_device, choose_threads
from tui_mm.training.rows import all_rows
from tui_mm.training.trainer import Trainer
from tui_mm.words import check_size


def build_model(config: RunConfig, vocab_size: int, generator: Generator) -> LanguageModel:
    """A fresh model on the CPU, its weights drawn from ``generator``. Raises ConfigError for one too large."""
    check_size(config, vocab_size)
    if config.model == "bigram":
        try:
            return Bigram(BigramConfig(vocab_size, config.smoothing))
        except ValueError as error:
            raise ConfigError(f"--model: {error}") from None
    return MLP(MLPConfig(vocab_size, config.block_size, config.embedding, config.hidden, config.init), generator)


def build_trainer(config: RunConfig, splits: Splits) -> Trainer:
    """A trainer at step 0, on the device the configuration asks for. Sets torch's thread count, which is global.

    Raises ConfigError or DeviceError.
    """
    generator = Generator().manual_seed(config.seed)
    device = choose_device(config.device)
    model = build_model(config, len(splits.vocabulary), generator)
    if config.model == "bigram":
        device = torch.device("cpu")  # a table in float64, which is looked up
    rows = all_rows(splits, model, device)
    rows["train"].lay_out()
    torch.set_num_threads(
        choose_threads(config.threads, config.batch_size or len(rows["train"]), model.parameter_count())
    )
    return Trainer(model.to(device), rows, config, generator=generator, device=device)
