"""Every hyperparameter, once: its name, default, bounds and explanation.

Flags, ``--help``, TOML files, presets and the store all come from RunConfig. Nothing here imports torch.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo

LECTURE_SEED = 2147483647
MAX_CONFIG_BYTES = 1 << 20

Group = Literal["Data", "Model", "Training", "Schedule", "Machine"]


class ConfigError(ValueError):
    """A wrong value: one line with the field, the value and what is allowed."""


def _field(default: Any, group: Group, help: str, **bounds: Any) -> Any:
    return Field(default=default, description=help, json_schema_extra={"group": group}, **bounds)


class RunConfig(BaseModel):
    """One training, completely: the same configuration and words give the same weights on one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: str = _field(
        "names", "Data", "a named set (names, lecture-names), a file with one word a line, or -", min_length=1
    )
    encoding: str = _field("utf-8", "Data", "text encoding of the file", min_length=1)
    max_words: int = _field(0, "Data", "take only the first N words; 0 takes all", ge=0)
    train_fraction: float = _field(
        0.8, "Data", "share of the shuffled words to train on; 1 keeps their order", gt=0, le=1
    )
    dev_fraction: float = _field(0.1, "Data", "share of the words to choose by; the rest is the test split", ge=0, lt=1)
    split_seed: int = _field(42, "Data", "seed of the shuffle before the split", ge=0)

    model: Literal["mlp", "bigram"] = _field("mlp", "Model", "mlp: Bengio et al. 2003; bigram: by counting")
    block_size: int = _field(6, "Model", "characters of context for a prediction", ge=1, le=256)
    embedding: int = _field(24, "Model", "numbers a character is embedded as", ge=1, le=4096)
    hidden: int = _field(200, "Model", "units of the tanh layer", ge=1, le=65536)
    init: Literal["lecture", "scaled"] = _field(
        "scaled", "Model", "lecture: plain randn; scaled: starts near ln V (E02)"
    )
    smoothing: float = _field(1.0, "Model", "added to every count of the bigram model", ge=0)

    steps: int = _field(2500, "Training", "minibatches to train on", ge=1, le=10**9)
    batch_size: int = _field(
        512, "Training", "examples in a minibatch; 0 takes the whole train split", ge=0, le=1 << 20
    )
    optimizer: Literal["sgd", "adamw"] = _field("adamw", "Training", "sgd (with --momentum) or adamw")
    lr: float = _field(0.015, "Training", "learning rate, at the schedule's highest", gt=0)
    momentum: float = _field(0.0, "Training", "of sgd", ge=0, lt=1)
    weight_decay: float = _field(0.05, "Training", "decay of the weights and embeddings, not of biases", ge=0)
    seed: int = _field(LECTURE_SEED, "Training", "of the initial weights and the minibatches", ge=0, lt=1 << 63)
    eval_every: int = _field(0, "Training", "steps between evaluations; 0 takes a twentieth of --steps", ge=0)
    patience: int = _field(0, "Training", "stop after N evaluations without a better dev loss; 0 never", ge=0)

    schedule: Literal["constant", "step", "cosine", "one-cycle", "bengio"] = _field(
        "one-cycle", "Schedule", "how the learning rate moves: constant, step, cosine, one-cycle, bengio"
    )
    decay_at: float = _field(0.5, "Schedule", "step: share of the steps after which the rate drops", gt=0, lt=1)
    decay_factor: float = _field(0.1, "Schedule", "step: what the rate is multiplied by then", gt=0, le=1)
    warmup: float = _field(0.2, "Schedule", "one-cycle: share of the steps in which the rate rises", ge=0, lt=1)
    decay_rate: float = _field(1e-4, "Schedule", "bengio: r in lr / (1 + r * step)", ge=0)

    device: str = _field(
        "auto", "Machine", "auto, cpu, cuda (or cuda:N), mps", pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$"
    )
    threads: int = _field(0, "Machine", "CPU threads; 0 chooses by the size of the work", ge=0, le=1024)

    @model_validator(mode="after")
    def _fractions(self) -> RunConfig:
        if self.train_fraction + self.dev_fraction > 1 + 1e-9:
            raise ValueError(
                f"train_fraction, dev_fraction: {self.train_fraction:g} and {self.dev_fraction:g} are more than "
                "the whole; give two shares that add up to at most 1"
            )
        return self

    @property
    def evaluation_interval(self) -> int:
        """Steps between evaluations."""
        return self.eval_every or max(1, -(-self.steps // 20))


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
    "bigram": {"model": "bigram", "block_size": 1, "steps": 1, "batch_size": 0},
}
PRESET_SUMMARIES = {
    "default": "best quality in about ten seconds on one core",
    "lecture": "the lecture's last model: 10/200, 200,000 steps of SGD, lr 0.1 then 0.01",
    "lecture-small": "the lecture's first model on all the data: 2/100",
    "five-words": "overfit the first five words, full batch, no dev or test split",
    "bigram": "counts of letter pairs, the baseline",
}
WORDS_FIELD = "data"  # takes what a person chooses as a word list
KEPT_BY_PRESETS = (WORDS_FIELD, "encoding")
"""What stays where a preset is chosen by hand: which words they are."""

_TRAINED = ("steps", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "eval_every", "patience", "schedule")
_SCHEDULED = ("decay_at", "decay_factor", "warmup", "decay_rate")
NOT_USED: dict[tuple[str, str], tuple[str, ...]] = {
    ("model", "mlp"): ("smoothing",),
    ("model", "bigram"): ("block_size", "embedding", "hidden", "init", *_TRAINED, *_SCHEDULED, "device"),
    ("optimizer", "adamw"): ("momentum",),
    ("schedule", "constant"): _SCHEDULED,
    ("schedule", "step"): ("warmup", "decay_rate"),
    ("schedule", "cosine"): _SCHEDULED,
    ("schedule", "one-cycle"): ("decay_at", "decay_factor", "decay_rate"),
    ("schedule", "bengio"): ("decay_at", "decay_factor", "warmup"),
}
"""The fields that nothing is done with under a choice: (field, value) to their names."""


def group_of(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    return str(extra["group"])


def allowed(name: str) -> str:
    """What a field takes, in words: ``a whole number from 1 to 256``."""
    field = RunConfig.model_fields[name]
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(get_args(field.annotation))
    if field.annotation is str:
        return {"device": "auto, cpu, mps, cuda or cuda:N"}.get(name, "a text that is not empty")
    bounds = {
        key: getattr(item, key) for item in field.metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)
    }
    parts = [
        words.format(f"{bounds[key]:,}" if isinstance(bounds[key], int) else f"{bounds[key]:g}")
        for key, words in (("ge", "from {}"), ("gt", "above {}"), ("le", "to {}"), ("lt", "below {}"))
        if key in bounds
    ]
    kind = "a whole number" if field.annotation is int else "a number"
    if len(parts) == 1 and "ge" in bounds:
        parts.append("on")
    elif len(parts) == 2 and "gt" in bounds:
        parts[1] = parts[1].replace("to ", "and at most ")
    return " ".join([kind, *parts])


def fields_by_group() -> dict[str, list[str]]:
    """The names of all fields, in their order, by group."""
    groups: dict[str, list[str]] = {}
    for name, field in RunConfig.model_fields.items():
        groups.setdefault(group_of(field), []).append(name)
    return groups


def choices(name: str) -> tuple[str, ...]:
    """What a field takes, where that is one of a few texts; else nothing."""
    annotation = RunConfig.model_fields[name].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def unused(values: Mapping[str, Any]) -> dict[str, str]:
    """The fields that are not used under the choices in ``values``, and the choice that leaves them out."""
    found: dict[str, str] = {}
    for (field, value), names in NOT_USED.items():
        if values.get(field) == value and field not in found:
            found |= {name: value for name in names if name not in found}
    return found


def nearest_preset(config: RunConfig) -> str:
    """The preset that a configuration differs least from; the first of equals."""

    def differences(name: str) -> int:
        preset = make_config(name)
        return sum(getattr(preset, f) != getattr(config, f) for f in RunConfig.model_fields if f not in KEPT_BY_PRESETS)

    return min(PRESETS, key=differences)


def text_of(value: Any) -> str:
    """A field's value as a person types it; ``parse_field`` gives the same value again."""
    return value if isinstance(value, str) else repr(value)


def parse_field(name: str, text: str) -> Any:
    """The value of one field from text. Raises ConfigError, in the words of ``validate``."""
    try:
        return _adapter(name).validate_python(text)
    except ValidationError:
        raise ConfigError(_refusal(name, text)) from None


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    field = RunConfig.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, field], config=ConfigDict(allow_inf_nan=False))  # type: ignore[arg-type]


