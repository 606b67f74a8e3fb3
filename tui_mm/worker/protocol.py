"""What a worker can be asked: the commands of a run's inbox, by name. No torch: viewers use this too."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


class CommandError(ValueError):
    """A command that cannot be carried out; one line for a person."""


@dataclass(frozen=True)
class Command:
    """A request to who trains. ``kind`` is its name in the inbox; the fields are its arguments."""

    kind: ClassVar[str]

    def arguments(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Start(Command):
    """Train, from the last checkpoint if there is one; or go on after a pause."""

    kind = "start"


@dataclass(frozen=True)
class Pause(Command):
    kind = "pause"


@dataclass(frozen=True)
class Step(Command):
    """Train so many steps, then pause."""

    kind = "step"
    count: int = 1


@dataclass(frozen=True)
class Stop(Command):
    """Keep a checkpoint and end the training; ``start`` goes on from it."""

    kind = "stop"


@dataclass(frozen=True)
class SetLr(Command):
    kind = "set lr"
    lr: float = 0.0


@dataclass(frozen=True)
class Sample(Command):
    """Names, and the distribution of what follows the prefix."""

    kind = "sample"
    prefix: str = ""
    count: int = 20
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    max_length: int = 100


@dataclass(frozen=True)
class Evaluate(Command):
    """The loss over a whole split, now."""

    kind = "evaluate"
    split: str = "dev"


@dataclass(frozen=True)
class Sweep(Command):
    """The learning-rate range test from a fresh model; its points appear in the store as they come."""

    kind = "sweep"
    low: float = -3.0
    high: float = 0.0
    points: int = 1000


@dataclass(frozen=True)
class Checkpoint(Command):
    kind = "checkpoint"


@dataclass(frozen=True)
class Inspect(Command):
    """A look into the model: its ``embedding``, ``layers`` or ``bigrams``, of so many of the most frequent characters.

    average: bigrams as the mean prediction after training contexts that end in a character, not after it alone
    """

    kind = "inspect"
    what: str = "embedding"
    characters: int = 64
    average: bool = False


@dataclass(frozen=True)
class Configure(Command):
    """Other hyperparameters, by name, for a run that was never trained; its words and their split stay."""

    kind = "configure"
    values: dict[str, Any] = field(default_factory=dict)


COMMANDS: dict[str, type[Command]] = {
    c.kind: c for c in (Start, Pause, Step, Stop, SetLr, Sample, Evaluate, Sweep, Checkpoint, Inspect, Configure)
}


def parse(name: str, arguments: Any) -> Command:
    """The command of an inbox row. Raises CommandError for one that is not known, or with other arguments."""
    kind = COMMANDS.get(name)
    if kind is None:
        raise CommandError(f"{name}: is no command; allowed are {', '.join(COMMANDS)}")
    defaults = asdict(kind())
    if not isinstance(arguments, dict) or not arguments.keys() <= defaults.keys():
        raise CommandError(f"{name}: takes {', '.join(defaults) or 'no arguments'}")
    for key, value in arguments.items():
        wanted = type(defaults[key])
        allowed = (int, float) if wanted is float else wanted
        if isinstance(value, bool) is not (wanted is bool) or not isinstance(value, allowed):  # a bool is an int
            raise CommandError(f"{name}: {key} {value!r} is not allowed; give {wanted.__name__}")
    return kind(**arguments)
