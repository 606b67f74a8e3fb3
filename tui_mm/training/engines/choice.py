"""Which engine takes the steps of a model."""

from __future__ import annotations

from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.training.engines.autograd import AutogradEngine
from tui_mm.training.engines.base import StepEngine
from tui_mm.training.engines.derived import DerivedEngine, is_derived
from tui_mm.training.optimizers import Optimizer


def make_engine(model: LanguageModel, optimizer: Optimizer, config: RunConfig) -> StepEngine:
    """The fastest that needs nothing but torch."""
    if is_derived(model):
        return DerivedEngine(model, optimizer)
    return AutogradEngine(model, optimizer, config)
