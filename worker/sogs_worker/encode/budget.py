"""How much is computed at once: enough to keep a GPU busy, and less where its memory is short."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

AMPLE_BYTES = 16 << 30
"""Of a GPU's memory: with as much, or more, nothing is cut smaller than is good for its speed."""


def at_once(most: Mapping[str, int], device: torch.device) -> int:
    """Return how many to compute at once on a device.

    By what this process can have of the GPU's memory, in steps of two, so that another program's small needs change
    nothing: matrix products of another shape round otherwise.

    Args:
        most: the number for `cpu`, and for `cuda` with ample memory.
        device: where.
    """
    number = most[device.type]
    if device.type != "cuda":
        return number
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return reduced(number, free_bytes + torch.cuda.memory_reserved(device))


def reduced(number: int, available_bytes: int) -> int:
    """Halve a number as often as what is available must be doubled to be ample."""
    halvings = math.ceil(math.log2(AMPLE_BYTES / max(available_bytes, 1)))
    return max(1, number >> max(0, halvings))
