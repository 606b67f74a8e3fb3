"""Our optimizers against torch's own, step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tui_mm.config import RunConfig
from tui_mm.training.optimizers import SGD, AdamW, is_decayed, make_optimizer


def parameters() -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    return {
        "W": torch.randn((5, 3), generator=g).requires_grad_(),
        "b": torch.randn(3, generator=g).requires_grad_(),
    }


def loss_of(ps: dict[str, torch.Tensor]) -> torch.Tensor:
    x = torch.linspace(-1, 1, 20).view(4, 5)
    return (torch.tanh(x @ ps["W"] + ps["b"]) - 0.3).pow(2).sum()


def theirs(ps: dict[str, torch.Tensor], kind: Any, decay: float, **options: Any) -> Any:
    groups = [
        {"params": [p for p in ps.values() if is_decayed(p)], "weight_decay": decay},
        {"params": [p for p in ps.values() if not is_decayed(p)], "weight_decay": 0.0},
    ]
    return kind(groups, **options)


@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.9, 0.0), (0.9, 0.1), (0.0, 0.1)])
def test_sgd_is_torchs(momentum: float, decay: float) -> None:
    mine, reference = parameters(), parameters()
    optimizer = SGD(mine, momentum, decay)
    other = theirs(reference, torch.optim.SGD, decay, lr=0.1, momentum=momentum)
    for lr in (0.1, 0.05, 0.2, 0.1):
        loss_of(mine).backward()
        optimizer.step(lr)
        for group in other.param_groups:
            group["lr"] = lr
        other.zero_grad()
        loss_of(reference).backward()
        other.step()
    for name, value in mine.items():
        torch.testing.assert_close(value, reference[name])


def test_adamw_is_torchs() -> None:
    mine, reference = parameters(), parameters()
    optimizer = AdamW(mine, 0.1)
    other = theirs(reference, torch.optim.AdamW, 0.1, lr=0.1, betas=(0.9, 0.99))
    for lr in (0.1, 0.05, 0.2, 0.1):
        loss_of(mine).backward()
        optimizer.step(lr)
        for group in other.param_groups:
            group["lr"] = lr
        other.zero_grad()
        loss_of(reference).backward()
        other.step()
    for name, value in mine.items():
        torch.testing.assert_close(value, reference[name])


@pytest.mark.parametrize("flags", [{"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "adamw"}])
def test_kept_state_goes_on_to_the_bit(flags: dict[str, Any]) -> None:
    config = RunConfig(**flags)
    whole = parameters()
    optimizer = make_optimizer(config, whole)
    for _ in range(3):
        loss_of(whole).backward()
        optimizer.step(0.1)
    halfway = {name: p.detach().clone().requires_grad_() for name, p in whole.items()}
    resumed = make_optimizer(config, halfway)
    resumed.load({name: value.clone() for name, value in optimizer.tensors().items()})
    for ps, o in ((whole, optimizer), (halfway, resumed)):
        for _ in range(3):
            loss_of(ps).backward()
            o.step(0.1)
    for name, value in whole.items():
        assert torch.equal(value, halfway[name])
