"""Options that several commands share; those of the hyperparameters come from RunConfig."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tui_mm.cli.help import GroupedOption
from tui_mm.config import FIELDS, RunConfig, allowed, make_config, text_of
from tui_mm.presets import PRESET_SUMMARIES
from tui_mm.runs.home import Home

F = TypeVar("F", bound=Callable[..., Any])


def config_options(command: F, *, hidden: bool = False) -> F:
    """--preset, --config, and a flag for every hyperparameter. The command is given them all as keywords; pass
    these to ``config_from``. ``hidden``: not in this command's help."""
    presets = "; ".join(f"{name}: {summary}" for name, summary in PRESET_SUMMARIES.items())
    options = [
        click.option(
            "--preset", metavar="NAME", help=f"{presets}.", cls=GroupedOption, group="Configuration", hidden=hidden
        ),
        click.option(
            "--config",
            "config_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="TOML file of hyperparameters; flags win over it, it wins over the preset.",
            cls=GroupedOption,
            group="Configuration",
            hidden=hidden,
        ),
    ]
    for name, field in FIELDS.items():
        options.append(
            click.option(
                f"--{name.replace('_', '-')}",
                f"hyper_{name}",
                metavar=_metavar(name),
                help=f"{field.help} [{_limits(name)}]",
                cls=GroupedOption,
                group=field.group,
                hidden=hidden,
            )
        )
    for option in reversed(options):
        command = option(command)
    return command


def config_from(keywords: dict[str, Any]) -> RunConfig:
    """The configuration of a command's keywords. Raises ConfigError."""
    flags = {
        key.removeprefix("hyper_"): value
        for key, value in keywords.items()
        if key.startswith("hyper_") and value is not None
    }
    return make_config(keywords["preset"], keywords["config_file"], flags)


def home_option(command: F) -> F:
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        callback=lambda _c, _p, value: Home.find(value),
        help="Where runs are kept [default: MAKEMORE_HOME, else the platform's state folder].",
    )(command)


def home_of(context: click.Context, own: Home) -> Home:
    """The home of a subcommand: --home may stand before it, with its group's name, or after it."""
    given = context.get_parameter_source("home")
    return context.obj if given is click.core.ParameterSource.DEFAULT else own


def detach_option(command: F) -> F:
    return click.option(
        "--detach", is_flag=True, help="Train in the background and return at once; 'makemore-tui attach' shows it."
    )(command)


def json_option(command: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON document on standard output; progress on standard error."
    )(command)


def _limits(name: str) -> str:
    """What is allowed, where the metavar does not say it, and the default."""
    field = FIELDS[name]
    says_it = bool(field.choices) or (field.kind is str and name != "device")
    return ("" if says_it else f"{allowed(name)}, ") + f"default {text_of(field.default, name)}"


def _metavar(name: str) -> str:
    field = FIELDS[name]
    plain = {int: "N", float: "X"}.get(field.kind, "TEXT")
    return "|".join(field.choices or (*field.words, plain))
