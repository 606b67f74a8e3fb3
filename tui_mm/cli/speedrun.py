"""`speedrun`: the preset of that name against the notebook's 200,000 steps."""

from __future__ import annotations

import math
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import click

from data.catalog import STDIN
from tui_mm.cli.experiment import default_words
from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import config_from, config_options, home_option, json_option
from tui_mm.cli.output import ascii_only, print_json, say, terminal_width
from tui_mm.cli.race import finish, heading, introduction, lap_row, make_display, ratios_of, verdict
from tui_mm.config import ConfigError, RunConfig
from tui_mm.experiments.race import TURN_STEPS, Race, RaceStoppedError, check_race, usual_target
from tui_mm.runs.home import Home
from tui_mm.signals import stop_on_signals
from tui_mm.words import load_words

EXIT_MISSED = 1
_MOST_SEEDS = 1000


@click.command(
    "speedrun",
    cls=PagedCommand,
    short_help="Race the notebook to its own dev loss.",
    examples=(
        ("makemore-tui speedrun", "five cold starts against the notebook's 200,000 steps"),
        ("makemore-tui speedrun --full", "the notebook takes all its steps: a minute more, and its true dev loss"),
        ("makemore-tui speedrun --steps 300 --lr 0.03", "a recipe of your own"),
        ("makemore-tui speedrun --preset default --target 2.05", "another preset, to another loss"),
        ("makemore-tui speedrun --json", "for another program"),
    ),
)
@click.option(
    "--seeds",
    type=click.IntRange(1, _MOST_SEEDS),
    default=5,
    show_default=True,
    metavar="N",
    help="Cold starts, with the seeds 1, 2, ...",
)
@click.option(
    "--target",
    type=float,
    metavar="X",
    help="Dev loss to reach, in nats [default: the notebook's where it is known, 2.17 on the lecture's names and 2.49 "
    "on the bundled ones; else bigram counts less 0.1].",
)
@click.option("--full", is_flag=True, help="The notebook takes all its 200,000 steps.")
@click.option("--ascii", "ascii_wanted", is_flag=True, help="Draw with ASCII characters alone.")
@click.option("--notebook-steps", type=click.IntRange(_MOST_SEEDS), hidden=True, help="In the place of 200,000.")
@config_options
@home_option
@json_option
@click.pass_context
def speedrun_command(
    context: click.Context,
    /,
    home: Home,
    seeds: int,
    target: float | None,
    full: bool,
    ascii_wanted: bool,
    notebook_steps: int | None,
    as_json: bool,
    **keywords: Any,
) -> int:
    """Race the preset speedrun to the dev loss for which the lecture's notebook takes 200,000 steps.

    Every start of ours is cold: a new process, until the loss over the whole dev split is known. The notebook's loop is
    timed in turns with them, on the same machine. Other hyperparameters take the place of the preset's. Exit code 0:
    every seed reached the target; 1: not.
    """
    if target is not None and not math.isfinite(target):
        raise ConfigError(f"--target: {target:g} is not allowed; give a number")
    config = _config(keywords, home)
    corpus = load_words(config, home.datasets)
    check_race(config, corpus)
    usual, why = usual_target(config, corpus)
    if target is not None:
        usual, why = target, ""
    ascii_alone = ascii_wanted or context.find_root().params.get("ascii_wanted") or ascii_only()
    with ExitStack() as stack:
        if config.data == STDIN:  # which is read by now, and every process needs the words
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (folder / "words.txt").write_text(corpus.text(), encoding="utf-8")
            config = config.but(data=str(folder / "words.txt"), encoding="utf-8")
        stop = stack.enter_context(stop_on_signals())
        race = Race(config, home.datasets, usual, notebook_steps=notebook_steps, should_stop=stop)
        total = race.notebook_config.steps
        turn = min(TURN_STEPS, total)
        how = f"all {total:,}" if full else f"{turn:,} before each start of ours, scaled to {total:,}"
        words = f"{corpus.name}, {len(corpus):,} words"
        for line in introduction(race, words, why, how, terminal_width()):
            say(line, err=as_json)
        say(f"\n{heading()}", err=as_json)
        display = make_display(race, as_json=as_json, ascii_only=ascii_alone)
        race.watch = display
        notebook_dev = None
        try:
            with race, display:
                for lap in race.run(seeds, turn_steps=turn, full=full):
                    display.tell(lap_row(lap, total))
                notebook_dev = race.notebook_dev() if race.is_whole else None
        except RaceStoppedError:
            say("stopped", err=True)
    if as_json:
        facts = {"name": corpus.name, "words": len(corpus), "sha256": corpus.sha256}
        print_json(_document(race, facts, notebook_dev, full=full, stopped=stop()))
    else:
        say()
        for line in finish(race, terminal_width(), ascii_only=ascii_alone, notebook_dev=notebook_dev):
            say(line)
        if race.laps:
            say(verdict(race, seeds))
    if stop():
        return stop.exit_code
    return 0 if all(lap.seconds is not None for lap in race.laps) else EXIT_MISSED


def _config(keywords: dict[str, Any], home: Home) -> RunConfig:
    """The preset, unless another configuration is named. On the lecture's names, if they are here, and one thread."""
    named = (keywords["preset"], keywords["config_file"], keywords["hyper_model"])
    preset = keywords["preset"] if any(named) else "speedrun"
    config = config_from(keywords | {"preset": preset})
    if keywords["hyper_data"] is None and config.data == "names":
        config = config.but(data=default_words(home))
    return config.but(threads=config.threads or 1, device="cpu" if config.device == "auto" else config.device)


def _document(
    race: Race, facts: dict[str, Any], notebook_dev: float | None, *, full: bool, stopped: bool
) -> dict[str, Any]:
    """Seconds throughout; what is not known is null."""
    ratios = ratios_of(race)
    laps = [
        {
            "seed": lap.seed,
            "reached": lap.seconds is not None,
            "seconds": lap.seconds,
            "seconds_from_words": lap.from_words,
            "step": lap.step,
            "dev": lap.dev if math.isfinite(lap.dev) else None,
            "notebook_seconds": lap.notebook,
            "ratio": ratios.get(lap.seed),
        }
        for lap in race.laps
    ]
    return {
        "data": facts,
        "target": race.target,
        "config": race.config.values(),
        "notebook": {
            "steps": race.notebook_config.steps,
            "full": full,
            "seconds": race.notebook_seconds if race.turns else None,
            "dev": notebook_dev,
            "turns": [{"steps": steps, "seconds": seconds} for steps, seconds in race.turns],
        },
        "laps": laps,
        "ratio": median(ratios.values()) if ratios else None,
        "worst_ratio": min(ratios.values(), default=None),
        "reached": bool(laps) and not stopped and all(lap["reached"] for lap in laps),
        "stopped": stopped,
    }
