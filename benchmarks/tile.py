"""Scenes of any size from one scene: copies side by side, each disturbed a little, in no order, streamed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import BenchmarkError
from benchmarks.scenes import open_header
from sogs_worker.formats.ply.header import Element

BLOCK_ROWS = 1 << 17
SAMPLE_ROWS = 100_000
NOISE = 0.02
"""Of a column's spread, for values of copies: equal rows would make a palette of few entries exact."""
POSITION_NOISE = 0.001
"""Of an axis' spread: surfaces stay surfaces."""
GAP = 1.1
"""Distance of copies in extents of the scene."""
QUARTILES_TO_SIGMA = 1.349

Rows = NDArray[np.float32]


def write_tiled(base: Path, target: Path, count: int, *, seed: int) -> None:
    """Write a PLY of `count` splats with the columns of `base`, whose first copy is unchanged but for its order.

    Memory does not grow with `count`. Fewer than `base` has are a random part of it. The same arguments give the same
    bytes.

    Raises:
        BenchmarkError: `base` is not a binary little-endian PLY of float32 vertices.
    """
    rows, vertex = _map_rows(base)
    names = [each.name for each in vertex.properties]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {count}",
        *(f"property float {name}" for name in names),
        "end_header\n",
    ]
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        file.write("\n".join(header).encode())
        for block in make_blocks(rows, names, count, seed=seed):
            block.tofile(file)
    part.replace(target)


def make_blocks(rows: Rows, names: list[str], count: int, *, seed: int) -> Iterator[Rows]:
    """Yield `count` rows in blocks of at most BLOCK_ROWS.

    Args:
        rows: (B, P) float32, a scene.
        names: (P,) the columns' names; x, y and z are positions.
        count: how many, more or fewer than B.
        seed: of the order and of the noise.
    """
    sample = rows[:: max(1, len(rows) // SAMPLE_ROWS)]
    axes = [names.index(axis) for axis in "xz"]
    low, high = np.percentile(sample[:, axes], [5, 95], axis=0)
    steps = (GAP * (high - low)).astype(np.float32)
    spread = _spread(sample, names)
    tiles = math.ceil(count / len(rows))
    side = math.ceil(math.sqrt(tiles))
    for first in range(0, count, BLOCK_ROWS):
        index = np.arange(first, min(first + BLOCK_ROWS, count))
        tile, row = np.divmod(shuffled(index, tiles * len(rows), seed=seed), len(rows))
        rng = np.random.default_rng([seed, first])
        block = rows[row]
        noise = rng.standard_normal(block.shape, np.float32) * spread
        block += np.where(tile[:, None] > 0, noise, 0)
        block[:, axes] += np.stack([tile % side, tile // side], 1) * steps
        yield block


def shuffled(index: NDArray[np.int64], count: int, *, seed: int) -> NDArray[np.int64]:
    """Send each of 0 to `count` - 1 to another of them, without a table: i -> (a i + b) mod count, a prime to count.

    The stride a near the golden section keeps neighbours far apart. `count` is below 2**31, so that products fit.
    """
    stride = max(1, round(count * 0.6180339887))
    while math.gcd(stride, count) != 1:
        stride += 1
    return (index * stride + seed) % count


def _spread(sample: Rows, names: list[str]) -> Rows:
    """(P,) standard deviation of the noise of each column; 0 where half of the scene has one value."""
    low, high = np.percentile(sample, [25, 75], axis=0)
    share = np.array([POSITION_NOISE if name in ("x", "y", "z") else NOISE for name in names])
    return np.asarray((high - low) / QUARTILES_TO_SIGMA * share, np.float32)


def _map_rows(base: Path) -> tuple[Rows, Element]:
    """Map the vertices of a PLY into memory: (B, P) float32, and what its header says of them."""
    header = open_header(base)
    vertex = next(iter(header.elements), Element("none", 0, ()))
    types = {each.type for each in vertex.properties}
    if vertex.name != "vertex" or header.encoding != "binary_little_endian" or types - {"float", "float32"}:
        raise BenchmarkError(
            f"{base}: only a binary little-endian PLY of float vertices can be tiled; convert it first"
        )
    shape = (vertex.count, len(vertex.properties))
    if not vertex.count or base.stat().st_size < header.size_bytes + 4 * shape[0] * shape[1]:
        raise BenchmarkError(f"{base}: the PLY is empty or truncated; copy it again")
    rows: Rows = np.memmap(base, np.float32, mode="r", offset=header.size_bytes, shape=shape)
    return rows, vertex
