"""``python -m benchmarks.scaling``: cost against size, as tables and charts in Markdown.

One size is varied at a time about a centre, and hidden units together with the batch. Every cell is a process of its
own with a limit on its time. Repeats go round all cells, and in a round the numbers of threads take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.cell import Built, CellError, Trained, build, gpu, train
from benchmarks.scale import write_words
from benchmarks.sizes import ONE, Place, Section, Size, axis_section, memory_section, plane_section
from data.catalog import load
from data.corpus import Corpus
from tui_mm.config import FIELDS
from tui_mm.presets import PRESETS
from tui_mm.processors import usable_processors

Cell = TypeVar("Cell")
Figures = TypeVar("Figures")
_CENTRE = Size(100_000, 8, 300, 512)


@dataclass(frozen=True)
class Plan:
    """What is measured; seconds of a training that count, and the limit of a whole cell in seconds."""

    preset: str
    threads: tuple[int, ...]
    gpu: str | None
    repeats: int = 5
    seconds: float = 1.0
    limit: float = 120.0
    centre: Size = _CENTRE
    words: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    block_sizes: tuple[int, ...] = (3, 6, 8, 16, 32)
    hidden: tuple[int, ...] = (100, 300, 1_000, 3_000)
    batch_sizes: tuple[int, ...] = (32, 128, 512, 2_048, 8_192, 16_384)

    def quick(self) -> Plan:
        """Few and short: to see that everything runs."""
        few = {"words": (200, 400), "block_sizes": (3, 6), "hidden": (8,), "batch_sizes": (8, 16)}
        return replace(self, repeats=1, seconds=0.05, centre=Size(400, 3, 8, 8), **few)  # type: ignore[arg-type]

    @property
    def places(self) -> list[Place]:
        return [*(Place("cpu", count) for count in self.threads), *([Place("cuda")] if self.gpu else [])]

    @property
    def axes(self) -> dict[str, list[Size]]:
        """Sizes that differ from the centre in one field, by its name."""
        values = {
            "words": self.words,
            "block_size": self.block_sizes,
            "hidden": self.hidden,
            "batch_size": self.batch_sizes,
        }
        return {name: [replace(self.centre, **{name: value}) for value in given] for name, given in values.items()}

    @property
    def plane(self) -> list[Size]:
        return [replace(self.centre, hidden=h, batch_size=b) for h in self.hidden for b in self.batch_sizes]


@dataclass
class Bench:
    """Measures cells, each once, and keeps the lists of words and what was measured."""

    plan: Plan
    corpus: Corpus
    folder: Path
    built: dict[Size, list[Built]] = field(default_factory=dict)
    trained: dict[tuple[Size, Place], list[Trained]] = field(default_factory=dict)

    def build(self, sizes: Iterable[Size]) -> None:
        def measure(size: Size) -> Built | None:
            return build(self._list(size.words), size.block_size, self.plan.limit)

        self.built |= self._rounds([size for size in sizes if size not in self.built], measure)

    def train(self, sizes: Iterable[Size], places: Iterable[Place] = (ONE,)) -> None:
        cells = [(size, place) for size in sizes for place in places]
        self.trained |= self._rounds([cell for cell in cells if cell not in self.trained], self._train)

    def _train(self, cell: tuple[Size, Place]) -> Trained | None:
        size, place = cell
        flags = {name: value for name, value in asdict(size).items() if name in FIELDS}
        # Rates and weights that no size diverges with, and no compilation on the way.
        flags |= {"device": place.device, "init": "kaiming", "lr": 1e-3, "schedule": "constant"}
        flags["engine"] = "eager"  # a cell is too short for a compiler
        order = (self.plan.preset, flags, self.plan.seconds, place.threads, self.plan.limit)
        return train(self._list(size.words), *order)

    def _list(self, words: int) -> Path:
        path = self.folder / f"{words}.txt"
        if not path.exists():
            write_words(path, self.corpus, words)
        return path

    def _rounds(self, cells: list[Cell], measure: Callable[[Cell], Figures | None]) -> dict[Cell, list[Figures]]:
        """What every round measured; nothing of a cell that took too long, which is not begun again."""
        found: dict[Cell, list[Figures]] = {cell: [] for cell in cells}
        late = set[Cell]()
        for number in range(self.plan.repeats):
            for place, cell in enumerate(cells, start=1):
                if cell in late:
                    continue
                _tell(f"  round {number + 1} of {self.plan.repeats}, cell {place} of {len(cells)}")
                figures = measure(cell)
                if figures is None:
                    late.add(cell)
                    found[cell].clear()
                else:
                    found[cell].append(figures)
        return found


def words(bench: Bench) -> Section:
    return _axis(bench, "words")


def block(bench: Bench) -> Section:
    return _axis(bench, "block_size")


def _axis(bench: Bench, name: str) -> Section:
    sizes = bench.plan.axes[name]
    bench.build(sizes)
    bench.train(sizes)
    return axis_section(name, sizes, bench.built, bench.trained)


def plane(bench: Bench) -> Section:
    bench.train(bench.plan.plane, bench.plan.places)
    return plane_section(bench.plan.plane, bench.plan.places, bench.trained)


def memory(bench: Bench) -> Section:
    places = [ONE, *(place for place in bench.plan.places if place.device != "cpu")]
    axes = bench.plan.axes
    bench.train([size for sizes in axes.values() for size in sizes], places)
    return memory_section(axes, bench.trained, places)


GROUPS: Mapping[str, Callable[[Bench], Section]] = {"words": words, "block": block, "plane": plane, "memory": memory}


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 1 when a cell ended without a figure."""
    arguments = _parser().parse_args(argv)
    threads = tuple(arguments.threads or sorted({1, usable_processors()}))
    load_before = os.getloadavg()[0]
    corpus = load("names", cache=Path())
    try:
        plan = Plan(arguments.preset, threads, gpu(), arguments.repeats, arguments.seconds, arguments.limit)
        plan = plan.quick() if arguments.quick else plan
        sections = []
        with tempfile.TemporaryDirectory(prefix="makemore-bench-") as folder:
            bench = Bench(plan, corpus, Path(folder))
            for name in arguments.only or GROUPS:
                _tell(f"measuring {name} ...")
                sections.append(GROUPS[name](bench))
    except CellError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    from benchmarks.machine import machine, machine_line  # has torch, whose memory the children would be given

    if arguments.json:
        print(json.dumps(_as_json(bench, sections) | {"machine": machine(), "load_before": load_before}, indent=1))
        return 0
    times = "one short repeat: no figures to go by" if arguments.quick else f"medians of {plan.repeats} repeats"
    print(f"{machine_line()}; load before {load_before:.1f}; {times}")
    print(f"Preset {plan.preset}, but {plan.centre}, where nothing else is said. GPU: {_gpu_text(plan)}.")
    for section in sections:
        print(f"\n{section.text()}")
    return 0


