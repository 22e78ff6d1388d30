"""Codebooks of even steps, and rounding to a multiple of their steps.

A plane's bytes are entropy coded. Then even steps cost fewer bytes than a codebook fitted to the values (Gish and
Pierce, "Asymptotically efficient quantizing", 1968), and a value rounded to every second or fourth step costs a bit or
two less, which is how splats that matter less get fewer bytes.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIZE = 256
"""Entries of every codebook: an index is one byte."""

MIDDLE = SIZE // 2
"""Multiples of a coarser step are counted from here, so that the ends of the codebook can be off the lattice."""

TAIL = 24
"""Entries for the values beyond an end of the even steps, at distances that grow geometrically."""

TAIL_SHARES = (1e-4, 1e-3, 1e-2, 5e-2)
"""Share of the weight that may lie beyond each end of the even steps: more only where some values are very far away."""

FAR = 4
"""Values are very far away if the even steps get so many times as wide for them, as asked for and as for the others."""


def build_lattice(values: Tensor, weights: Tensor, step: float) -> Tensor:
    """Build a codebook of even steps that covers the values.

    Where 256 steps do not reach from the least to the greatest value, the even steps cover all but 1e-4 of the weight
    on either side, and a few entries at growing distances reach the extremes; if that is still too long, the steps
    are wider, and if a few values make them very wide, they cover less. Up to 256 distinct values are kept exactly.

    Args:
        values: any shape, float32, finite, at least one.
        weights: same shape, float32, >= 0.
        step: greater than 0.

    Returns:
        (256,) float32, finite, ascending.
    """
    ordered, order = values.flatten().sort(stable=True)
    distinct = ordered[torch.cat([ordered.new_ones(1, dtype=torch.bool), ordered[1:] != ordered[:-1]])]
    if len(distinct) <= SIZE:
        return torch.cat([distinct, distinct[-1:].expand(SIZE - len(distinct))])
    least, greatest = float(ordered[0]), float(ordered[-1])
    if greatest - least <= step * (SIZE - 1):
        return _to_float32(least + step * torch.arange(SIZE, dtype=torch.float64, device=values.device))
    low, high = _core(ordered, weights.flatten()[order], step * SIZE)
    before = TAIL if low > least else 0
    after = TAIL if high < greatest else 0
    even = torch.linspace(0, 1, SIZE - before - after, dtype=torch.float64, device=values.device)
    wide = max(step, (high - low) / (len(even) - 1))
    start = low if wide > step or before else least
    core = start + wide * (len(even) - 1) * even
    left = float(core[0]) - _growing(float(core[0]) - least, wide, before, values.device).flip(0)
    right = float(core[-1]) + _growing(greatest - float(core[-1]), wide, after, values.device)
    return _to_float32(torch.cat([left, core, right]))


def lattice_indices(values: Tensor, lattice: Tensor, levels: Tensor | int) -> Tensor:
    """Round values to entries whose distance from the middle one is a multiple of 2^level.

    In a codebook of few values, which are not evenly spaced, the next multiple may be far away: all levels are 0 there.

    Args:
        values: any shape.
        lattice: (256,) ascending.
        levels: 0 to 7, broadcast against `values`.

    Returns:
        Indices of the values' shape, uint8.
    """
    wide = lattice.double()
    right = torch.searchsorted(wide, values.double().contiguous()).clamp(1, SIZE - 1)
    width = (wide[right] - wide[right - 1]).clamp_min(torch.finfo(torch.float64).tiny)
    places = (right - 1) + ((values - wide[right - 1]) / width).clamp(0, 1)
    sensible = torch.where(_is_even(wide), levels, 0)
    return (snap(places - MIDDLE, sensible, MIDDLE - 1, -MIDDLE) + MIDDLE).to(torch.uint8)


def centre_entries(lattice: Tensor, values: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """Move each entry to the weighted mean of the values that were rounded to it, at most half-way to the next entry.

    Values crowd on one side of an entry where their density is steep. Many splats add up in a pixel, and so would a
    bias that they share, although it is small beside the error of each.

    Args:
        lattice: (256,) float32, ascending.
        values: any shape, float32.
        weights: same shape, float32, >= 0.
        indices: same shape, uint8.

    Returns:
        (256,) float32, ascending.
    """
    # Whole numbers, because their sums are the same in any order, which a GPU's are not.
    mass = (weights / weights.max() * 2**20).long().flatten()
    places = indices.flatten().long()
    offsets = values.flatten().double() - lattice.double()[places]
    unit = offsets.abs().max().clamp_min(torch.finfo(torch.float64).tiny) / 2**18
    zeros = mass.new_zeros(SIZE)
    moments = zeros.index_add(0, places, mass * (offsets / unit).round().long())
    masses = zeros.index_add(0, places, mass)
    shifts = torch.where(masses > 0, moments / masses.clamp_min(1), 0.0) * unit
    halves = lattice.double().diff() / 2
    below, above = torch.nn.functional.pad(halves, (1, 0)), torch.nn.functional.pad(halves, (0, 1))
    return (lattice.double() + shifts.clamp(-below, above)).float()


def snap(places: Tensor, levels: Tensor | int, greatest: int, least: int = 0) -> Tensor:
    """Round to multiples of 2^level within [least, greatest]; what is rounded beyond an end becomes that end."""
    sizes = 2.0**levels
    return ((places / sizes).round() * sizes).clamp(least, greatest)


def _is_even(lattice: Tensor) -> Tensor:
    """Tell whether the entries between the tails are evenly spaced, but for rounding."""
    gaps = lattice[TAIL : SIZE - TAIL].diff()
    return gaps.max() < 1.01 * gaps.min()


def _to_float32(entries: Tensor) -> Tensor:
    greatest = torch.finfo(torch.float32).max
    return entries.clamp(-greatest, greatest).float()


def _core(ordered: Tensor, weights: Tensor, wanted: float) -> tuple[float, float]:
    """Return the ends of an interval beyond which little of the weight lies, if possible of about the wanted length."""
    # Whole numbers, because their sums are the same in any order, which a GPU's are not.
    mass = (weights / weights.max() * 2**20).long().cumsum(0)
    shares = torch.tensor(TAIL_SHARES, dtype=torch.float64, device=mass.device)
    ends = (mass[-1] * torch.stack([shares, 1 - shares])).long()
    lows, highs = ordered[torch.searchsorted(mass, ends).clamp_max(len(mass) - 1)].tolist()
    longest = FAR * max(wanted, highs[-1] - lows[-1])
    return next((low, high) for low, high in zip(lows, highs, strict=True) if high - low <= longest)


def _growing(distance: float, step: float, count: int, device: torch.device) -> Tensor:
    """Return `count` ascending distances up to `distance`, the first about a step, each longer than the last.

    Where the even steps reach beyond the extreme already, they go on.
    """
    if count == 0:
        return torch.empty(0, dtype=torch.float64, device=device)
    if distance <= 0:
        return step * torch.arange(1, count + 1, dtype=torch.float64, device=device)
    powers = torch.linspace(1 / count, 1, count, dtype=torch.float64, device=device)
    first = min(step, distance / count)
    return first * (max(distance / first, 1.0) ** ((powers - powers[0]) / (1 - float(powers[0]))))
