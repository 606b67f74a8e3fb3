"""`data`: what a word list looks like, and fetching those that are not bundled."""

from __future__ import annotations

from dataclasses import asdict

import click

from data.catalog import CATALOG, cached_path, fetch, load
from data.corpus import Corpus
from data.splits import Splits, split_words
from data.statistics import Statistics, describe
from tui_mm.cli.help import PagedCommand, PagedGroup
from tui_mm.cli.options import home_option, json_option
from tui_mm.cli.output import print_json, print_table, say, terminal_width
from tui_mm.runs.home import Home
from tui_mm.text import printable

_FIRST_WORDS = 5


@click.group(
    "data",
    cls=PagedGroup,
    examples=(
        ("makemore-tui data show", "the bundled names"),
        ("makemore-tui data show words.txt", "your own list"),
        ("makemore-tui data fetch lecture-names", "the lectures' names.txt"),
    ),
)
def data_group() -> None:
    """Look at word lists and fetch the lectures'."""


@data_group.command("show", cls=PagedCommand, examples=(("makemore-tui data show words.txt", "a list in numbers"),))
@click.argument("source", metavar="[SET]", default="names")
@click.option("--encoding", default="utf-8", show_default=True, metavar="TEXT", help="Text encoding of the file.")
@home_option
@json_option
def show_command(source: str, encoding: str, home: Home, as_json: bool) -> int:
    """Show a word list in numbers: a named set, a file, or - for standard input."""
    corpus = load(source, cache=home.datasets, encoding=encoding)
    splits = _splits(corpus)
    found = describe(splits)
    if as_json:
        print_json(asdict(found))
        return 0
    _print_statistics(found, splits)
    if source == "names":
        say()
        print_table(
            [
                (item.name, item.summary, _whereabouts(item.url, cached_path(item, home.datasets).exists()))
                for item in CATALOG.values()
            ],
            ("set", "what it is", ""),
        )
    return 0


@data_group.command(
    "fetch", cls=PagedCommand, examples=(("makemore-tui data fetch lecture-names", "the lectures' names.txt"),)
)
@click.argument("name", metavar="SET", default="lecture-names")
@home_option
def fetch_command(name: str, home: Home) -> int:
    """Download a named set once, over HTTPS, and check that it is the right file."""
    path = fetch(name, cache=home.datasets)
    say(f"{name}: {printable(str(path))}")
    return 0


def _splits(corpus: Corpus) -> Splits:
    """80/10/10 as a training has them; a list too short for that as one train split."""
    if len(corpus) < 6:
        return split_words(corpus, train_fraction=1, dev_fraction=0)
    return split_words(corpus)


def _print_statistics(s: Statistics, splits: Splits) -> None:
    rows = [
        ("words", f"{s.words:,}, {s.distinct:,} distinct, {s.duplicates:,} repeats"),
        ("first words", " ".join(splits.corpus.head(_FIRST_WORDS).words())),
        ("characters", f"{len(s.characters)} and the end of a word: {_shortened(s.characters)}"),
        ("length", f"{s.shortest} to {s.longest} characters"),
        ("examples", f"{s.examples:,}"),
    ]
    for name, split in s.splits.items():
        if split.words:
            shared = f", {split.shared_with_train:,} of these words also in train" if name != "train" else ""
            rows.append((f"  {name}", f"{split.words:,} words, {split.examples:,} examples{shared}"))
    rows += [
        (
            "bigrams",
            f"{s.distinct_bigrams:,} kinds; most frequent: "
            + "  ".join(f"{a}{b} {count:,}" for a, b, count in s.bigrams[:8]),
        ),
        (
            "losses",
            f"uniform ln {s.vocabulary} = {s.uniform_loss:.4f}, letters by frequency {s.unigram_entropy:.4f}, "
            f"bigram counts {s.bigram_loss:.6f} ({s.smoothed_bigram_loss:.6f} with 1 added)",
        ),
    ]
    print_table(rows)
    say("words by length")
    most = max(s.lengths.values())
    width = min(50, terminal_width() - 24)
    shown = list(s.lengths.items())
    for length, count in shown[:24]:
        say(f"  {length:>4}  {count:>10,}  {'#' * max(1, round(width * count / most))}")
    if len(shown) > 24:
        say(f"  ... and {len(shown) - 24} more lengths, up to {s.longest:,}")


def _shortened(characters: str, most: int = 60) -> str:
    return characters if len(characters) <= most else f"{characters[:most]}..."


def _whereabouts(url: str, cached: bool) -> str:
    if not url:
        return "bundled"
    return "fetched" if cached else "not fetched yet"
