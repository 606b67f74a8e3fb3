"""Devices and threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus, parse_words
from tui_mm import processors
from tui_mm.config import make_config
from tui_mm.processors import control_group_quota, usable_processors
from tui_mm.sizes import depth
from tui_mm.training import devices, setup
from tui_mm.training.devices import DeviceError, available_devices, choose_device, choose_threads, threads_that_pay
from tui_mm.words import split_for


def test_the_cpu_is_always_there_and_auto_takes_something() -> None:
    assert available_devices()[0] == "cpu"
    assert choose_device("cpu") == torch.device("cpu")
    assert str(choose_device("auto")) in available_devices()


def test_a_device_that_is_not_here_is_named_with_those_that_are() -> None:
    with pytest.raises(DeviceError, match=r"--device: cuda:77 .*cpu"):
        choose_device("cuda:77")


def test_threads_follow_the_work_and_leave_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_count", lambda: 8)
    assert choose_threads(0, 32, 11_897) == 1
    assert choose_threads(0, 2048, 35_075) > choose_threads(0, 512, 35_075) > 1
    assert choose_threads(0, 1 << 20, 1 << 28) == 7
    assert choose_threads(5, 32, 11_897) == 5
    monkeypatch.setattr(devices, "cpu_count", lambda: 1)
    assert choose_threads(0, 1 << 20, 1 << 28) == 1


@pytest.mark.parametrize(
    ("work", "processors", "threads"),
    [
        (380_704, 16, 1),  # the lecture's step
        (11_999_999, 16, 1),
        (12_000_000, 16, 2),
        (17_958_400, 16, 2),  # preset default
        (72_000_000, 16, 12),
        (1 << 40, 16, 15),
        (1 << 40, 1, 1),
        (31_999_999, 2, 1),
        (32_000_000, 2, 2),
        (32_000_000, 3, 2),
        (0, 16, 1),
    ],
)
def test_threads_that_pay(work: int, processors: int, threads: int) -> None:
    assert threads_that_pay(work, processors) == threads


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.integers(1, 256))
def test_more_work_takes_no_fewer_threads_and_never_more_than_there_are(a: int, b: int, count: int) -> None:
    less, more = sorted((a, b))
    assert 1 <= threads_that_pay(less, count) <= threads_that_pay(more, count) <= count


def test_products_that_wait_for_each_other_are_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_count", lambda: 64)
    assert choose_threads(0, 2048, 28_315, depth=1) == 9
    assert choose_threads(0, 2048, 28_315, depth=16) == 1


@pytest.mark.parametrize(
    ("flags", "length", "expected"),
    [
        ({}, 6, 1),
        ({"preset": "deep-mlp"}, 8, 3),
        ({"model": "gru"}, 12, 12),
        ({"model": "rnn"}, 0, 1),
        ({"model": "transformer"}, 12, 16),
        ({"model": "wavenet"}, 8, 3),
        ({"model": "bow"}, 12, 1),
    ],
)
def test_how_many_products_stand_one_behind_another(flags: dict[str, Any], length: int, expected: int) -> None:
    config = make_config(flags.get("preset"), flags={k: v for k, v in flags.items() if k != "preset"})
    assert depth(config, length) == expected


@pytest.mark.parametrize(
    ("flags", "predictions", "behind"),
    [
        ({"batch_size": 40}, 40, 1),
        ({"batch_size": 0}, None, 1),
        ({"model": "bow", "batch_size": 40, "block_size": 5}, 40 * 5, 1),
        ({"model": "bow", "batch_size": 40, "block_size": 64}, 40 * 8, 1),  # padding is not multiplied
        ({"model": "gru", "batch_size": 40, "block_size": 64}, 40 * 8, 8),
    ],
)
def test_a_trainer_asks_for_threads_by_what_a_step_predicts(
    flags: dict[str, Any], predictions: int | None, behind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(setup, "choose_threads", lambda *given: asked.append(given) or 1)
    corpus = parse_words("\n".join(["emma", "olivia", "ava", "sophias"] * 5), "words")  # at most seven letters
    flags = {"embedding": 4, "hidden": 8, "device": "cpu", "train_fraction": 1, "dev_fraction": 0} | flags
    config = make_config(flags=flags)
    trainer = setup.build_trainer(config, split_for(config, corpus))
    examples = 5 * (5 + 7 + 4 + 8)
    assert asked == [(0, predictions or examples, trainer.model.parameter_count(), behind)]


def test_counting_asks_for_one_thread(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_count", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", (asked := []).append)
    config = make_config("trigram")
    setup.build_trainer(config, split_for(config, corpus))
    assert asked == [1]


# -- processors


def _system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "250000 100000"}, 2.5),
        (
            {
                "proc/self/cgroup": "0::/user/job",
                "sys/fs/cgroup/user/cpu.max": "150000 50000",
                "sys/fs/cgroup/user/job/cpu.max": "400000 100000",
            },
            3.0,
        ),
        (  # version 1 in a container: the path is the host's
            {
                "proc/self/cgroup": "3:cpuset:/docker/1\n2:cpu,cpuacct:/docker/1\n0::/",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            None,
        ),
        ({"proc/self/cgroup": "nonsense", "sys/fs/cgroup/cpu.max": "5 0"}, None),
        ({"proc/self/cgroup": "0::/../..", "cpu.max": "100000 100000"}, None),
    ],
)
def test_what_a_control_group_leaves(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    assert control_group_quota(_system(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("affinity", "quota", "usable"), [(8, "250000", 2), (1, "250000", 1), (8, "50000", 1), (8, "max", 8)]
)
def test_processors_are_the_least_of_affinity_and_quota(
    affinity: int, quota: str, usable: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    root = _system(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": f"{quota} 100000"})
    assert usable_processors(root) == usable
