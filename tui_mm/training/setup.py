"""From a configuration and words to a trainer: the one place that puts the parts together."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator

from data.splits import Splits
from models.backoff import Backoff, BackoffConfig
from models.base import LanguageModel
from models.bow import BagOfWords, BagOfWordsConfig
from models.interpolated import Interpolated, InterpolatedConfig
from models.mixture import Mixture
from models.mlp import MLP, MLPConfig
from models.neural_bigram import NeuralBigram, NeuralBigramConfig
from models.ngram import NGram, NGramConfig
from models.recurrent import Recurrent, RecurrentConfig
from models.transformer import Transformer, TransformerConfig
from models.wavenet import WaveNet, WaveNetConfig
from tui_mm.config import ConfigError, RunConfig
from tui_mm.kinds import KINDS
from tui_mm.sizes import check_size, depth
from tui_mm.training.devices import DeviceError, choose_device, choose_threads, is_out_of_memory
from tui_mm.training.rows import Rows, all_rows
from tui_mm.training.trainer import Trainer


def build_model(config: RunConfig, vocab_size: int, generator: Generator) -> LanguageModel:
    """A fresh model on the CPU, its weights drawn from ``generator``. Raises ConfigError for one too large.

    What it takes from the words before its first step is given to it by ``prepare``.
    """
    check_size(config, vocab_size)
    c, V = config, vocab_size
    match c.model:
        case "bigram" | "ngram":
            return NGram(NGramConfig(V, c.context, c.smoothing))
        case "backoff":
            return Backoff(BackoffConfig(V, c.block_size))
        case "interpolated":
            return Interpolated(InterpolatedConfig(V, c.block_size))
        case "neural-bigram":
            return NeuralBigram(NeuralBigramConfig(V, c.init, c.regularization), generator)
        case "wavenet":
            return WaveNet(WaveNetConfig(V, c.block_size, c.embedding, c.hidden, c.dropout), generator)
        case "bow":
            return BagOfWords(BagOfWordsConfig(V, c.block_size, c.embedding, c.hidden), generator)
        case "rnn" | "gru" | "lstm":
            return Recurrent(RecurrentConfig(V, c.model, c.block_size, c.embedding, c.hidden), generator)
        case "transformer":
            sizes = TransformerConfig(V, c.block_size, c.embedding, c.layers, c.heads, c.dropout)
            return Transformer(sizes, generator)
    network = MLP(
        MLPConfig(
            V,
            c.block_size,
            c.embedding,
            c.hidden,
            layers=c.layers,
            activation=c.activation,
            init=c.init,
            batch_norm=c.norm == "batch",
            dropout=c.dropout,
            direct=c.direct == "yes",
            padding=c.padding,
        ),
        generator,
    )
    return network if c.mixture == "none" else Mixture(network, c.mixture)


def prepare(model: LanguageModel, rows: Mapping[str, Rows]) -> None:
    """Give a fresh model what it takes from the words."""
    model.prepare(rows["train"].distinct(), rows["dev"].distinct() if "dev" in rows else None)


def build_trainer(config: RunConfig, splits: Splits) -> Trainer:
    """A trainer at step 0, on the device the configuration asks for. Sets torch's thread count, which is global.

    Raises ConfigError or DeviceError.
    """
    device = choose_device(config.device)
    try:
        return _build_trainer(config, splits, device)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"out of memory on {device} before the first step; free some, or train with a smaller --batch-size (it was "
            f"{config.batch_size or 'all'}), --hidden ({config.hidden}) or --max-words"
        ) from error


def _build_trainer(config: RunConfig, splits: Splits, device: torch.device) -> Trainer:
    generator = Generator().manual_seed(config.seed)
    model = build_model(config, len(splits.vocabulary), generator)
    if config.counts:
        device = torch.device("cpu")  # tables in float64, which are looked up
    model.to(device)
    rows = all_rows(splits, model, device)
    check_splits(config, rows)
    if not config.counts:
        rows["train"].lay_out()
    prepare(model, rows)
    torch.set_num_threads(choose_threads(config.threads, *thread_work(config, model, rows["train"])))
    return Trainer(model, rows, config, generator=generator, device=device)


def thread_work(config: RunConfig, model: LanguageModel, train: Rows) -> tuple[int, int, int]:
    """What threads are chosen by: a step's predictions, the model's parameters, and how many products stand one behind
    another."""
    predictions = (config.batch_size or len(train)) * (train.longest if model.layout == "sequence" else 1)
    parameters = 0 if config.counts else model.parameter_count()  # a table is looked up, not multiplied
    return predictions, parameters, depth(config, train.longest)


def check_splits(config: RunConfig, rows: Mapping[str, Rows]) -> None:
    """Raises ConfigError for a model that needs a dev split where there is none."""
    if "dev" in rows:
        return
    if KINDS[config.model].needs_dev:
        raise ConfigError(f"model: {config.model} chooses its weights by the dev split; give --dev-fraction above 0")
    if config.model == "mlp" and config.mixture != "none":
        raise ConfigError(
            f"mixture: {config.mixture} chooses its weights by the dev split; give --dev-fraction above 0"
        )
