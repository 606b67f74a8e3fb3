"""All panels. Loads numpy: imported when the first screen is painted."""

from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.panels.bigrams import BigramsPanel
from tui_mm.dashboard.panels.dataset import DatasetPanel
from tui_mm.dashboard.panels.embedding import EmbeddingPanel
from tui_mm.dashboard.panels.layers import LayersPanel
from tui_mm.dashboard.panels.log import LogPanel
from tui_mm.dashboard.panels.loss import LossPanel
from tui_mm.dashboard.panels.samples import SamplesPanel
from tui_mm.dashboard.panels.sweep import SweepPanel
from tui_mm.dashboard.panels.timeline import TimelinePanel

ALL_PANELS: tuple[type[Panel], ...] = (
    DatasetPanel,
    LossPanel,
    SamplesPanel,
    SweepPanel,
    EmbeddingPanel,
    BigramsPanel,
    LayersPanel,
    TimelinePanel,
    LogPanel,
)
"""In the order of their number keys."""
