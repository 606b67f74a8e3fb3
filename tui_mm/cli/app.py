"""The command `makemore-tui`: its subcommands, its one-line errors and its exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tui_mm import __version__
from tui_mm.cli.help import WordsGroup
from tui_mm.cli.options import config_from, config_options, home_option
from tui_mm.cli.output import say
from tui_mm.cli.usage import explain
from tui_mm.config import ConfigError
from tui_mm.runs.home import Home, RunError
from tui_mm.text import printable

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_USER_ERRORS = ("CorpusError", "VocabularyError", "SamplingError", "DeviceError")  # by name: their modules load much


def _with_config(command: Any) -> Any:
    return config_options(command, hidden=True)


_COMMANDS = {
    "train": "tui_mm.cli.train:train_command",
    "sweep": "tui_mm.cli.sweep:sweep_command",
    "speedrun": "tui_mm.cli.speedrun:speedrun_command",
    "grid": "tui_mm.cli.grid:grid_command",
    "sample": "tui_mm.cli.sample:sample_command",
    "eval": "tui_mm.cli.sample:eval_command",
    "runs": "tui_mm.cli.runs:runs_group",
    "compare": "tui_mm.cli.compare:compare_command",
    "experiment": "tui_mm.cli.experiment:experiment_command",
    "experiments": "tui_mm.cli.experiments:experiments_group",
    "resume": "tui_mm.cli.train:resume_command",
    "attach": "tui_mm.cli.attach:attach_command",
    "pause": "tui_mm.cli.control:pause_command",
    "stop": "tui_mm.cli.control:stop_command",
    "export": "tui_mm.cli.export:export_command",
    "logs": "tui_mm.cli.logs:logs_command",
    "replay": "tui_mm.cli.replay:replay_command",
    "data": "tui_mm.cli.data:data_group",
}


@click.group(
    cls=WordsGroup,
    lazy=_COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    examples=(
        ("makemore-tui", "the dashboard, on the bundled names"),
        ("makemore-tui words.txt", "the dashboard, on your own list, one word a line"),
        ("makemore-tui --preset lecture --data lecture-names", "any option of 'train' works here too"),
        ("makemore-tui train --data words.txt", "train without the dashboard"),
        ("makemore-tui sample last --prefix em", "names from the newest run"),
        ("makemore-tui sweep", "find the learning rate"),
        ("makemore-tui runs", "everything trained so far"),
        ("makemore-tui attach", "the training that goes on, from any terminal"),
        ("makemore-tui --headless --press 'l s e m' --screenshot a.svg", "the dashboard without a terminal"),
    ),
)
@click.version_option(__version__, prog_name="makemore-tui")
@click.option("--ascii", "ascii_wanted", is_flag=True, help="Draw with ASCII characters alone.")
@click.option("--headless", is_flag=True, help="The dashboard without a terminal: trains, then prints the result.")
@click.option("--size", metavar="WxH", help="With --headless: columns and rows [default: 120x36].")
@click.option(
    "--press", multiple=True, metavar="KEYS", help="With --headless: keys to press while it trains, such as 'l s e m'."
)
@click.option(
    "--screenshot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --headless: keep the last screen as SVG.",
)
@home_option
@_with_config
@click.pass_context
def app(
    context: click.Context,
    /,
    home: Home,
    ascii_wanted: bool,
    headless: bool,
    size: str | None,
    press: tuple[str, ...],
    screenshot: Path | None,
    **keywords: Any,
) -> int:
    """Learn and watch character-level language models in the terminal.

    Without a command, opens the dashboard; where there is no terminal, trains as 'makemore-tui train' does.

    RUN, in the commands that take one, is a run's id, a unique prefix of it, its name, or 'last'.
    Runs are kept in the home folder: --home, else MAKEMORE_HOME, else the platform's state folder.
    """
    if context.invoked_subcommand is not None:
        given = [key for key, value in keywords.items() if value is not None]
        given += ["home"] if context.get_parameter_source("home") is ParameterSource.COMMANDLINE else []
        if given:
            flag = given[0].removeprefix("hyper_").removesuffix("_file").replace("_", "-")
            raise click.UsageError(f"--{flag} stands after the command: {context.invoked_subcommand} --{flag} ...")
        return 0
    config = config_from(keywords)
    if headless:
        from tui_mm.cli.headless import headless_dashboard

        return headless_dashboard(config, home, size, press, screenshot, ascii_only=ascii_wanted)
    for flag, value in (("--size", size), ("--press", press), ("--screenshot", screenshot)):
        if value:
            raise click.UsageError(f"{flag} goes with --headless")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        from tui_mm.cli.train import train

        say("no terminal here: training as 'makemore-tui train' does", err=True)
        return train(config, home)
    from tui_mm.cli.dashboard import open_dashboard

    is_plain = all(value is None for value in keywords.values())
    return open_dashboard(config, home, ascii_only=ascii_wanted, offers=is_plain)


def run(arguments: Sequence[str] | None = None) -> int:
    """The command line's exit code: 0 done, 1 training failed, 2 wrong use or input, 130/143 stopped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name in a script that the locale cannot show
    try:
        result = app.main(arguments, prog_name="makemore-tui", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        _complain("stopped")
        return EXIT_INTERRUPTED
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "makemore-tui"
        _complain(f"error: {explain(error)}; see '{where} --help'")
        return EXIT_USAGE
    except click.ClickException as error:
        _complain(f"error: {error.format_message()}")
        return EXIT_USAGE
    except (ConfigError, RunError) as error:
        _complain(f"error: {error}")
        return EXIT_USAGE
    except ValueError as error:
        if type(error).__name__ not in _USER_ERRORS:
            raise
        _complain(f"error: {error}")
        return EXIT_USAGE
    except BrokenPipeError:
        # whoever read our output has enough; keep the interpreter from flushing into the closed pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ImportError, AttributeError, OSError):
        from tui_mm.training.torch_fault import torch_fault

        fault = torch_fault()
        if not fault:
            raise
        _complain(f"error: {fault}")
        return EXIT_USAGE


def _complain(message: str) -> None:
    print(f"makemore-tui: {printable(message)}", file=sys.stderr)  # noqa: T201
