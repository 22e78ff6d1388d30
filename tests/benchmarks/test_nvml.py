"""The watch over a GPU's memory, on a meter that a test turns."""

from __future__ import annotations

import time

from benchmarks.nvml import SAMPLES_EVERY_S, watching


def test_the_peak_is_the_highest_above_the_start() -> None:
    meter = [500]
    with watching(lambda: meter[0]) as peak:
        for value in (700, 1300, 600):
            meter[0] = value
            time.sleep(4 * SAMPLES_EVERY_S)
    assert peak.bytes == 800


def test_without_a_gpu_there_is_no_figure() -> None:
    with watching(None) as peak:
        pass
    assert peak.bytes is None


def test_the_watch_ends_with_the_block() -> None:
    meter = [0]
    with watching(lambda: meter[0]) as peak:
        pass
    meter[0] = 900
    time.sleep(4 * SAMPLES_EVERY_S)
    assert peak.bytes == 0
