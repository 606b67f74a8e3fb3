"""From a run folder back to a trainer or a model."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from data.splits import Splits
from data.word_vocabulary import AnyVocabulary, vocabulary_from
from models.base import LanguageModel
from tui_mm.config import ConfigError, RunConfig, validate
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import RunError
from tui_mm.runs.run import Run, Which
from tui_mm.sizes import parameter_count
from tui_mm.training.devices import DeviceError, available_devices
from tui_mm.training.setup import build_model, build_trainer
from tui_mm.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model as a checkpoint has it, on the CPU."""

    model: LanguageModel
    vocabulary: AnyVocabulary
    config: RunConfig
    step: int


def load_model(run: Run, which: Which = "last") -> TrainedModel:
    """Raises RunError for a checkpoint that is missing, damaged, or fits no model of this program."""
    path = run.checkpoint(which)
    kept = load_checkpoint(path)
    try:
        config = validate(kept.values["config"])
        vocabulary = vocabulary_from(kept.values["vocabulary"])
        kept_numbers = sum(array.size for name, array in kept.arrays.items() if name.startswith("model."))
        if not config.counts and parameter_count(config, len(vocabulary)) > kept_numbers:  # before they are allocated
            raise ValueError(f"it has {kept_numbers:,} numbers, fewer than its configuration's model")
        model = build_model(config, len(vocabulary), torch.Generator())
        weights = {
            name.removeprefix("model."): torch.from_numpy(array)
            for name, array in kept.arrays.items()
            if name.startswith("model.")
        }
        model.load_state_dict(weights)
        return TrainedModel(model.eval(), vocabulary, config, int(kept.values["trainer"]["step"]))
    except (ConfigError, LookupError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
        raise RunError(f"{path}: holds no model that this program knows ({error})") from None


def resume_trainer(run: Run, device: str | None = None) -> tuple[Trainer, Splits]:
    """A trainer for a run that exists, on the device and the threads it had (unless another device is asked for):
    with others the result would be the same only up to rounding."""
    with run.store() as store:
        threads, before, data = store.get("threads"), store.get("device"), store.get("data")
    config = run.config()
    placed = config.but(device=device or before or config.device, threads=threads or config.threads)
    splits = run.splits()
    made_of = data.get("sha256") if isinstance(data, dict) else None
    if made_of not in (None, splits.corpus.sha256):
        raise RunError(
            f"{run.folder / 'words.txt'}: its words are not those that run {run.id} was made with; put that file back, "
            "or train anew"
        )
    if device is None and before is not None and before not in available_devices():
        raise DeviceError(
            f"run {run.id} was trained on {before}, which is not available here; go on with: "
            f"makemore-tui resume {run.id} --device auto"
        )
    trainer = build_trainer(placed, splits)
    trainer.config = config
    return trainer, splits
