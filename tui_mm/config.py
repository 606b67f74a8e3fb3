"""Every hyperparameter, once: its name, default, bounds and explanation.

Flags, ``--help``, TOML files, presets and the store all come from RunConfig. Nothing here imports torch.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from msgspec import Meta, Struct, convert
from msgspec.structs import asdict, fields, replace

from tui_mm.engine_record import AUTO, MAX_CHARACTERS, PATTERN, EngineRecord, uncompiled
from tui_mm.kinds import KINDS, ModelName
from tui_mm.presets import PRESETS

LECTURE_SEED = 2147483647
MAX_CONFIG_BYTES = 1 << 20
_MAX_QUOTED = 200  # characters of a wrong value or name in a message

Group = Literal["Data", "Model", "Training", "Schedule", "Machine"]


class ConfigError(ValueError):
    """A wrong value: one line with the field, the value and what is allowed."""


def _about(group: Group, help: str, *, words: Mapping[str, Any] | None = None, **bounds: Any) -> Meta:
    return Meta(description=help, extra={"group": group, "words": words or {}}, **bounds)


class RunConfig(Struct, frozen=True, kw_only=True):
    """One training, completely: the same configuration and words give the same weights on one machine. Where ``engine``
    is auto, they do up to rounding; to the bit with the record of the run as ``engine``."""

    data: Annotated[
        str, _about("Data", "a named set (names, lecture-names), a file with one word a line, or -", min_length=1)
    ] = "names"
    encoding: Annotated[str, _about("Data", "text encoding of the file", min_length=1)] = "utf-8"
    max_words: Annotated[int, _about("Data", "the first N words or sentences; 0: all", ge=0)] = 0
    level: Annotated[
        Literal["character", "word"],
        _about("Data", "what is predicted: characters of words, one word a line; or words of a plain text's sentences"),
    ] = "character"
    min_count: Annotated[
        int, _about("Data", "level word: what occurs fewer times is the unknown word, <unk>", ge=1)
    ] = 4
    train_fraction: Annotated[
        float, _about("Data", "share of the shuffled words to train on; 1 keeps their order", gt=0, le=1)
    ] = 0.8
    dev_fraction: Annotated[
        float, _about("Data", "share of the words to choose by; the rest is the test split", ge=0, lt=1)
    ] = 0.1
    split_seed: Annotated[int, _about("Data", "seed of the shuffle before the split", ge=0)] = 42

    model: Annotated[ModelName, _about("Model", "what learns; docs/models.md explains each")] = "mlp"
    block_size: Annotated[int, _about("Model", "characters or words a prediction sees", ge=1, le=256)] = 6
    embedding: Annotated[int, _about("Model", "numbers a character or word becomes", ge=1, le=4096)] = 24
    hidden: Annotated[int, _about("Model", "units of a hidden layer, or of a recurrent state", ge=1, le=65536)] = 200
    layers: Annotated[int, _about("Model", "hidden layers, or a Transformer's blocks", ge=1, le=64)] = 1
    heads: Annotated[int, _about("Model", "attention heads, a divisor of the embedding", ge=1, le=64)] = 4
    activation: Annotated[
        Literal["tanh", "relu", "gelu", "sigmoid"], _about("Model", "what a hidden layer's values go through")
    ] = "tanh"
    init: Annotated[
        Literal["lecture", "output-0.1", "output-0.01", "small", "kaiming", "zero-output", "unigram", "torch"],
        _about("Model", "how the weights start (part 2, E02); lecture is plain randn"),
    ] = "kaiming"
    norm: Annotated[Literal["none", "batch"], _about("Model", "batch: batch norm in every hidden layer")] = "none"
    dropout: Annotated[float, _about("Model", "share of hidden values that a step leaves out", ge=0, lt=1)] = 0.0
    direct: Annotated[
        Literal["no", "yes"], _about("Model", "yes: embeddings also reach the logits directly (Bengio's W)")
    ] = "no"
    mixture: Annotated[
        Literal["none", "fixed", "learned", "by-frequency"],
        _about("Model", "mix with the interpolated trigram: half, or by dev, or by dev and frequency"),
    ] = "none"
    padding: Annotated[
        Literal["boundary", "blank"], _about("Model", "before a word: the boundary, or an id of its own (makemore.py)")
    ] = "boundary"
    smoothing: Annotated[float, _about("Model", "added to every count of a bigram or n-gram", ge=0)] = 1.0
    regularization: Annotated[float, _about("Model", "times mean(W**2), added to the loss (part 1)", ge=0)] = 0.0

    steps: Annotated[int, _about("Training", "minibatches to train on", ge=1, le=10**9)] = 2500
    batch_size: Annotated[
        int, _about("Training", "examples in a minibatch; 0 takes the whole train split", ge=0, le=1 << 20)
    ] = 512
    optimizer: Annotated[Literal["sgd", "adamw"], _about("Training", "sgd (with --momentum) or adamw")] = "adamw"
    lr: Annotated[float, _about("Training", "learning rate, at the schedule's highest", gt=0)] = 0.015
    momentum: Annotated[float, _about("Training", "of sgd", ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, _about("Training", "decay of the weights and embeddings, not of biases", ge=0)] = (
        0.05
    )
    seed: Annotated[int, _about("Training", "of the initial weights and the minibatches", ge=0, le=(1 << 63) - 1)] = (
        LECTURE_SEED
    )
    eval_every: Annotated[
        int, _about("Training", "steps between evaluations; 0 takes a twentieth of --steps", ge=0)
    ] = 0
    patience: Annotated[
        int, _about("Training", "stop after N evaluations without a better dev loss; 0 never", ge=0)
    ] = 0

    schedule: Annotated[
        Literal["constant", "step", "cosine", "one-cycle", "bengio"],
        _about("Schedule", "how the learning rate moves: constant, step, cosine, one-cycle, bengio"),
    ] = "one-cycle"
    decay_at: Annotated[
        float, _about("Schedule", "step: share of the steps after which the rate drops", gt=0, lt=1)
    ] = 0.5
    decay_factor: Annotated[float, _about("Schedule", "step: what the rate is multiplied by then", gt=0, le=1)] = 0.1
    warmup: Annotated[
        float, _about("Schedule", "one-cycle: share of the steps in which the rate rises", ge=0, lt=1)
    ] = 0.2
    decay_rate: Annotated[float, _about("Schedule", "bengio: r in lr / (1 + r * step)", ge=0)] = 1e-4

    device: Annotated[
        str, _about("Machine", "auto, cpu, cuda (or cuda:N), mps", pattern=r"\A(auto|cpu|mps|cuda(:\d{1,3})?)\Z")
    ] = "auto"
    threads: Annotated[
        int,
        _about("Machine", "CPU threads; auto (or 0) chooses by the size of the work", words={"auto": 0}, ge=0, le=1024),
    ] = 0
    engine: Annotated[
        str,
        _about(
            "Machine",
            "what takes the steps: eager, compiled (C++), or auto, which changes over",
            pattern=PATTERN,
            max_length=MAX_CHARACTERS,
        ),
    ] = AUTO

    @property
    def counts(self) -> bool:
        """Whether the model learns by counting, in one step."""
        return KINDS[self.model].counts

    @property
    def context(self) -> int:
        """Characters (or words) that a prediction sees, at most."""
        return KINDS[self.model].context or self.block_size

    @property
    def total_steps(self) -> int:
        """Steps that the training takes."""
        return 1 if self.counts else self.steps

    @property
    def evaluation_interval(self) -> int:
        """Steps between evaluations."""
        return self.eval_every or max(1, -(-self.steps // 20))

    def values(self) -> dict[str, Any]:
        """Every field by its name; ``validate`` gives the same configuration again."""
        return asdict(self)

    def but(self, **changes: Any) -> RunConfig:
        """The same with other values, which are not checked."""
        return replace(self, **changes)


class Hyperparameter(NamedTuple):
    """What is known of a field of RunConfig."""

    name: str
    default: Any
    kind: type[str] | type[int] | type[float]
    choices: tuple[str, ...]
    """Where the value is one of a few texts."""
    group: Group
    help: str
    bounds: Meta
    annotation: Any
    words: Mapping[str, Any]
    """What may be written instead of some of its values: ``auto`` for 0 threads."""

    @classmethod
    def of(cls, name: str, default: Any, annotation: Any) -> Hyperparameter:
        plain, about = get_args(annotation)
        choices = get_args(plain) if get_origin(plain) is Literal else ()
        kind = str if choices else plain
        return cls(
            name,
            default,
            kind,
            choices,
            about.extra["group"],
            about.description,
            about,
            annotation,
            about.extra["words"],
        )


FIELDS: dict[str, Hyperparameter] = {
    field.name: Hyperparameter.of(field.name, field.default, field.type) for field in fields(RunConfig)
}
"""All hyperparameters by name, in the order in which they are shown."""


WORDS_FIELD = "data"  # takes what a person chooses as a word list
KEPT_BY_PRESETS = (WORDS_FIELD, "encoding", "level", "min_count")
"""What stays where a preset is chosen by hand, unless the preset says it: which words they are."""

_TRAINED = ("steps", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "eval_every", "patience", "schedule")
_SCHEDULED = ("decay_at", "decay_factor", "warmup", "decay_rate")
_MODEL_FIELDS = tuple(n for n, f in FIELDS.items() if f.group == "Model" and n != "model")


def _not_used_by(model: str) -> tuple[str, ...]:
    kind = KINDS[model]
    others = tuple(name for name in _MODEL_FIELDS if name not in kind.fields)
    return (*others, *_TRAINED, *_SCHEDULED, "device", "engine") if kind.counts else others


NOT_USED: dict[tuple[str, str], tuple[str, ...]] = {
    ("level", "character"): ("min_count",),
    **{("model", model): _not_used_by(model) for model in KINDS},
    ("optimizer", "adamw"): ("momentum",),
    ("schedule", "constant"): _SCHEDULED,
    ("schedule", "step"): ("warmup", "decay_rate"),
    ("schedule", "cosine"): _SCHEDULED,
    ("schedule", "one-cycle"): ("decay_at", "decay_factor", "decay_rate"),
    ("schedule", "bengio"): ("decay_at", "decay_factor", "warmup"),
}
"""The fields that nothing is done with under a choice: (field, value) to their names."""


def allowed(name: str) -> str:
    """What a field takes, in words: ``a whole number from 1 to 256``."""
    field = FIELDS[name]
    if field.choices:
        return "one of " + ", ".join(field.choices)
    if field.kind is str:
        return _IN_WORDS.get(name, "a text that is not empty")
    limits = ((words, getattr(field.bounds, key)) for key, words in _BOUNDS.items())
    parts = [w.format(f"{v:,}" if isinstance(v, int) else f"{v:g}") for w, v in limits if v is not None]
    kind = "a whole number" if field.kind is int else "a number"
    if len(parts) == 1 and field.bounds.ge is not None:
        parts.append("on")
    elif len(parts) == 2 and field.bounds.gt is not None:
        parts[1] = parts[1].replace("to ", "and at most ")
    return ", or ".join([*field.words, " ".join([kind, *parts])])


_IN_WORDS = {
    "device": "auto, cpu, mps, cuda or cuda:N",
    "engine": "auto, eager, compiled, or a run's record such as eager:6000,compiled",
}
_BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}


def fields_by_group() -> dict[str, list[str]]:
    """The names of all fields, in their order, by group."""
    groups: dict[str, list[str]] = {}
    for name, field in FIELDS.items():
        groups.setdefault(field.group, []).append(name)
    return groups


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
        return sum(getattr(preset, f) != getattr(config, f) for f in FIELDS if f not in KEPT_BY_PRESETS)

    return min(PRESETS, key=differences)


def text_of(value: Any, name: str | None = None) -> str:
    """A field's value as a person types it, by the word for it where the field of that ``name`` has one;
    ``parse_field`` gives the same value again."""
    words = FIELDS[name].words if name in FIELDS else {}
    plain = value if isinstance(value, str) else repr(value)
    return next((word for word, meant in words.items() if meant == value), plain)


def parse_field(name: str, value: Any, called: str = "") -> Any:
    """The value of one field from text, or from a value of another source. Raises ConfigError.

    ``called``: what the message calls the field, if not by its name.
    """
    field = FIELDS[name]

    def refusal() -> ConfigError:
        return ConfigError(f"{called or name}: {_quoted(value)} is not allowed; give {allowed(name)}")

    if isinstance(value, str) and value.strip() in field.words:
        return field.words[value.strip()]
    try:
        given = field.kind(value) if isinstance(value, str) else value  # '.5', ' 7' and '1_000' as Python reads them
        taken = convert(given, field.annotation, strict=False)  # 1000.0 is a whole number
    except ValueError:  # of which ValidationError is one
        raise refusal() from None
    if isinstance(taken, float) and not math.isfinite(taken):
        raise refusal()
    return taken


def make_config(
    preset: str | None = None, file: Path | None = None, flags: Mapping[str, Any] | None = None
) -> RunConfig:
    """The configuration of a preset, a TOML file and flags, in rising precedence.

    The file may name a preset itself; one given here wins over it. Where neither does, a model that is asked for
    brings its own. Raises ConfigError.
    """
    from_file = _read_toml(file) if file else {}
    preset_of_file = from_file.pop("preset", None)
    kind = KINDS.get(str((from_file | dict(flags or {})).get("model")))
    name = preset or preset_of_file or (kind.preset if kind else "default")
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError(f"--preset: {_quoted(name)} is not allowed; give {_one_of(PRESETS, str(name))}")
    sources = dict.fromkeys(from_file, f"{file}: ") | dict.fromkeys(flags or {}, "--")
    return validate(PRESETS[name] | from_file | dict(flags or {}), sources)


_OLD_NAME = ("init", "scaled")
"""What runs of version 0.1 call kaiming."""


def validate(values: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> RunConfig:
    """A RunConfig from values; ``sources`` says where each came from, for the message. Raises ConfigError."""
    sources = sources or {}
    taken = {}
    for name, value in values.items():
        prefix = sources.get(name, "")
        called = prefix + (name.replace("_", "-") if prefix == "--" else name)
        if name not in FIELDS:
            raise ConfigError(f"{called[:_MAX_QUOTED]}: is not a hyperparameter; {_suggest(FIELDS, name)}")
        taken[name] = parse_field(name, "kaiming" if (name, value) == _OLD_NAME else value, called)
    config = RunConfig(**taken)
    if config.model == "transformer" and config.embedding % config.heads:
        raise ConfigError(
            f"heads: {config.heads} do not divide an embedding of {config.embedding}; give a divisor of it"
        )
    _check_engine(config)
    if config.train_fraction + config.dev_fraction > 1 + 1e-9:
        raise ConfigError(
            f"train_fraction, dev_fraction: {config.train_fraction:g} and {config.dev_fraction:g} are more than "
            "the whole; give two shares that add up to at most 1"
        )
    return config


def _check_engine(config: RunConfig) -> None:
    if config.engine == AUTO or config.counts:
        return
    try:
        record = EngineRecord.parse(config.engine)
    except ValueError as error:
        raise ConfigError(f"engine: {config.engine} is not allowed ({error}); give {allowed('engine')}") from None
    reason = uncompiled(config.counts, config.dropout)
    if reason and any(name == "compiled" for _, name in record.changes):
        raise ConfigError(f"engine: {config.engine} is not allowed ({reason}); give eager or auto, or no dropout")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
        if len(raw) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: is larger than 1 MiB; give a TOML file of hyperparameters")
        values = tomllib.loads(raw.decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a TOML file of hyperparameters") from None
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or a number of thousands of digits
        raise ConfigError(f"{path}: is not TOML ({error}); write lines such as  steps = 1000") from None
    return {key.replace("-", "_"): value for key, value in values.items()}


def _quoted(value: Any) -> str:
    """A value that is not allowed, as Python writes it, cut where it is longer than a line."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or lists in lists in lists
        return "what stands there"
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}..."


def _one_of(names: Mapping[str, Any], wrong: str) -> str:
    close = difflib.get_close_matches(wrong[:_MAX_QUOTED], names, 1)
    return f"one of {', '.join(names)}" + (f" (did you mean {close[0]}?)" if close else "")


def _suggest(names: Mapping[str, Any], wrong: str) -> str:
    close = difflib.get_close_matches(wrong[:_MAX_QUOTED], names, 1)
    return f"did you mean {close[0]}?" if close else f"allowed are {', '.join(names)}"
