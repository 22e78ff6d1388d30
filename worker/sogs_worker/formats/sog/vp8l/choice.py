"""Which transforms make a plane smallest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.blocks import Grid, block_counts
from sogs_worker.formats.sog.vp8l.clusters import cluster, first_groups, grouped_bits, spread
from sogs_worker.formats.sog.vp8l.estimates import STEPS, code_costs, coded_bits
from sogs_worker.formats.sog.vp8l.repeats import find_distances, pack_colours
from sogs_worker.formats.sog.vp8l.symbols import LITERALS, histograms, literal_symbols
from sogs_worker.formats.sog.vp8l.transforms import BLACK, MODES, predict, subtract_green

KINDS = tuple((green, mode) for green in (False, True) for mode in MODES)
"""What is tried: whether green is subtracted, and how pixels are predicted."""

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
    greens = torch.stack([bands, subtract_green(bands)])
    trials = torch.stack([_residuals(greens, mode) for mode in MODES], dim=1).flatten(0, 1)  # as in KINDS
    steps = _literal_steps(trials)
    literals = steps.sum(dim=1)
    promising = (literals <= PROMISING * literals.min()).nonzero().squeeze(1)
    sizes = _least_steps(trials[promising], steps[promising]).sum(dim=1)
    found = torch.stack([sizes, literals[promising], promising], dim=1).tolist()
    least, literal, best = min(found)
    green, mode = KINDS[best]
    repetitive = least < (1 - COPY_GAIN) * literal
    few = literal < FEW_BITS * STEPS * steps.shape[1]
    rivals = [KINDS[kind][1] for size, _, kind in sorted(found) if KINDS[kind][0] == green and size <= RIVALS * least]
    modes = [mode] if repetitive else rivals[:MOST_MODES]
    return Transform(green, () if modes == [BLACK] else tuple(modes), repetitive=repetitive or few)


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
    single, *_ = cluster(sample[-1:], first_groups(sample[-1], GROUPS), GROUPS)
    # Each piece of the plane begins with a group for each variant, of blocks that lie between one another.
    count = GROUPS * len(variants)
    places = torch.arange(sample.shape[1], device=counts.device)
    start = first_groups(sample[0], GROUPS) * len(variants) + places % len(variants)
    groups, chosen, _ = cluster(sample[:-1], start, count)
    share = sample.shape[1] / grid.count
    numbers, _ = coded_bits(torch.bincount(chosen, minlength=len(variants))[None])
    mixed = grouped_bits(sample[chosen, places], groups, count, share) + numbers / share
    if bool(mixed >= grouped_bits(sample[-1], single, GROUPS, share)):
        return None
    return spread(counts[:-1], every, groups, chosen, count)[1]


def _bands(plane: Tensor) -> Tensor:
    """Return pieces of whole rows, (bands, 4, rows, W), of at most SAMPLE pixels in all if rows are not longer."""
    height, width = plane.shape[1:]
    count = min(BANDS, height)
    rows = min(height // count, max(1, SAMPLE // (count * width)))
    return torch.stack([plane[:, height * band // count :][:, :rows] for band in range(count)])


def _literal_steps(residuals: Tensor) -> Tensor:
    """Estimate what the pixels of (T, bands, 4, rows, W) trials take, (T, N) int64 steps; each band has its codes."""
    alphabets = residuals.shape[:3]
    first = LITERALS * torch.arange(alphabets.numel(), device=residuals.device).reshape(*alphabets, 1)
    places = residuals.flatten(3) + first
    counts = histograms(places.flatten(), None, 1, LITERALS * alphabets.numel()).reshape(*alphabets, LITERALS)
    costs = code_costs(counts.transpose(0, 1)).transpose(0, 1)
    return costs.flatten()[places].sum(dim=2).flatten(1).long()


def _least_steps(residuals: Tensor, literal: Tensor) -> Tensor:
    """Estimate what pixels take, (T, N) int64, if each may be a copy of another of its trial instead of `literal`."""
    distances = find_distances(pack_colours(residuals.movedim(2, 0))).reshape(literal.shape)
    pixels = torch.arange(literal.shape[1], device=literal.device)
    copied = ((distances.clamp_min(1).float().log2() + COPY_BITS) * STEPS).round().long()
    return torch.where((distances > 0) & (distances <= pixels), torch.minimum(literal, copied), literal)
