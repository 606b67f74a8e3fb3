"""The lecture's own figures beside an experiment's, where the words are the lecture's names.txt. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LECTURE_SHA256 = "816d2a728695db28a20e17eae61c9c423091a511b3df09a06a489dccbf0876c7"
"""Of names.txt as ``Corpus.sha256`` has it: its words, one a line."""


@dataclass(frozen=True)
class Figure:
    """``stated``: by the lecture or its notebooks; else computed for names.txt apart from this program, by what the
    exercise says."""

    value: float
    stated: bool = False


Figures = Mapping[str, Mapping[str, Figure]]
"""By row (its first column, as text) and column."""


def _computed(**values: float) -> dict[str, Figure]:
    return {name: Figure(value) for name, value in values.items()}


def _stated(**values: float) -> dict[str, Figure]:
    return {name: Figure(value, stated=True) for name, value in values.items()}


FIGURES: dict[str, Figures] = {
    "part1-e01": {
        "bigram counts": _stated(all=2.454014),
        "bigram counts, 1 added": _stated(all=2.454577),
        "trigram counts": _computed(all=2.18574),
        "trigram counts, 1 added": _computed(all=2.21258, train=2.2156, dev=2.2365),
        "the trap: no first letters": _computed(all=2.06186),
        "net: two letters, added": _computed(train=2.3359, dev=2.3390),
    },
    "part1-e02": {
        "bigram, 0.3 added": _computed(train=2.4543, dev=2.4530, test=2.4580),
        "trigram, 1 added": _computed(train=2.2156, dev=2.2365),
    },
    "part1-e03": {
        "0.001": _computed(dev=2.2447),
        "0.15": _computed(train=2.1895, dev=2.2221, test=2.2234),
        "1.0": _computed(train=2.2156, dev=2.2365),
        "10.0": _computed(dev=2.3637),
    },
    "part1-e04": {
        "one_hot(x) @ W": _stated(start=3.768619),
        "W[x]": _stated(start=3.768619),
    },
    "part1-e05": {
        "by hand": _computed(loss=3.7589538),
        "F.cross_entropy": _computed(loss=3.7589533),
    },
    "part1-e06": {
        "1": _computed(dev=2.4530),
        "2": _computed(dev=2.2221),
        "3": _computed(dev=2.1018, backoff=2.0671),
        "4": _computed(dev=2.1499, backoff=2.0041),
        "5": _computed(backoff=2.0060),
    },
    "overfit": {
        "0": _stated(loss=17.76971),
        "10": _computed(loss=3.986),
        "100": _computed(loss=0.3354),
        "1000": _stated(loss=0.25613),
        "10000": _computed(loss=0.25186),
    },
    "part2-e01": {
        "the lecture's last model": _stated(train=2.1245, dev=2.1682),
        "initialisation": _stated(dev=2.1027),
    },
    "part2-e02": {
        "uniform": _stated(start=3.295837),
        "lecture": _computed(start=26.0047, saturated=0.697) | _stated(first=27.8817),
        "output-0.1": _computed(start=4.0688, first=4.2326, saturated=0.697),
        "output-0.01": _computed(start=3.3079, first=3.3221, saturated=0.697),
        "small": _computed(start=3.3058, first=3.3135, saturated=0.050),
        "kaiming": _computed(start=3.3082, first=3.3179, saturated=0.194),
        "zero-output": _computed(start=3.295837, first=3.295837),
        "unigram": _computed(start=2.8226, start_dev=2.8210),
    },
    "part2-e03": {},
    "ladder": {
        "trigram": _computed(train=2.1895, dev=2.2221),
        "backoff": _computed(dev=2.0041),
        "lecture": _stated(train=2.1245, dev=2.1682),
        "wavenet": _stated(dev=1.9937),
    },
}
SEEDED = ("part1-e04", "part1-e05", "overfit", "part2-e02")
"""Those whose figures hold for the lecture's seed alone."""
