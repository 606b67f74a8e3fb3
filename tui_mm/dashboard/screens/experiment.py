"""One experiment: what it asks, its table as rows come, its chart and its answer. It follows what is kept of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_mm.dashboard.charts.experiment import experiment_chart, experiment_height
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.keysline import KeysLine
from tui_mm.dashboard.panels.base import theme_colors
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.kept import KeptExperiment, Record
from tui_mm.experiments.starting import Process, last_lines
from tui_mm.experiments.table import notes_of, table_lines, table_of
from tui_mm.runs.home import RunError
from tui_mm.text import printable

_LOOK_SECONDS = 0.5  # between two looks at the file
_CHART_HEIGHT = 18
_MARGIN = 4  # cells of the frame, at both sides together
_MARKS = {"running": "●", "done": "✓", "failed": "!", "crashed": "!", "stopped": "▮", "created": "○"}
_ASCII_MARKS = {"running": "*", "done": "+", "failed": "!", "crashed": "!", "stopped": "=", "created": "o"}


class ExperimentScreen(ModalScreen[None]):
    """``process``: who runs it, if the dashboard has started it; left, it goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop", id="experiment.stop", tooltip="Stop it; the rows that are done are kept"),
        Binding("escape", "back", "back", key_display="esc", id="experiment.back",
                tooltip="Back to the dashboard; it goes on in the background"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    ExperimentScreen { background: $background; }
    ExperimentScreen #experiment { height: 1fr; border: round $primary; padding: 0 1; scrollbar-size: 1 1;
        border-title-color: $foreground; border-subtitle-color: $foreground; }
    ExperimentScreen #table { width: auto; margin-top: 1; }
    ExperimentScreen #chart { margin-top: 1; }
    ExperimentScreen #answer { margin-top: 1; }
    ExperimentScreen.-ascii #experiment { border: ascii $primary; }
    """

    def __init__(
        self,
        kept: KeptExperiment,
        process: Process | None = None,
        *,
        ascii_only: bool = False,
        color: bool = True,
    ) -> None:
        super().__init__()
        self.kept = kept
        self._process = process
        self._ascii = ascii_only
        self._color = color
        self.record: Record | None = None
        self._stamp = (-1, -1)
        self._fault = ""
        self._stopping = False

    def compose(self) -> ComposeResult:
        with ScrollableContainer(id="experiment"):
            yield Static(id="asks")
            yield Static(id="table")
            yield ChartView(id="chart")
            yield Static(id="answer")
        yield KeysLine(show_palette=False, ascii_only=self._ascii)

    def on_mount(self) -> None:
        self.set_class(self._ascii, "-ascii")
        self.query_one("#experiment").focus()
        self.look_again()
        self.set_interval(_LOOK_SECONDS, self.look_again)

    def on_resize(self) -> None:
        self._draw()

    # -- following

    def look_again(self) -> None:
        """Read what is kept, if it may have changed, and draw it if it has."""
        stamp = self.kept.stamp()
        at_work = self.record is None or self.record.status in ("created", "running")
        if stamp == self._stamp and not at_work:
            return
        self._stamp = stamp
        before = (self.record, self._fault)
        try:
            self.record = self.kept.read()
            self._fault = self._early_end(self.record)
        except RunError as error:
            self._fault = str(error)
        if (self.record, self._fault) != before:
            self._draw()

    def _early_end(self, record: Record) -> str:
        """Why the process that was started has ended before it began, "" if it has not."""
        if record.status != "created" or self._process is None or self._process.poll() is None:
            return ""
        lines = "; ".join(last_lines(self.kept)) or f"exit code {self._process.returncode}"
        return f"its process ended before it began: {lines}"

    # -- drawing

    @property
    def _width(self) -> int:
        return max(20, self.size.width - _MARGIN - 1)  # a scroll bar

    def _draw(self) -> None:
        record = self.record
        if not self.size.width:
            return
        frame = self.query_one("#experiment")
        if record is None:
            self._put("#answer", self._fault)
            return
        experiment = EXPERIMENTS[record.name]
        frame.border_title = Text(experiment.title)
        frame.border_subtitle = Text(self._status(record))
        self._put("#asks", experiment.asks)
        sha256 = "" if record.words is None else record.words.sha256
        figures = experiment.figures(sha256, record.seed, record.scale)
        result = record.result
        table = self.query_one("#table", Static)
        table.display = bool(result.rows)
        if result.rows:
            lines = table_lines(table_of(result, figures))
            self._put("#table", "\n".join(lines), wraps=False)
        self._draw_chart(record)
        notes = [f"- {note}" for note in notes_of(result, figures, record.scale)] if result.rows else []
        parts = [record.doing, self._fault or record.fault, result.answer, *notes]
        self._put("#answer", "\n".join(part for part in parts if part))

    def _draw_chart(self, record: Record) -> None:
        view, chart = self.query_one(ChartView), record.result.chart
        view.display = chart is not None and len(record.result.rows) > 1
        if chart is None or not view.display:
            return
        height = experiment_height(chart, _CHART_HEIGHT)
        if view.styles.height is None or view.styles.height.value != height:
            view.styles.height = height
        colors = theme_colors(self.app.theme_variables) if self._color else None
        view.show(experiment_chart(chart, Look(self._width, height, colors, self._ascii)))

    def _put(self, selector: str, text: str, *, wraps: bool = True) -> None:
        """Put text there unless it stands there already; a table's lines are not broken."""
        shown = "\n".join(printable(line) for line in text.split("\n"))
        widget = self.query_one(selector, Static)
        if str(widget.content) != shown:
            widget.update(Text(shown, no_wrap=not wraps, overflow="fold" if wraps else "crop"))

    def _status(self, record: Record) -> str:
        mark = (_ASCII_MARKS if self._ascii else _MARKS)[record.status]
        said = {"created": "starting", "running": "running"}
        if self._stopping:
            said = dict.fromkeys(said, "stopping")
        words = "" if record.words is None else f"{printable(record.words.name.rpartition('/')[2])}, "
        return f"{mark} {said.get(record.status, record.status)}, {words}{record.seconds:.0f} s, {record.id}"

    # -- keys

    def action_stop(self) -> None:
        def tell(line: str) -> None:
            self.app.notify(line, markup=False)

        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # also while it loads and has not begun
        elif not stop_experiment(self.kept, tell):
            return
        self._stopping = True
        self._draw()

    def action_back(self) -> None:
        self.dismiss(None)


def stop_experiment(kept: KeptExperiment, tell: Callable[[str], None]) -> bool:
    """Ask who runs it to stop; whether somebody does, and a line about it if not."""
    try:
        asked = kept.stop()
    except RunError as error:
        tell(str(error))
        return False
    if not asked:
        tell("it is not running")
    return asked
