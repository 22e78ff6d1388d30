"""Square blocks of an image in groups: the blocks of a group share prefix codes, and so should have like histograms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sogs_worker.formats.vp8l.symbols import Symbols

STEPS = 64
"""Steps of a bit in which code lengths are estimated: whole numbers, so that sums are the same in any order."""

LONGEST = 24
"""Bits that the rarest symbol is reckoned with."""

SYMBOL_BITS = 4.5
"""Bits that a used symbol takes in the tables of code lengths, about."""

ITERATIONS = 5

COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of groups to try."""


@dataclass(frozen=True)
class Grouping:
    """Blocks of an image in groups.

    Attributes:
        bits: of a block's side; 0 if there is one group.
        groups: (rows, columns) int64, the group of each block.
        tokens: (T,) int64, the group of each token; None if there is one group.
        counts: how often each group uses each symbol, (K, n) int64 for each alphabet.
    """

    bits: int
    groups: Tensor
    tokens: Tensor | None
    counts: tuple[Tensor, ...]

    def pixels(self, height: int, width: int) -> Tensor | None:
        """Return the group of each pixel of an image of this size, (N,) int64; None if there is one group."""
        if self.tokens is None:
            return None
        y, x = (torch.arange(side, device=self.groups.device) >> self.bits for side in (height, width))
        return self.groups[y[:, None], x].flatten()


def one_group(symbols: Symbols) -> Grouping:
    """Use the same codes everywhere."""
    rows = torch.zeros((), dtype=torch.int64, device=symbols.device)
    counts = tuple(histograms(codes, rows, 1, size) for codes, size in symbols.alphabets())
    return Grouping(0, torch.zeros(1, 1, dtype=torch.int64, device=symbols.device), None, counts)


def group_blocks(symbols: Symbols, height: int, width: int, bits: int) -> Grouping:
    """Group blocks of 2^bits x 2^bits pixels by k-means, whose distance is the size that a block's symbols get.

    The numbers of groups that are tried are COUNTS; the one of least estimated size is taken.
    """
    rows, columns = (height - 1 >> bits) + 1, (width - 1 >> bits) + 1
    blocks = _blocks(symbols, height, width, bits)
    counts = [histograms(codes, blocks, rows * columns, size) for codes, size in symbols.alphabets()]
    trials = list(_trials(counts, rows * columns))
    sizes = torch.stack([_estimate(counts, groups, count) for groups, count in trials]).tolist()
    groups, count = _without_empty(*trials[sizes.index(min(sizes))])
    return Grouping(
        bits if count > 1 else 0,
        groups.reshape(rows, columns),
        groups[blocks] if count > 1 else None,
        tuple(_merge(part, groups, count) for part in counts),
    )


def histograms(codes: Tensor, rows: Tensor, count: int, size: int) -> Tensor:
    """Count the symbols of each of `count` rows, (count, size) int64; symbols equal to `size` are not counted."""
    places = rows * (size + 1) + codes
    if places.device.type == "cpu":  # several times faster than torch's
        counts = torch.from_numpy(np.bincount(places.numpy(), minlength=count * (size + 1)))
    else:
        counts = torch.zeros(count * (size + 1), dtype=torch.int64, device=codes.device)
        counts.scatter_add_(0, places, torch.ones_like(places))
    return counts.reshape(count, size + 1)[:, :size]


def code_costs(counts: Tensor) -> Tensor:
    """Estimate the code lengths of (K, n) counts, float32 whole numbers of steps.

    No code is shorter than a bit, and the only symbol of a group takes none. A symbol that a group does not use is
    reckoned with as rare there as twice in all, times its share of the whole.
    """
    whole = counts.sum(dim=0, keepdim=True).double()
    smooth = counts + 2 * (whole + 0.02) / (whole.sum() + 0.02 * whole.shape[1])
    most, place = smooth.max(dim=1, keepdim=True)
    total = smooth.sum(dim=1, keepdim=True)
    bits = torch.where(2 * most > total, 1 + (total - most).log2() - smooth.log2(), total.log2() - smooth.log2())
    alone = counts.amax(dim=1, keepdim=True) == counts.sum(dim=1, keepdim=True)
    first = torch.where(2 * most > total, 1, bits.gather(1, place))
    bits.scatter_(1, place, torch.where(alone, 0, first))
    return (bits.clamp(max=LONGEST) * STEPS).round().float()


def coded_bits(counts: Tensor) -> Tensor:
    """Estimate the bits of all symbols of (K, n) histograms, float64: entropies, but at least a bit for a symbol."""
    wide = counts.double()
    total = wide.sum(dim=-1)
    most = wide.amax(dim=-1)
    informations = total * total.clamp_min(1).log2() - _log_sum(wide)
    rest = total - most
    skewed = total + rest * rest.clamp_min(1).log2() - (_log_sum(wide) - most * most.clamp_min(1).log2())
    return torch.where(rest == 0, 0, torch.where(2 * most > total, skewed, informations)).sum()


def _log_sum(wide: Tensor) -> Tensor:
    return (wide * wide.clamp_min(1).log2()).sum(dim=-1)


def _blocks(symbols: Symbols, height: int, width: int, bits: int) -> Tensor:
    """Return the block of each token, (T,) int64, row by row."""
    columns = (width - 1 >> bits) + 1
    if symbols.pixels is None:
        y, x = (torch.arange(side, device=symbols.device) >> bits for side in (height, width))
        return (y[:, None] * columns + x).flatten()
    y = symbols.pixels // width
    return (y >> bits) * columns + (symbols.pixels - y * width >> bits)


def _trials(counts: Sequence[Tensor], blocks: int) -> Iterator[tuple[Tensor, int]]:
    """Yield the group of each block and the number of groups, for each number of groups."""
    device = counts[0].device
    places = torch.arange(blocks, device=device)
    matrix = torch.cat(list(counts), dim=1).float()
    for count in COUNTS:
        groups = places * count // blocks
        for _ in range(ITERATIONS if count > 1 else 0):
            costs = torch.cat([code_costs(_merge(part, groups, count)) for part in counts], dim=1)
            groups = (matrix @ costs.T).argmin(dim=1)
        yield groups, count


def _without_empty(groups: Tensor, count: int) -> tuple[Tensor, int]:
    """Number the groups that have blocks from 0 up: a decoder expects no codes for others."""
    used = torch.bincount(groups, minlength=count) > 0
    return (used.cumsum(0) - 1)[groups], int(used.sum())


def _merge(counts: Tensor, groups: Tensor, count: int) -> Tensor:
    return torch.zeros(count, counts.shape[1], dtype=torch.int64, device=counts.device).index_add_(0, groups, counts)


def _estimate(counts: Sequence[Tensor], groups: Tensor, count: int) -> Tensor:
    """Return about the bits of an image whose blocks are in these groups, whole."""
    merged = [_merge(part, groups, count) for part in counts]
    tables = sum(((part > 0).sum() * SYMBOL_BITS for part in merged), torch.zeros((), device=groups.device))
    image = coded_bits(torch.bincount(groups, minlength=count)[None])
    return (sum((coded_bits(part) for part in merged), image) + tables).round()
