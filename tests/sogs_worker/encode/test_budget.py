"""What is computed at once fits a small GPU, and a large one is kept busy."""

from __future__ import annotations

import pytest
import torch

from sogs_worker.encode.budget import AMPLE_BYTES, at_once, reduced


@pytest.mark.parametrize(
    ("available_bytes", "expected"),
    [
        (140 << 30, 1 << 27),
        (AMPLE_BYTES, 1 << 27),
        (AMPLE_BYTES - 1, 1 << 26),
        (8 << 30, 1 << 26),
        (5 << 30, 1 << 25),
        (1 << 20, 1 << 13),
        (0, 1),
    ],
)
def test_what_is_computed_at_once_is_halved_with_the_memory(available_bytes: int, expected: int) -> None:
    assert reduced(1 << 27, available_bytes) == expected


def test_a_cpu_has_its_own_number() -> None:
    assert at_once({"cpu": 5, "cuda": 7}, torch.device("cpu")) == 5
