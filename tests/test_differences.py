"""Where the configurations of runs differ."""

from __future__ import annotations

from typing import Any

from tui_mm.config import RunConfig, make_config
from tui_mm.runs.differences import Difference, differences


def found(*configs: RunConfig) -> dict[str, tuple[Any, ...]]:
    return {each.field: each.values for each in differences(configs)}


def test_fields_that_differ_and_only_these_in_their_order() -> None:
    one = make_config(flags={"hidden": 100, "lr": 0.01})
    two = make_config(flags={"hidden": 300, "lr": 0.02, "block_size": 3})
    assert differences([one, two]) == [
        Difference("block_size", (6, 3)),
        Difference("hidden", (100, 300)),
        Difference("lr", (0.01, 0.02)),
    ]
    assert differences([one, one, one]) == []


def test_what_a_model_does_not_use_has_no_value() -> None:
    mlp, bigram, transformer = (make_config(flags={"model": name}) for name in ("mlp", "bigram", "transformer"))
    told = found(mlp, bigram, transformer)
    assert told["model"] == ("mlp", "bigram", "transformer")
    assert told["block_size"] == (6, None, 16)
    assert told["hidden"] == (200, None, None)
    assert told["layers"] == (1, None, 4)
    assert told["steps"] == (mlp.steps, None, transformer.steps)
    assert "activation" not in told, "all three hold tanh, which one of them uses"
    assert "smoothing" not in told
    assert "seed" not in told


def test_nothing_is_told_of_what_none_of_them_uses() -> None:
    cosine, constant = make_config(flags={"schedule": "cosine"}), make_config(flags={"schedule": "constant"})
    assert found(cosine.but(warmup=0.1), constant.but(warmup=0.3, momentum=0.9)) == {"schedule": ("cosine", "constant")}
    step = make_config(flags={"schedule": "step", "decay_at": 0.25})
    assert found(step, constant) == {"schedule": ("step", "constant"), "decay_at": (0.25, None)}
