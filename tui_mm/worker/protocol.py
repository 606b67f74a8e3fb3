"""What a worker can be asked: the commands of a run's inbox, by name. No torch: viewers use this too."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from msgspec import Struct, ValidationError, convert
from msgspec.structs import asdict, fields


class CommandError(ValueError):
    """A command that cannot be carried out; one line for a person."""


class Command(Struct, frozen=True):
    """A request to who trains. ``kind`` is its name in the inbox; the fields are its arguments."""

    kind: ClassVar[str]

    def arguments(self) -> dict[str, Any]:
        return asdict(self)


class Start(Command, frozen=True):
    """Train, from the last checkpoint if there is one; or go on after a pause."""

    kind: ClassVar[str] = "start"


class Pause(Command, frozen=True):
    kind: ClassVar[str] = "pause"


class Step(Command, frozen=True):
    """Train so many steps, then pause."""

    kind: ClassVar[str] = "step"
    count: int = 1


class Stop(Command, frozen=True):
    """Keep a checkpoint and end the training; ``start`` goes on from it."""

    kind: ClassVar[str] = "stop"


class SetLr(Command, frozen=True):
    kind: ClassVar[str] = "set lr"
    lr: float = 0.0


class Sample(Command, frozen=True):
    """Names, and the distribution of what follows the prefix."""

    kind: ClassVar[str] = "sample"
    prefix: str = ""
    count: int = 20
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    max_length: int = 100


class Compare(Command, frozen=True):
    """What follows a prefix, and names from one seed, of several runs of the same home, by their whole ids.

    The run that is asked answers with its model as it is now (with its checkpoint, if it diverged), the others with
    their checkpoints: ``last`` or ``best``, and with ``best`` all of them do. likeliest: of how many next characters
    the probabilities are told
    """

    kind: ClassVar[str] = "compare"
    runs: tuple[str, ...] = ()
    prefix: str = ""
    count: int = 10
    likeliest: int = 8
    seed: int = 0
    checkpoint: Literal["last", "best"] = "last"
    max_length: int = 100


class Evaluate(Command, frozen=True):
    """The loss over a whole split, now."""

    kind: ClassVar[str] = "evaluate"
    split: str = "dev"


class Sweep(Command, frozen=True):
    """The learning-rate range test from a fresh model; its points appear in the store as they come."""

    kind: ClassVar[str] = "sweep"
    low: float = -3.0
    high: float = 0.0
    points: int = 1000


class TrainedSweep(Command, frozen=True):
    """A training at every rate, so many steps with so many seeds each, all at once; the losses of all of them appear
    in the store as they train, and stand for the whole dev split at the end."""

    kind: ClassVar[str] = "trained sweep"
    low: float = -3.0
    high: float = 0.0
    rates: int = 16
    seeds: int = 4
    steps: int = 1000


class EndSweep(Command, frozen=True):
    """No more of the sweep that is under way; what it found stays."""

    kind: ClassVar[str] = "end sweep"


class Checkpoint(Command, frozen=True):
    kind: ClassVar[str] = "checkpoint"


class Inspect(Command, frozen=True):
    """A look into the model: its ``embedding``, ``layers`` or ``bigrams``, of so many of the most frequent characters.

    average: bigrams as the mean prediction after training contexts that end in a character, not after it alone
    """

    kind: ClassVar[str] = "inspect"
    what: str = "embedding"
    characters: int = 64
    average: bool = False


class Configure(Command, frozen=True):
    """Other hyperparameters, by name, for a run that was never trained; its words and their split stay."""

    kind: ClassVar[str] = "configure"
    values: dict[str, Any] = {}


COMMANDS: dict[str, type[Command]] = {
    c.kind: c
    for c in (
        Start, Pause, Step, Stop, SetLr, Sample, Compare, Evaluate, Sweep, TrainedSweep, EndSweep, Checkpoint, Inspect,
        Configure,
    )
}  # fmt: skip


ORDERS = (Start, Pause, Step, Stop, SetLr, Evaluate, Sweep, TrainedSweep, EndSweep, Checkpoint, Configure)
"""What changes a run or takes its time, of which all its viewers are told."""


def describe(command: Command) -> str:
    """A command as a line: ``set lr 0.05``, ``step 100``."""
    values = [v for v in command.arguments().values() if not isinstance(v, dict)]
    return " ".join([command.kind, *(f"{v:g}" if isinstance(v, float) else str(v) for v in values)])


def parse(name: str, arguments: Any) -> Command:
    """The command of an inbox row. Raises CommandError for one that is not known, or with other arguments."""
    kind = COMMANDS.get(name)
    if kind is None:
        raise CommandError(f"{name}: is no command; allowed are {', '.join(COMMANDS)}")
    taken = [field.name for field in fields(kind)]
    if not isinstance(arguments, dict) or not arguments.keys() <= set(taken):
        raise CommandError(f"{name}: takes {', '.join(taken) or 'no arguments'}")
    try:
        return convert(arguments, kind)
    except ValidationError as error:
        raise CommandError(f"{name}: {error}") from None
