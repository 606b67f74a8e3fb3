"""How every experiment of the catalog is made. Loads torch."""

from __future__ import annotations

from tui_mm.experiments.engine import Procedure
from tui_mm.experiments.ladder import LADDER
from tui_mm.experiments.overfit import OVERFIT
from tui_mm.experiments.part1 import CONTEXT, SMOOTHING, SPLIT, TRIGRAM
from tui_mm.experiments.part1_nets import INDEXING, LOSS
from tui_mm.experiments.part2_bengio import BENGIO
from tui_mm.experiments.part2_start import START
from tui_mm.experiments.part2_tuning import TUNING

PROCEDURES: dict[str, Procedure] = {
    "part1-e01": TRIGRAM,
    "part1-e02": SPLIT,
    "part1-e03": SMOOTHING,
    "part1-e04": INDEXING,
    "part1-e05": LOSS,
    "part1-e06": CONTEXT,
    "overfit": OVERFIT,
    "part2-e01": TUNING,
    "part2-e02": START,
    "part2-e03": BENGIO,
    "ladder": LADDER,
}
