"""`sweep --train-steps`: every rate is trained at, with several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tui_mm.cli.output import ascii_only, print_json, print_table, say, terminal_width, use_color
from tui_mm.cli.replicas import finite, train_replicas
from tui_mm.config import RunConfig
from tui_mm.runs.home import Home
from tui_mm.text import nats
from tui_mm.words import load_words, split_for

if TYPE_CHECKING:
    from tui_mm.training.trials import Trials

RATES = 16
SEEDS = 4


def trained_sweep(
    config: RunConfig, home: Home, low: float, high: float, rates: int, seeds: int, steps: int, *, as_json: bool
) -> int:
    """Prints the chart, a row for every rate, and the rate to take. Raises ConfigError, DeviceError."""
    from tui_mm.training.trials import Trials, trial_configs, trial_exponents

    exponents = trial_exponents(low, high, rates)
    configs = trial_configs(config, exponents, seeds, steps)
    found = train_replicas(configs, split_for(config, load_words(config, home.datasets)), as_json=as_json)
    trials = Trials(exponents, found.losses.reshape(rates, seeds))
    best, as_good = trials.best, trials.as_good
    if as_json:
        print_json(
            {
                "exponents": exponents.tolist(),
                "rates": (10.0**exponents).tolist(),
                "seeds": [c.seed for c in configs[:seeds]],
                "train_steps": steps,
                "measured": found.measured,
                "losses": [finite(row) for row in trials.losses.tolist()],
                "median": finite(trials.median.tolist()),
                "low": finite(trials.low.tolist()),
                "high": finite(trials.high.tolist()),
                "diverged": trials.diverged.tolist(),
                "best": None if best is None else 10.0 ** float(exponents[best]),
                "as_good": None if as_good is None else [10.0 ** float(exponents[k]) for k in as_good],
                "seconds": found.seconds,
            }
        )
        return 0
    from tui_mm.dashboard.charts.look import Colors, Look
    from tui_mm.dashboard.charts.trials import trials_chart

    look = Look(terminal_width(), 24, Colors() if use_color() else None, ascii_only())
    say(trials_chart(trials, look=look, measured=found.measured, now=config.lr))
    print_table(_rows(trials), ("exponent", "lr", f"{found.measured}, median", "least", "greatest", "diverged", ""))
    say(f"{rates * seeds:,} replicas of {steps:,} steps in {found.seconds:.1f} s")
    if best is None or as_good is None:
        say("at every rate a seed diverged: give a lower --to, or more --train-steps")
        return 0
    first, last = (10.0 ** float(exponents[k]) for k in as_good)
    if first < last:
        say(f"as good, within the best's spread: {first:.2g} to {last:.2g}")
    say(f"try: --lr {10 ** exponents[best]:.2g}")
    return 0


def _rows(trials: Trials) -> list[tuple[str, ...]]:
    as_good = trials.as_good
    rows = []
    for k, exponent in enumerate(trials.exponents):
        mark = "best" if k == trials.best else "as good" if as_good and as_good[0] <= k <= as_good[1] else ""
        values = (trials.median[k], trials.low[k], trials.high[k])
        shown = [nats(float(value)) if np.isfinite(value) else "-" for value in values]
        lost = f"{trials.diverged[k]} of {trials.seeds}" if trials.diverged[k] else ""
        rows.append((f"{exponent:.2f}", f"{10**exponent:.3g}", *shown, lost, mark))
    return rows
