"""`data`: what a word list looks like, and fetching those that are not bundled."""

from __future__ import annotations

from dataclasses import asdict

import click

from data.catalog import CATALOG, cached_path, fetch, load
from data.corpus import Corpus
from data.levels import CHARACTER, LEVELS
from data.splits import Splits, split_words
from data.statistics import Statistics, describe
from data.tokens import UNKNOWN
from data.word_vocabulary import vocabulary_of
from tui_mm.cli.help import PagedCommand, PagedGroup
from tui_mm.cli.options import home_option, json_option
from tui_mm.cli.output import print_json, print_table, say, terminal_width
from tui_mm.config import FIELDS
from tui_mm.runs.home import Home
from tui_mm.text import printable

_FIRST = {"character": 5, "word": 2}
_MOST_LENGTHS = 24  # rows


@click.group(
    "data",
    cls=PagedGroup,
    examples=(
        ("makemore-tui data show", "the bundled names"),
        ("makemore-tui data show words.txt", "your own list"),
        ("makemore-tui data show book.txt --level word", "a text, whose words are learnt"),
        ("makemore-tui data fetch lecture-names", "the lectures' names.txt"),
    ),
)
def data_group() -> None:
    """Look at word lists and fetch the lectures'."""


@data_group.command("show", cls=PagedCommand, examples=(("makemore-tui data show words.txt", "a list in numbers"),))
@click.argument("source", metavar="[SET]", default="names")
@click.option("--encoding", default="utf-8", show_default=True, metavar="TEXT", help="Text encoding of the file.")
@click.option(
    "--level",
    type=click.Choice(list(LEVELS)),
    default="character",
    show_default=True,
    help="A list with one word a line, or the sentences of a plain text.",
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    default=FIELDS["min_count"].default,
    show_default=True,
    metavar="N",
    help=f"With --level word: {FIELDS['min_count'].help.partition(': ')[2]}.",
)
@home_option
@json_option
def show_command(source: str, encoding: str, level: str, min_count: int, home: Home, as_json: bool) -> int:
    """Show a word list, or a text, in numbers: a named set, a file, or - for standard input."""
    corpus = load(source, cache=home.datasets, encoding=encoding, level=level)
    splits = _splits(corpus, min_count)
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


def _splits(corpus: Corpus, min_count: int) -> Splits:
    """80/10/10 as a training has them; a list too short for that as one train split."""
    vocabulary = vocabulary_of(corpus, min_count)
    if len(corpus) < 6:
        return split_words(corpus, vocabulary, train_fraction=1, dev_fraction=0)
    return split_words(corpus, vocabulary)


def _print_statistics(s: Statistics, splits: Splits) -> None:
    level = LEVELS[s.level]
    between = "" if level == CHARACTER else " "
    rows = [
        (level.rows, f"{s.words:,}, {s.distinct:,} distinct, {s.duplicates:,} repeats"),
        (f"first {level.rows}", " ".join(splits.corpus.head(_FIRST[s.level]).words())),
        *_what_they_are_of(s),
        ("length", f"{s.shortest} to {s.longest} {level.units}"),
        ("examples", f"{s.examples:,}"),
    ]
    for name, split in s.splits.items():
        if split.words:
            shared = f", {split.shared_with_train:,} of these {level.rows} also in train" if name != "train" else ""
            rows.append((f"  {name}", f"{split.words:,} {level.rows}, {split.examples:,} examples{shared}"))
    rows += [
        (
            "bigrams",
            f"{s.distinct_bigrams:,} kinds; most frequent: "
            + "  ".join(f"{a}{between}{b} {count:,}" for a, b, count in s.bigrams[:8]),
        ),
        (
            "losses",
            f"uniform ln {s.vocabulary} = {s.uniform_loss:.4f}, {level.letters} by frequency {s.unigram_entropy:.4f}, "
            f"bigram counts {s.bigram_loss:.6f} ({s.smoothed_bigram_loss:.6f} with 1 added)",
        ),
    ]
    print_table(rows)
    say(f"{level.rows} by length")
    ranges = s.length_ranges(_MOST_LENGTHS)
    names = [f"{r[0]}" if len(r) == 1 else f"{r[0]}-{r[-1]}" for r, _ in ranges]
    label, most = max(4, *map(len, names)), max(count for _, count in ranges)
    width = min(50, terminal_width() - 20 - label)
    for name, (_, count) in zip(names, ranges, strict=True):
        say(f"  {name:>{label}}  {count:>10,}  {'#' * max(min(1, count), round(width * count / most))}".rstrip())


def _what_they_are_of(s: Statistics) -> list[tuple[str, str]]:
    """The characters of the words, or the words of the sentences."""
    if s.characters:
        return [("characters", f"{len(s.characters)} and the end of a word: {_shortened(s.characters)}")]
    known = s.vocabulary - 2
    return [
        (
            "words",
            f"{s.kinds:,}; {known:,} in the vocabulary, with the end of a sentence and the unknown word, {UNKNOWN}",
        ),
        ("unknown", f"{s.unknown:,} of {s.examples:,} predictions ({s.unknown / s.examples:.1%})"),
        ("frequent", "  ".join(f"{word} {count:,}" for word, count in s.frequent)),
    ]


def _shortened(characters: str, most: int = 60) -> str:
    return characters if len(characters) <= most else f"{characters[:most]}..."


def _whereabouts(url: str, cached: bool) -> str:
    if not url:
        return "bundled"
    return "fetched" if cached else "not fetched yet"
