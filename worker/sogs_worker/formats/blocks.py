"""Rows of packed bytes decoded a block at a time, since intermediates of a whole scene would outgrow the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Floats

BLOCK = 1 << 16
"""Rows decoded or packed at once."""


def split_rows(count: int) -> Iterator[slice]:
    """Return the places of consecutive blocks of rows."""
    for first in range(0, count, BLOCK):
        yield slice(first, min(first + BLOCK, count))


def decode_rows(rows: NDArray[Any], columns: int, decode: Callable[[NDArray[Any]], NDArray[np.floating]]) -> Floats:
    """Return (N, columns) float32: what `decode` makes of each block of (N, ...) rows."""
    decoded = np.empty((len(rows), columns), np.float32)
    for first in range(0, len(rows), BLOCK):
        decoded[first : first + BLOCK] = decode(rows[first : first + BLOCK])
    return decoded
