"""Help written for a person: examples first, then the options in groups."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

Examples = Sequence[tuple[str, str]]


class _Paged(click.Command):
    """A command whose help begins with examples: (command line, what it does)."""

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_help(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl(list(self.examples))
            formatter.write_paragraph()
        super().format_help(context, formatter)


class PagedCommand(_Paged):
    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context)
            if record:
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


class PagedGroup(_Paged, click.Group):
    command_class = PagedCommand


class WordsGroup(PagedGroup):
    """A group that takes a word list in place of a command: ``makemore-tui words.txt``.

    ``lazy``: its commands, by name, as ``module:attribute``; they are imported when they are asked for, so that the
    dashboard starts without them.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self._lazy:
            return None
        module, attribute = self._lazy[name].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        if arguments and arguments[0] not in self._lazy and _is_words(arguments[0]):
            arguments = ["--data", *arguments]
        return super().parse_args(context, arguments)


def _is_words(argument: str) -> bool:
    if os.path.isfile(argument):  # noqa: PTH113, a string that may be no path
        return True
    from data.catalog import CATALOG  # loads numpy

    return argument in CATALOG


class GroupedOption(click.Option):
    """An option that help lists under a heading."""

    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group
