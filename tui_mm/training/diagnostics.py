"""How a model is doing inside: what its layers' values look like, its gradients, and how far a step moves it.

These are the figures of the lectures' third part: the share of tanh values that are saturated, and the update to data
ratio, whose logarithm should be near -3. They are of one minibatch, and of copies: the training does not notice.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from models.base import CountingModel
from tui_mm.training.trainer import Trainer

SATURATED = 0.97  # the lectures' bound: beyond it a tanh passes hardly any gradient
BINS = 20
MOST_PARAMETERS = 1 << 24  # a look takes five copies of them: 320 MiB
MOST_ROWS = 4096  # of the minibatch looked at, whatever the training's is
_SEED_OFFSET = 1 << 20  # far from the seeds of weights and samples


@dataclass(frozen=True)
class ActivationStatistics:
    """Of one hidden layer over a minibatch. A figure that is no finite number is None.

    saturated: share of values beyond +-SATURATED
    histogram: shares in BINS equal bins from ``low`` to ``high``: -1 to 1, or wider when values lie beyond
    """

    name: str
    saturated: float | None
    mean: float | None
    std: float | None
    low: float
    high: float
    histogram: tuple[float, ...]


@dataclass(frozen=True)
class ParameterStatistics:
    """Of one tensor of weights. A figure that is no finite number is None.

    update_ratio: log10(std(update) / std(value)) of the step that would come next
    """

    name: str
    shape: tuple[int, ...]
    std: float | None
    grad_norm: float | None
    grad_std: float | None
    update_ratio: float | None


@dataclass(frozen=True)
class Diagnostics:
    """After ``step`` updates. ``reason`` says why there is nothing, where there is nothing."""

    step: int
    activations: tuple[ActivationStatistics, ...] = ()
    parameters: tuple[ParameterStatistics, ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Values that strict JSON can hold, numbers to six digits."""
        found: dict[str, Any] = {
            "step": self.step,
            "activations": [_rounded(asdict(a)) for a in self.activations],
            "parameters": [_rounded(asdict(p)) for p in self.parameters],
        }
        return found | {"reason": self.reason} if self.reason else found


def diagnose(trainer: Trainer) -> Diagnostics:
    """The state of ``trainer`` as it is; touches neither it nor its random numbers."""
    if isinstance(trainer.model, CountingModel):
        return Diagnostics(trainer.step, reason="a model that counts has no layers and no gradients")
    if trainer.model.parameter_count() > MOST_PARAMETERS:
        return Diagnostics(
            trainer.step, reason=f"a model of more than {MOST_PARAMETERS:,} parameters is not looked into"
        )
    model, optimizer = trainer.trial()
    contexts, targets = _minibatch(trainer)
    with torch.no_grad():
        activations = tuple(_activation(name, values) for name, values in model.activations(contexts).items())
    model.objective(contexts, targets).backward()  # type: ignore[no-untyped-call]
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    gradients = {name: _gradient(p.grad) for name, p in model.named_parameters()}  # a step may write into them
    before = {name: p.clone() for name, p in parameters.items()}
    optimizer.step(trainer.current_lr())
    return Diagnostics(
        trainer.step,
        activations,
        tuple(
            ParameterStatistics(
                name,
                tuple(p.shape),
                _finite(_std(before[name])),
                *gradients[name],
                _ratio(p - before[name], before[name]),
            )
            for name, p in parameters.items()
        ),
    )


def _minibatch(trainer: Trainer) -> tuple[Tensor, Tensor]:
    """A minibatch of the training's size, within bounds, that depends on the seed and the step only."""
    rows = trainer.rows["train"]
    size = min(trainer.config.batch_size or len(rows), MOST_ROWS)
    if trainer.config.batch_size == 0 and size == len(rows):
        return rows.take(torch.arange(size, device=trainer.device))
    seed = (trainer.config.seed + _SEED_OFFSET + trainer.step) % (1 << 63)
    index = torch.randint(0, len(rows), (size,), generator=Generator().manual_seed(seed))
    return rows.take(index.to(trainer.device))


def _activation(name: str, values: Tensor) -> ActivationStatistics:
    values = values.flatten()
    good = values.isfinite()
    finite = values if good.all() else values[good]
    high = max(1.0, float(finite.abs().max())) if len(finite) else 1.0
    counts = torch.histc(finite, BINS, -high, high)
    return ActivationStatistics(
        name,
        _finite((values.abs() > SATURATED).float().mean()),
        _finite(values.mean()),
        _finite(_std(values)),
        -high,
        high,
        tuple(float(c) / max(1, len(values)) for c in counts.tolist()),
    )


def _gradient(gradient: Tensor | None) -> tuple[float | None, float | None]:
    """Norm and std."""
    if gradient is None:
        return None, None
    return _finite(gradient.norm()), _finite(_std(gradient))


def _ratio(update: Tensor, value: Tensor) -> float | None:
    moved, spread = _finite(_std(update)), _finite(_std(value))
    return math.log10(moved / spread) if moved and spread else None


def _std(values: Tensor) -> Tensor:
    """As the lectures take it, with n - 1; nan for a single number."""
    return values.std() if values.numel() > 1 else torch.tensor(math.nan)


def _finite(value: Tensor) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, tuple) else value
