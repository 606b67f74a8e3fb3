"""`sweep`: the learning-rate range test."""

from __future__ import annotations

import math
import time
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import config_from, config_options, home_option, json_option
from tui_mm.cli.output import ascii_only, print_json, print_table, say, terminal_width, use_color
from tui_mm.cli.progress import make_display
from tui_mm.cli.trials import RATES, SEEDS, trained_sweep
from tui_mm.runs.home import Home
from tui_mm.training.events import StepBlock
from tui_mm.words import load_words, split_for


@click.command(
    "sweep",
    cls=PagedCommand,
    short_help="Find the learning rate.",
    examples=(
        ("makemore-tui sweep --preset lecture", "the lecture's chart: exponents -3 to 0"),
        ("makemore-tui sweep --from -5 --to 1 --points 500", "another range"),
        ("makemore-tui sweep --train-steps 1000 --seeds 4", "train at 16 rates, 64 replicas at once"),
    ),
)
@click.option("--from", "low", type=float, default=-3.0, show_default=True, metavar="X", help="Least exponent.")
@click.option("--to", "high", type=float, default=0.0, show_default=True, metavar="X", help="Greatest exponent.")
@click.option("--points", type=int, metavar="N", help="Rates [default: 1000 of one step each; 16 with --train-steps].")
@click.option("--train-steps", type=int, metavar="M", help="Train M steps at each rate, all rates at once.")
@click.option("--seeds", type=int, metavar="S", help="With --train-steps: trainings at each rate [default: 4].")
@config_options
@home_option
@json_option
def sweep_command(
    home: Home,
    low: float,
    high: float,
    points: int | None,
    train_steps: int | None,
    seeds: int | None,
    as_json: bool,
    **keywords: Any,
) -> int:
    """Find the learning rate: one step at each of many rates, from small to large, from a fresh model.

    The exponent e gives the rate 10**e. Suggestions are read off the smoothed curve: valley, well down its longest
    fall; steepest, where it falls fastest; minimum, a tenth of the rate with the least loss.

    With --train-steps, a training of M steps at each rate instead, its schedule over these M steps, and S times from
    seeds of their own. Its loss is that of the whole dev split after the last step; without a dev split, the mean over
    the minibatches of the last tenth of the steps. A training has diverged where a loss was not finite or the end is
    above the start. Best is the rate with the least median among those where no seed diverged.
    """
    config = config_from(keywords)
    if train_steps is not None:
        rates, times = RATES if points is None else points, SEEDS if seeds is None else seeds
        return trained_sweep(config, home, low, high, rates, times, train_steps, as_json=as_json)
    if seeds is not None:
        raise click.UsageError("--seeds goes with --train-steps")
    corpus = load_words(config, home.datasets)
    from tui_mm.training.lr_range import lecture_exponents, lr_range_test
    from tui_mm.training.setup import build_trainer
    from tui_mm.training.suggestions import smooth, suggest

    exponents = lecture_exponents(low, high, 1000 if points is None else points)
    trainer = build_trainer(config, split_for(config, corpus))
    blocks = lr_range_test(
        trainer.model, trainer.rows["train"], config, exponents=exponents, generator=trainer.generator
    )
    parts: list[NDArray[np.float64]] = []
    done, started = 0, time.perf_counter()
    with make_display(len(exponents), 0, as_json=as_json) as display:
        for block in blocks:
            parts.append(block.losses)
            rate, seconds = 10.0 ** float(block.exponents[-1]), time.perf_counter() - started
            display(StepBlock(done + 1, block.losses.astype(np.float32), rate, seconds, seconds))
            done += len(block.losses)
    losses = np.concatenate(parts)
    tried = exponents[: len(losses)]
    smoothed = smooth(losses)
    found = suggest(tried, smoothed)
    suggestions = [("valley", found.valley), ("steepest", found.steepest), ("minimum", found.minimum)]
    if as_json:
        print_json(
            {
                "exponents": tried.tolist(),
                "losses": [_finite(x) for x in losses.tolist()],
                "smoothed": [_finite(x) for x in smoothed.tolist()],
                "suggestions": dict(suggestions),
            }
        )
        return 0
    from tui_mm.dashboard.charts.look import Colors, Look
    from tui_mm.dashboard.charts.sweep import sweep_chart

    look = Look(terminal_width(), 24, Colors() if use_color() else None, ascii_only())
    say(sweep_chart(tried, losses, smoothed, suggestions, look=look))
    rows = [
        (name, f"{rate:.3g}", f"10**{math.log10(rate):.2f}") if rate else (name, "none", "the loss never fell")
        for name, rate in suggestions
    ]
    print_table(rows, ("suggestion", "lr", "exponent"))
    if found.valley:
        say(f"try: --lr {found.valley:.2g}")
    return 0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
