"""``python -m benchmarks``: runs every measurement and prints one table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.gpu import captured_row
from benchmarks.machine import gpu_name
from benchmarks.quality import is_lecture_list, quality_rows
from benchmarks.replicas import replicas_row
from benchmarks.report import LEAST_REPEATS, repeats_argument, report
from benchmarks.row import Row
from benchmarks.scale import scale_rows
from benchmarks.steps import steps_rows
from benchmarks.windows import windows_rows
from data.catalog import CATALOG, load
from data.corpus import Corpus, CorpusError
from tui_mm.runs.home import Home

_QUICK_WORDS = 5_000


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 also when a target is not met, 2 for words that cannot be used."""
    arguments = _parser().parse_args(argv)
    repeats = 1 if arguments.quick else arguments.repeats
    gpu = gpu_name()
    try:
        corpus = load(arguments.data, cache=Home.find().datasets)
        _check(corpus)
        if arguments.quick:
            corpus = corpus.head(_QUICK_WORDS)
        rows = _measure(corpus, repeats, quick=arguments.quick, large=not arguments.skip_large, on_gpu=gpu is not None)
    except CorpusError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    facts = {
        "name": corpus.name if corpus.name in CATALOG else Path(corpus.name).name,
        "words": len(corpus),
        "lecture_list": is_lecture_list(corpus),
    }
    which = "the lecture's list" if facts["lecture_list"] else "not the lecture's list"
    times = "one short repeat: no figures to go by" if arguments.quick else f"medians of {repeats} interleaved repeats"
    about = f"\n{facts['name']}, {facts['words']:,} words ({which}); {times}"
    about += f"; GPU: {gpu or 'none here, so its rows are not measured'}"
    answer = {"data": facts, "gpu": gpu, "repeats": repeats, "quick": arguments.quick}
    report(rows, answer, about, as_json=arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures makemore-tui against the lecture's notebook. Takes some minutes.",
        epilog="The figures of docs/performance.md are of the lecture's list: --data lecture-names, after "
        "'makemore-tui data fetch lecture-names'.",
    )
    parser.add_argument("--data", default="names", metavar="SET", help="a named set or a file (default: names)")
    parser.add_argument(
        "--repeats",
        type=repeats_argument,
        default=LEAST_REPEATS,
        metavar="N",
        help=f"of every measurement, from {LEAST_REPEATS} (the default) on",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short repeat on a few words: to see that everything runs"
    )
    parser.add_argument("--skip-large", action="store_true", help="leave out the list of 100 MB")
    parser.add_argument("--json", action="store_true", help="print JSON, with what every repeat measured")
    return parser


def _check(corpus: Corpus) -> None:
    if (corpus.codes == ord(".")).any():
        raise CorpusError(f"{corpus.name}: has words with '.', the notebook's end of a word; give words without it")


def _measure(corpus: Corpus, repeats: int, *, quick: bool, large: bool, on_gpu: bool) -> list[Row]:
    _tell("training steps")
    steps = steps_rows(corpus, repeats, quick)
    _tell("64 replicas")
    rows = [*steps, replicas_row(corpus, repeats, quick)]
    if on_gpu:
        _tell("the GPU")
        rows += [captured_row(corpus, repeats, quick, "cuda"), replicas_row(corpus, repeats, quick, "cuda")]
    _tell("windows")
    windows, whole = windows_rows(corpus, repeats)
    _tell("time to a dev loss")
    rows += [windows, whole, *quality_rows(corpus, repeats, quick)]
    if large:
        _tell("a large list")
        size = len(corpus.text().encode())
        rows += scale_rows(corpus, repeats, quick, [seconds / size for seconds in whole.reference_repeats])
    return rows


def _tell(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
