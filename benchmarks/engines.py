"""``python -m benchmarks.engines``: what the compiled engine gains for each model; one thread each."""

from __future__ import annotations

import argparse
import sys
from functools import partial

import torch

from benchmarks.ours import Ours, empty_cache
from benchmarks.report import LEAST_REPEATS, repeats_argument, report
from benchmarks.row import Row
from benchmarks.timing import in_turns
from data.catalog import load
from data.corpus import Corpus, CorpusError
from tui_mm.compiler.cache import ProgramCache
from tui_mm.config import make_config
from tui_mm.presets import PRESETS
from tui_mm.runs.home import Home
from tui_mm.training.engines.base import EngineError

_TURN_S, _QUICK_TURN_S = 1.0, 0.05
_LONGEST_BLOCK = 4096
MODELS = (
    "lecture", "default", "speedrun", "deep-mlp", "makemore-mlp", "wavenet", "neural-bigram", "bow", "rnn", "gru",
    "lstm", "transformer",
)  # fmt: skip
"""Presets, one for every model that is trained in steps."""


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 2 for words that cannot be used."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(1)
    try:
        corpus = load(arguments.data, cache=Home.find().datasets)
        with empty_cache() as cache:
            rows = [_row(name, corpus, cache, arguments) for name in arguments.only or MODELS]
    except CorpusError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    facts = {"repeats": arguments.repeats, "quick": arguments.quick}
    about = f"; {len(corpus):,} words, one thread; measured: compiled, reference: our eager engine, in turns"
    report(rows, facts, about, as_json=arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines",
        description="Measures the compiled engine against the eager one, model by model. Compiles each: minutes.",
    )
    parser.add_argument("--data", default="names", metavar="SET", help="a named set or a file (default: names)")
    parser.add_argument("--only", nargs="+", choices=sorted(PRESETS), metavar="PRESET", help="these presets alone")
    parser.add_argument(
        "--repeats", type=repeats_argument, default=LEAST_REPEATS, metavar="N", help="turns of each side (5)"
    )
    parser.add_argument("--quick", action="store_true", help="short turns: to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON, with what every repeat measured")
    return parser


def _row(preset: str, corpus: Corpus, cache: ProgramCache, arguments: argparse.Namespace) -> Row:
    """Dropout is left out: with it there is no compiled step."""
    print(f"measuring {preset} ...", file=sys.stderr, flush=True)
    config = make_config(preset, flags={"threads": 1, "device": "cpu", "dropout": 0.0, "steps": 10**7})
    config = config.but(eval_every=config.steps)
    eager = Ours(config.but(engine="eager"), corpus)
    compiled = Ours(config.but(engine="compiled"), corpus, cache)
    note = f"batch {config.batch_size or 'all'}, {config.optimizer}"
    try:
        compiled.train(1)
    except EngineError as error:
        return Row(preset, "steps/s", [], [], None, f"{note}; not compiled: {error}")
    finally:
        compiled.close()
    seconds = _QUICK_TURN_S if arguments.quick else _TURN_S
    steps = [max(1, min(_LONGEST_BLOCK, round(side.train(1) * seconds))) for side in (eager, compiled)]
    turns = [partial(side.train, count) for side, count in zip((eager, compiled), steps, strict=True)]
    rates = in_turns(turns, arguments.repeats)
    took = f"compiled in {compiled.compile_seconds:.0f} s" if compiled.compile_seconds is not None else "kept before"
    return Row(preset, "steps/s", rates[1], rates[0], None, f"{note}; {took}")


if __name__ == "__main__":
    sys.exit(main())
