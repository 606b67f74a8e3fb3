"""Devices and threads."""

from __future__ import annotations

import pytest
import torch

from tui_mm.training import devices
from tui_mm.training.devices import DeviceError, available_devices, choose_device, choose_threads


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