def _as_json(bench: Bench, sections: list[Section]) -> dict[str, Any]:
    """With what every repeat measured."""
    plan = bench.plan
    cells = [
        asdict(size) | asdict(place) | {"repeats": [asdict(each) for each in repeats]}
        for (size, place), repeats in bench.trained.items()
    ]
    made = [asdict(size) | {"repeats": [asdict(b) for b in repeats]} for size, repeats in bench.built.items()]
    return {
        "preset": plan.preset,
        "centre": asdict(plan.centre),
        "gpu": _gpu_text(plan),
        "built": made,
        "trained": cells,
        "sections": [{"title": s.title, "headings": s.headings, "rows": s.rows, "notes": s.notes} for s in sections],
    }


def _gpu_text(plan: Plan) -> str:
    return plan.gpu or "not measured: no GPU here"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description="Measures cost against size: words, block size, hidden units and batch. Takes half an hour.",
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument(
        "--preset", choices=PRESETS, default="lecture", metavar="NAME", help="what is trained (default: lecture)"
    )
    parser.add_argument(
        "--threads",
        nargs="+",
        type=int,
        choices=range(1, 1025),
        metavar="N",
        help="numbers of threads to compare, the first with the others (default: 1 and all processors)",
    )
    parser.add_argument(
        "--repeats", type=int, choices=range(1, 100), default=5, metavar="N", help="of every cell (default: 5)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="of steps in a cell (default: 1)")
    parser.add_argument("--limit", type=float, default=120.0, metavar="S", help="of a whole cell (default: 120)")
    parser.add_argument("--quick", action="store_true", help="few and short: to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON, with what every repeat measured")
    return parser


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
