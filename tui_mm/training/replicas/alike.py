"""Which configurations can be trained at once: those with the same operations on the same shapes. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from tui_mm.config import FIELDS, NOT_USED, ConfigError, RunConfig
from tui_mm.sizes import MAX_PARAMETERS, parameter_count

VARIED = (
    "init",
    "lr",
    "momentum",
    "weight_decay",
    "seed",
    "schedule",
    "decay_at",
    "decay_factor",
    "warmup",
    "decay_rate",
)
"""The hyperparameters that may differ between replicas: they change numbers, and neither shapes nor operations."""

MAX_REPLICAS = 4096


def check_alike(configs: Sequence[RunConfig], vocab_size: int) -> None:
    """Raises ConfigError for none or too many replicas, for a model that learns by counting, and for configurations
    that differ in more than ``VARIED``."""
    if not 1 <= len(configs) <= MAX_REPLICAS:
        raise ConfigError(f"replicas: {len(configs):,} are not allowed; give 1 to {MAX_REPLICAS:,} in all")
    first = configs[0]
    if first.counts:
        raise ConfigError(f"model: {first.model} learns by counting and has no learning rate; give mlp")
    for name in FIELDS:
        if name not in VARIED and any(getattr(c, name) != getattr(first, name) for c in configs):
            raise ConfigError(f"{name}: cannot differ between replicas; allowed are {', '.join(VARIED)}")
    total = len(configs) * parameter_count(first, vocab_size)
    if total > MAX_PARAMETERS:
        raise ConfigError(
            f"replicas: {len(configs):,} of this model have {total:,} parameters, more than the {MAX_PARAMETERS:,} "
            "allowed; give fewer, or a smaller model"
        )


def used_variations(config: RunConfig) -> list[str]:
    """Those of ``VARIED`` that are used under the choices of a configuration."""
    left_out = {n for (field, value), names in NOT_USED.items() if getattr(config, field) == value for n in names}
    return [name for name in VARIED if name not in left_out]
