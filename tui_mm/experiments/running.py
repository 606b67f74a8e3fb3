"""One run of one experiment from its beginning to its end, kept row by row."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import torch

from data.word_vocabulary import vocabulary_of
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.engine import Lab, Order, StoppedError, check_words
from tui_mm.experiments.every import PROCEDURES
from tui_mm.experiments.kept import KeptExperiment, Record, Status, WordFacts
from tui_mm.experiments.result import ExperimentResult, Row
from tui_mm.runs.home import Home

_TELL_SECONDS = 0.5  # between two looks at what is under way, for who follows the file


def run_experiment(
    kept: KeptExperiment,
    order: Order,
    home: Home,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_row: Callable[[Row, int], None] = lambda _row, _number: None,
    on_doing: Callable[[str], None] = lambda _: None,
) -> Record:
    """Run what ``kept`` was made for, and keep it. Returns the record; its status is ``done`` or ``stopped``.

    on_row: told each row that is finished, and which in the table it is, from 1 on; on_doing: what is under way, often

    Raises what the experiment raises, after it was kept as failed, and RunError while another process runs it.
    """
    with kept.lock():
        return _Runner(kept, order, home, should_stop, on_row, on_doing).run()


class _Runner:
    def __init__(
        self,
        kept: KeptExperiment,
        order: Order,
        home: Home,
        should_stop: Callable[[], bool],
        on_row: Callable[[Row, int], None],
        on_doing: Callable[[str], None],
    ) -> None:
        self._kept = kept
        self._record = kept.read()
        self._experiment = EXPERIMENTS[self._record.name]
        self._procedure = PROCEDURES[self._record.name]
        self._lab = Lab(order, home, kept.id, tell=self._tell, should_stop=should_stop)
        self._on_row = on_row
        self._on_doing = on_doing
        self._rows: dict[str, Row] = {}  # by their first column
        self._started = time.monotonic()
        self._told = self._started

    def run(self) -> Record:
        corpus = self._lab.order.corpus
        self._write(
            status="running",
            pid=os.getpid(),
            words=WordFacts(
                corpus.name, corpus.sha256, len(corpus), len(vocabulary_of(corpus, self._record.min_count))
            ),
        )
        try:
            check_words(corpus)
            torch.set_num_threads(max(1, self._lab.order.threads))
            for row in self._procedure.rows(self._lab):
                self._take(row)
            self._end("done", answer=self._procedure.answer(list(self._rows.values())))
        except StoppedError:
            self._end("stopped")
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
            fault = str(error) if isinstance(error, ValueError) and str(error) else f"{type(error).__name__}: {error}"
            self._end("stopped" if interrupted else "failed", fault="" if interrupted else fault)
            raise
        return self._record

    def _take(self, row: Row) -> None:
        row = {name: _plain(value) for name, value in row.items()}
        key = str(row[self._experiment.columns[0].name])
        self._rows[key] = row
        self._write(doing="", result=self._result())
        self._on_row(row, [*self._rows].index(key) + 1)

    def _tell(self, doing: str) -> None:
        self._on_doing(doing)
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            self._write(doing=doing)

    def _result(self, answer: str = "") -> ExperimentResult:
        rows = list(self._rows.values())
        return ExperimentResult(
            self._experiment.columns,
            tuple(rows),
            self._procedure.chart(rows),
            answer,
            tuple(self._lab.notes),
            self._lab.test_evaluations,
        )

    def _end(self, status: Status, *, answer: str = "", fault: str = "") -> None:
        self._write(
            status=status, doing="", fault=fault, ended=datetime.now(UTC).isoformat(), result=self._result(answer)
        )

    def _write(self, **changes: Any) -> None:
        self._record = replace(self._record, seconds=round(time.monotonic() - self._started, 3), **changes)
        self._kept.write(self._record)


def _plain(value: Any) -> Any:
    """What JSON holds: a number that is not finite is None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
