"""How long prefix codes will be, estimated from how often their symbols are used, before any code is made."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 16
"""Steps of a bit in which code lengths are estimated: whole numbers, so that sums are the same in any order."""

IMPOSSIBLE = 250
"""Bits that a second symbol is reckoned with where the only one takes none: then all uses of that would take some."""

SYMBOL_BITS = 4.5
"""Bits that a used symbol takes in the tables of code lengths, about."""


def code_costs(counts: Tensor) -> Tensor:
    """Estimate the code lengths of K groups, (K, ..., n) counts, float32 whole numbers of steps.

    No code is shorter than a bit, and the only symbol of a group takes none. A symbol that a group does not use is
    reckoned with as if it were used as often as its share of the whole.
    """
    smooth = counts + _symbol_shares(counts)
    total = smooth.sum(dim=-1, keepdim=True)
    most = smooth.amax(dim=-1, keepdim=True)
    rest = total - most
    # The most frequent symbol takes a bit at least, and the others share what that bit leaves.
    bits = (torch.minimum(total, 2 * rest).log2() - smooth.log2()).clamp_min_(1)
    alone = rest < 1  # the shares of all symbols that are not used
    bits += (IMPOSSIBLE - bits).mul_(alone)
    bits *= ~(alone & (smooth == most))
    return bits.mul_(STEPS).round_().float()


def coded_bits(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the bits of all symbols of (..., n) histograms, and of their codes: float64, without dimensions.

    A symbol takes what information theory says, but no less than a bit.
    """
    wide = counts.double()
    total, most = wide.sum(dim=-1), wide.amax(dim=-1)
    rest = total - most
    information = _times_log(wide).sum(dim=-1)
    skewed = total + _times_log(rest) - (information - _times_log(most))
    even = _times_log(total) - information
    symbols = torch.where(rest == 0, 0, torch.where(2 * most > total, skewed, even))
    return symbols.sum(), (counts > 0).sum() * SYMBOL_BITS


def _times_log(values: Tensor) -> Tensor:
    return values * values.clamp_min(1).log2()


def _symbol_shares(counts: Tensor) -> Tensor:
    """Return the share of each symbol in its alphabet over all groups, (..., n) float64; none is 0."""
    whole = counts.sum(dim=0, dtype=torch.float64).add_(0.02)
    return whole.div_(whole.sum(dim=-1, keepdim=True))
