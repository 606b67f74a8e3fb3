"""The panels: each draws from the view state and keeps no history of its own."""

from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.panels.dataset import DatasetPanel
from tui_mm.dashboard.panels.log import LogPanel
from tui_mm.dashboard.panels.loss import LossPanel
from tui_mm.dashboard.panels.samples import SamplesPanel
from tui_mm.dashboard.panels.sweep import SweepPanel

ALL_PANELS: tuple[type[Panel], ...] = (DatasetPanel, LossPanel, SamplesPanel, SweepPanel, LogPanel)
"""In the order of their number keys."""

SHARING = ("sweep", "log")
"""Those that share one place on a usual terminal."""
