"""`grid`: every combination of some hyperparameters, trained at once."""

from __future__ import annotations

import shlex
from typing import Any

import click

from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import config_options, home_option, json_option
from tui_mm.cli.output import print_json, print_table, say
from tui_mm.cli.replicas import finite, train_replicas
from tui_mm.config import text_of
from tui_mm.runs.home import Home
from tui_mm.text import nats
from tui_mm.words import load_words, split_for


@click.command(
    "grid",
    cls=PagedCommand,
    short_help="Try combinations of hyperparameters.",
    examples=(
        ("makemore-tui grid --preset lecture --steps 2000 --lr 0.05,0.1,0.2 --momentum 0,0.9", "six, three times each"),
        ("makemore-tui grid --weight-decay 0,0.01,0.1 --seeds 5 --json", "of the default preset, as JSON"),
    ),
)
@click.option("--seeds", type=int, default=3, show_default=True, metavar="S", help="Trainings of each combination.")
@config_options
@home_option
@json_option
def grid_command(home: Home, seeds: int, as_json: bool, **keywords: Any) -> int:
    """Train every combination of hyperparameters, S times from seeds of their own, all in one batched training.

    Several values of a flag stand with commas between them. That may be --init, --lr, --momentum, --weight-decay,
    --schedule, --decay-at, --decay-factor, --warmup and --decay-rate: they leave the model's shape, the minibatches and
    the steps as they are. All other flags have one value, as in 'train'.

    The loss is that of the whole dev split after the last step; without a dev split, the mean over the minibatches of
    the last tenth of the steps. A training has diverged where a loss was not finite or the end is above the start.
    Combinations are sorted by the mean over their seeds; behind them those of which a seed diverged. Nothing is kept:
    the last line is the command that trains the best.
    """
    from tui_mm.training.grid import GridResult, make_grid

    flags = {
        key.removeprefix("hyper_"): value
        for key, value in keywords.items()
        if key.startswith("hyper_") and value is not None
    }
    grid = make_grid(keywords["preset"], keywords["config_file"], flags, seeds)
    config = grid.combinations[0]
    found = train_replicas(grid.configs, split_for(config, load_words(config, home.datasets)), as_json=as_json)
    result = GridResult(found.losses.reshape(len(grid.combinations), seeds))
    best = result.best
    command = None if best is None else _command(keywords, flags, grid.values(best))
    if as_json:
        print_json(
            {
                "varied": {name: list(values) for name, values in grid.varied.items()},
                "seeds": [c.seed for c in grid.configs[:seeds]],
                "steps": config.steps,
                "measured": found.measured,
                "combinations": [
                    {
                        "values": grid.values(k),
                        "losses": finite(result.losses[k].tolist()),
                        "mean": finite([result.mean(k)])[0],
                        "diverged": int(result.diverged[k]),
                        "as_good": result.is_as_good(k),
                    }
                    for k in result.order
                ],
                "best": None if best is None else grid.values(best),
                "command": command,
                "seconds": found.seconds,
            }
        )
        return 0
    names = [name.replace("_", "-") for name in grid.varied]
    rows = []
    for k in result.order:
        kept = result.kept(k)
        shown = [nats(float(x)) for x in (kept.mean(), kept.min(), kept.max())] if len(kept) else ["-"] * 3
        lost = f"{result.diverged[k]} of {seeds}" if result.diverged[k] else ""
        mark = "best" if k == best else "as good" if result.is_as_good(k) else ""
        rows.append((*map(text_of, grid.values(k).values()), *shown, lost, mark))
    print_table(rows, (*names, f"{found.measured}, mean", "least", "greatest", "diverged", ""))
    say(f"{len(grid.configs):,} replicas of {config.steps:,} steps in {found.seconds:.1f} s")
    say(f"train it: {command}" if command else "in every combination a seed diverged: give a lower --lr")
    return 0


def _command(keywords: dict[str, Any], flags: dict[str, str], values: dict[str, Any]) -> str:
    """What trains one combination: all that was given, with its own values."""
    parts = ["makemore-tui", "train"]
    for option, given in (("--preset", keywords["preset"]), ("--config", keywords["config_file"])):
        parts += [option, str(given)] if given else []
    for name, value in (flags | {name: text_of(value) for name, value in values.items()}).items():
        parts += [f"--{name.replace('_', '-')}", value]
    return shlex.join(parts)