def make_config(
    preset: str | None = None, file: Path | None = None, flags: Mapping[str, Any] | None = None
) -> RunConfig:
    """The configuration of a preset, a TOML file and flags, in rising precedence.

    The file may name a preset itself; one given here wins over it. Raises ConfigError.
    """
    from_file = _read_toml(file) if file else {}
    preset_of_file = from_file.pop("preset", None)
    name = preset or preset_of_file or "default"
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError(f"--preset: {name!r} is not allowed; give {_one_of(PRESETS, str(name))}")
    sources = dict.fromkeys(from_file, f"{file}: ") | dict.fromkeys(flags or {}, "--")
    return validate(PRESETS[name] | from_file | dict(flags or {}), sources)


def validate(values: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> RunConfig:
    """A RunConfig from values; ``sources`` says where each came from, for the message. Raises ConfigError."""
    sources = sources or {}
    try:
        return RunConfig.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:
            raise ConfigError(first["msg"].removeprefix("Value error, ")) from None
        name = str(first["loc"][0])
        prefix = sources.get(name, "")
        shown = name.replace("_", "-") if prefix == "--" else name
        if first["type"] == "extra_forbidden":
            raise ConfigError(
                f"{prefix}{shown}: is not a hyperparameter; {_suggest(RunConfig.model_fields, name)}"
            ) from None
        raise ConfigError(prefix + _refusal(name, first["input"], shown)) from None


def _refusal(name: str, value: Any, shown: str = "") -> str:
    return f"{shown or name}: {value!r} is not allowed; give {allowed(name)}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
        if len(raw) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: is larger than 1 MiB; give a TOML file of hyperparameters")
        values = tomllib.loads(raw.decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a TOML file of hyperparameters") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not TOML ({error}); write lines such as  steps = 1000") from None
    return {key.replace("-", "_"): value for key, value in values.items()}


def _one_of(names: Mapping[str, Any], wrong: str) -> str:
    close = difflib.get_close_matches(wrong, names, 1)
    return f"one of {', '.join(names)}" + (f" (did you mean {close[0]}?)" if close else "")


def _suggest(names: Mapping[str, Any], wrong: str) -> str:
    close = difflib.get_close_matches(wrong, names, 1)
    return f"did you mean {close[0]}?" if close else f"allowed are {', '.join(names)}"
