"""A list of 100 MB, made of a data set's words over and over in shuffled order: time and memory to its windows.

Every measurement is a process of its own (this module as a program), so that its peak memory is its own.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.row import Row, Target
from data.corpus import Corpus, read_words
from data.splits import split_words
from data.windows import context_windows

_BYTES, _QUICK_BYTES = 100_000_000, 2_000_000
_PRESETS = ("lecture", "default")  # whose windows are made


def scale_rows(corpus: Corpus, repeats: int, quick: bool, notebook_pace: list[float]) -> list[Row]:
    """notebook_pace: seconds a byte of the notebook's whole way in this run, repeat by repeat."""
    from tui_mm.config import make_config  # not above: the child process would carry it

    size = _QUICK_BYTES if quick else _BYTES
    block_sizes = {preset: make_config(preset).block_size for preset in _PRESETS}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.txt"
        write_list(path, corpus, size)
        measured: dict[str, list[tuple[float, float]]] = {preset: [] for preset in _PRESETS}
        for _ in range(repeats):
            for preset, block_size in block_sizes.items():
                measured[preset].append(_in_child(path, block_size))
    for preset, block_size in block_sizes.items():
        name = f"{size / 1e6:g} MB to windows of {block_size}"
        times, peaks = (list(column) for column in zip(*measured[preset], strict=True))
        rows += [
            Row(
                name,
                "s",
                times,
                [size * pace for pace in notebook_pace] if preset == "lecture" else [],
                Target("limit", 10),
                f"what a training with preset {preset} needs: read, check, ids, split, windows of train; "
                "file in the page cache"
                + (
                    "; the reference is not run but scaled up from the notebook's 'bytes to windows'"
                    if preset == "lecture"
                    else ""
                ),
            ),
            Row(
                f"{name}, peak memory",
                "GB",
                peaks,
                target=Target("limit", 1),
                note="resident, of the whole process (Python and numpy; torch is not loaded); GB are 10^9 bytes",
            ),
        ]
    return rows


def write_list(path: Path, corpus: Corpus, size: int) -> None:
    """Words until the file has ``size`` bytes or a little more; each time round in another order, always the same."""
    words = list(corpus.words())
    shuffle = random.Random(42).shuffle
    written = 0
    with path.open("wb") as file:
        while written < size:
            shuffle(words)
            text = ("\n".join(words) + "\n").encode()
            end = text.find(b"\n", size - written - 1) + 1 if written + len(text) > size else len(text)
            written += file.write(text[:end])


def write_words(path: Path, corpus: Corpus, count: int) -> None:
    """So many words, the same way."""
    words = list(corpus.words())
    shuffle = random.Random(42).shuffle
    with path.open("wb") as file:
        while count > 0:
            shuffle(words)
            file.write(("\n".join(words[:count]) + "\n").encode())
            count -= len(words)


def _in_child(path: Path, block_size: int) -> tuple[float, float]:
    """Seconds, and GB of peak memory."""
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", str(path), str(block_size)],
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.PIPE,
        check=True,
    )
    answer = json.loads(child.stdout)
    return answer["seconds"], answer["peak_bytes"] / 1e9


def peak_bytes() -> int:
    """The most memory this process has had resident.

    Linux counts what the parent had when it started this process: the parent's is the smaller one by far here.
    """
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _measure(path: Path, block_size: int) -> dict[str, float]:
    started = time.perf_counter()
    splits = split_words(read_words(path))
    contexts, _ = context_windows(splits.train.tokens, block_size)  # dev and test are never laid out as rows
    elapsed = time.perf_counter() - started
    return {"seconds": elapsed, "peak_bytes": peak_bytes(), "examples": len(contexts)}


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), int(sys.argv[2]))))
