"""Which transforms make a plane smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.formats.vp8l.blocks import Grid, block_counts
from sogs_worker.formats.vp8l.clusters import cluster, first_groups, grouped_bits, spread
from sogs_worker.formats.vp8l.estimates import STEPS, code_costs, coded_bits
from sogs_worker.formats.vp8l.repeats import find_distances, pack_colours
from sogs_worker.formats.vp8l.symbols import LITERALS, histograms, literal_symbols
from sogs_worker.formats.vp8l.transforms import BLACK, MODES, predict, subtract_green

BANDS = 4

SAMPLE = 1 << 15
"""Pixels of the pieces that transforms are judged by."""

RIVALS = 1.06
"""A mode of prediction may be the best of some blocks if the whole gets at most so many times larger with it."""

PROMISING = 1.08
"""What is so many times larger than the best without copies of pixels is not the best with them."""

MOST_MODES = 2
"""Modes that blocks choose from."""

COPY_BITS = 4
"""Bits of a copy of one pixel besides those of its distance, about."""

COPY_GAIN = 0.02
"""Copies are searched for where they save so much of the sample,"""

FEW_BITS = 10
"""or where a pixel takes less than this."""

GROUPS = 4
"""Groups, for each mode, of the blocks that choose modes."""

BLOCKS = 1024
"""Blocks by which it is judged whether to choose, at most."""


@dataclass(frozen=True)
class Transform:
    """What is done to a plane before it is coded.

    Attributes:
        green: whether green is subtracted from red and blue, first.
        modes: of prediction that blocks may choose from, the best for the whole first; none if nothing is predicted.
        repetitive: whether copies of pixels are worth a search.
    """

    green: bool
    modes: tuple[int, ...]
    repetitive: bool


def choose_transform(plane: Tensor) -> Transform:
    """Choose for a (4, H, W) uint8 plane, judged by pieces of it."""
    bands = _bands(plane)
    greens = {False: bands, True: [subtract_green(band) for band in bands]}
    kinds = {(green, mode): [_residuals(band, mode) for band in greens[green]] for green in greens for mode in MODES}
    literals = _by_kind({kind: _literal_steps(bands).sum() for kind, bands in kinds.items()})
    promising = [kind for kind, size in literals.items() if size <= PROMISING * min(literals.values())]
    sizes = _by_kind({kind: _least_steps(kinds[kind]) for kind in promising})
    green, best = min(sizes, key=lambda kind: sizes[kind])
    least = sizes[green, best]
    copied = least < (1 - COPY_GAIN) * literals[green, best]
    rivals = sorted((size, mode) for (own, mode), size in sizes.items() if own == green and size <= RIVALS * least)
    modes = [mode for _, mode in rivals[:MOST_MODES]] if not copied else [best]
    few = literals[green, best] < FEW_BITS * STEPS * sum(band[0].numel() for band in bands)
    return Transform(green, () if modes == [BLACK] else tuple(modes), repetitive=copied or few)


def _by_kind(sizes: dict[tuple[bool, int], Tensor]) -> dict[tuple[bool, int], float]:
    """Bring numbers from the device, all at once."""
    return dict(zip(sizes, torch.stack(list(sizes.values())).tolist(), strict=True))


def apply_transform(plane: Tensor, transform: Transform, grid: Grid) -> tuple[Tensor, Tensor | None]:
    """Return the residuals, (4, H, W) uint8, and the mode of each block, (blocks,) int64; None if nothing is predicted.

    Blocks choose modes if that makes the whole smaller than the best mode for all.
    """
    if transform.green:
        plane = subtract_green(plane)
    if not transform.modes:
        return plane, None
    best = _residuals(plane, transform.modes[0])
    modes = torch.tensor(transform.modes, device=plane.device)
    if len(modes) > 1:
        variants = torch.stack([predict(plane, mode) for mode in transform.modes])
        chosen = _best_variants(variants, best, grid)
        if chosen is not None:
            spread = grid.of_pixels(chosen).reshape(1, 1, *plane.shape[1:])
            return variants.gather(0, spread.expand(1, 4, -1, -1))[0], modes[chosen]
    return best, modes[:1].expand(grid.count) if transform.modes[0] != BLACK else None


def _residuals(plane: Tensor, mode: int) -> Tensor:
    """Predict with one mode; to predict black is not to predict at all, which spares the first row and column."""
    return plane if mode == BLACK else predict(plane, mode)


def _best_variants(variants: Tensor, best: Tensor, grid: Grid) -> Tensor | None:
    """Choose one of (V, 4, H, W) residuals for each block, or None if `best` for all is smaller."""
    planes = [*variants, best]
    counts = block_counts([literal_symbols(list(each.flatten(1).long())) for each in planes], grid)
    every = -(-grid.count // BLOCKS)
    sample = counts[:, ::every].contiguous()
    single, _ = cluster(sample[-1:], first_groups(sample[-1], GROUPS), GROUPS)
    # Each piece of the plane begins with a group for each variant, of blocks that lie between one another.
    count = GROUPS * len(variants)
    places = torch.arange(sample.shape[1], device=counts.device)
    start = first_groups(sample[0], GROUPS) * len(variants) + places % len(variants)
    groups, chosen = cluster(sample[:-1], start, count)
    share = sample.shape[1] / grid.count
    numbers, _ = coded_bits(torch.bincount(chosen, minlength=len(variants))[None])
    mixed = grouped_bits(sample[chosen, places], groups, count, share) + numbers / share
    if bool(mixed >= grouped_bits(sample[-1], single, GROUPS, share)):
        return None
    return spread(counts[:-1], every, groups, chosen, count)[1]


def _bands(plane: Tensor) -> list[Tensor]:
    """Return pieces of whole rows, of at most SAMPLE pixels in all."""
    count = min(BANDS, plane.shape[1])
    rows = min(-(-plane.shape[1] // count), max(1, SAMPLE // (count * plane.shape[2])))
    return [plane[:, plane.shape[1] * band // count :][:, :rows] for band in range(count)]


def _literal_steps(residuals: Sequence[Tensor]) -> Tensor:
    """Estimate what each pixel takes, (N,) float32 steps, where each piece has codes of its own."""
    channels = torch.cat([each.flatten(1) for each in residuals], dim=1).long()
    places = torch.arange(len(residuals), device=channels.device)
    rows = places.repeat_interleave(torch.tensor([each[0].numel() for each in residuals], device=channels.device))
    counts = torch.stack([histograms(channel, rows, len(residuals), LITERALS) for channel in channels], dim=1)
    costs = code_costs(counts)
    return torch.stack([costs[rows, place, channel] for place, channel in enumerate(channels)]).sum(dim=0)


def _least_steps(residuals: Sequence[Tensor]) -> Tensor:
    """Estimate what all pixels take if each may be a copy of another instead."""
    literal = _literal_steps(residuals)
    distances = find_distances(pack_colours(torch.cat([each.flatten(1) for each in residuals], dim=1)))
    copied = ((distances.clamp_min(1).float().log2() + COPY_BITS) * STEPS).round()
    return torch.where(distances > 0, torch.minimum(literal, copied), literal).double().sum()
