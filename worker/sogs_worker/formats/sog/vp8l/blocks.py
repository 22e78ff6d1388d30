"""Square blocks of an image in groups: the blocks of a group share prefix codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.clusters import best_groups, cluster
from sogs_worker.formats.sog.vp8l.symbols import Symbols, histograms


@dataclass(frozen=True)
class Grid:
    """Blocks of 2^bits x 2^bits pixels of an image.

    Attributes:
        height: of the image.
        width: of the image.
        bits: of a block's side, 2 to 9.
    """

    height: int
    width: int
    bits: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return (self.height - 1 >> self.bits) + 1, (self.width - 1 >> self.bits) + 1

    @property
    def count(self) -> int:
        """Number of blocks."""
        return self.shape[0] * self.shape[1]

    def of_pixels(self, values: Tensor) -> Tensor:
        """Spread (count,) values of blocks over their pixels, (H W,)."""
        rows, columns = self.shape
        y, x = (torch.arange(side, device=values.device) >> self.bits for side in (self.height, self.width))
        return values.reshape(rows, columns)[y[:, None], x].flatten()

    def of_tokens(self, values: Tensor, pixels: Tensor | None) -> Tensor:
        """Return the values, (count,), of the blocks that tokens begin in."""
        spread = self.of_pixels(values)
        return spread if pixels is None else spread[pixels]


def fitting_grid(height: int, width: int) -> Grid:
    """Return the grid of smallest blocks whose histograms are not too many."""
    return next(grid for bits in range(3, 10) if (grid := Grid(height, width, bits)).count <= MOST_BLOCKS or bits == 9)


ITERATIONS = 2
"""Of k-means, of single blocks: groups are first made of fours of them."""

MOST_BLOCKS = 1 << 14

EXACT = 1 << 24
"""Up to here float32 has all whole numbers, so that sums of pixels are the same in any order and by any threads."""


@dataclass(frozen=True)
class Grouping:
    """Blocks of an image in groups.

    Attributes:
        grid: the blocks.
        groups: (blocks,) int64.
        count: number of groups, none empty.
    """

    grid: Grid
    groups: Tensor
    count: int


def one_group(device: torch.device) -> Grouping:
    """Use the same codes everywhere."""
    return Grouping(Grid(1, 1, 9), torch.zeros(1, dtype=torch.int64, device=device), 1)


def group_blocks(symbols: Symbols, grid: Grid, start: Grouping | None = None) -> Grouping:
    """Group blocks by their histograms; `start` is the grouping to improve, otherwise many are tried."""
    counts = block_counts([symbols], grid)[0]
    if start is None:
        coarse, places = _coarse_counts(counts, grid)
        groups, count = best_groups(coarse)
        groups = groups[places]
        if count > 1:
            groups = cluster(counts[None], groups, count, ITERATIONS)[0]
    else:
        groups, count = cluster(counts[None], start.groups, start.count, 1)[0], start.count
    used = torch.bincount(groups, minlength=count) > 0
    return Grouping(grid, (used.cumsum(0) - 1)[groups], int(used.sum()))


def _coarse_counts(counts: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Add up histograms of blocks by fours; return which four each is in, too, (blocks,) int64."""
    coarse = Grid(grid.height, grid.width, grid.bits + 1)
    rows, columns = (torch.arange(side, device=counts.device) >> 1 for side in grid.shape)
    places = (rows[:, None] * coarse.shape[1] + columns).flatten()
    return counts.new_zeros(coarse.count, *counts.shape[1:]).index_add_(0, places, counts), places


def block_counts(variants: Sequence[Symbols], grid: Grid) -> Tensor:
    """Return how often each block uses the symbols of each alphabet that uses several, (V, blocks, A, n).

    They are float32, and float64 where the image has more than `EXACT` pixels.

    Args:
        variants: V choices of symbols for one image, in which the same alphabets use several.
        grid: the blocks.
    """
    first = variants[0]
    size = max(first.sizes[alphabet] for alphabet in first.varied)
    dtype = torch.float32 if grid.height * grid.width <= EXACT else torch.float64
    counts = torch.zeros(len(variants), grid.count, len(first.varied), size, dtype=dtype, device=first.device)
    blocks = grid.of_tokens(torch.arange(grid.count, device=first.device), first.pixels)
    for variant, symbols in enumerate(variants):
        for place, (alphabet, codes) in enumerate(symbols.varied.items()):
            own = symbols.sizes[alphabet]
            counts[variant, :, place, :own] = histograms(codes, blocks, grid.count, own)
    return counts


def group_counts(symbols: Symbols, grouping: Grouping) -> Tensor:
    """Count how often each group uses each symbol, (K, 5, n) int64, n of the largest alphabet.

    An only symbol is counted once.
    """
    groups = grouping.grid.of_tokens(grouping.groups, symbols.pixels) if grouping.count > 1 else None
    sizes = symbols.sizes
    counts = torch.zeros(grouping.count, len(sizes), max(sizes), dtype=torch.int64, device=grouping.groups.device)
    for alphabet, (codes, size) in enumerate(zip(symbols.codes, sizes, strict=True)):
        if isinstance(codes, Tensor):
            counts[:, alphabet, :size] = histograms(codes, groups, grouping.count, size)
        elif codes is not None:
            counts[:, alphabet, codes] = 1
    return counts
