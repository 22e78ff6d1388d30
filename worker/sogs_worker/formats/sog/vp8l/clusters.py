"""Groups of blocks of like histograms, by k-means whose distance is the size that a block's symbols get.

Histograms here are (B, A, n): how often each of B blocks uses each of n symbols of each of A alphabets. They are whole
numbers in a floating type that can add them all up (`blocks.block_counts`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.estimates import STEPS, SYMBOL_BITS, code_costs, coded_bits

ITERATIONS = 4

STEP_ITERATIONS = 2
"""Of k-means, each time that groups are doubled."""

MOST_GROUPS = 64

_EXCEPTION = 0.03
"""An alphabet whose most frequent symbol leaves less than this to others may take no bits in most blocks."""


def best_groups(counts: Tensor) -> tuple[Tensor, int]:
    """Group blocks, (B, A, n), into 1, 2, 4... groups, as long as that makes the whole smaller; (B,) int64.

    Twice as many groups begin as halves of those before, of blocks in alternating pieces of the image.
    """
    places = torch.arange(len(counts), device=counts.device)
    groups, count, failures = torch.zeros_like(places), 1, 0
    least, found = float(grouped_bits(counts, groups, 1)), (groups, 1)
    while failures < 2 and 2 * count <= min(MOST_GROUPS, len(counts)):
        start = first_groups(counts, 2) if count == 1 else 2 * groups + (2 * count * places // len(counts)) % 2
        count *= 2
        groups, _, bits = cluster(counts[None], start, count, STEP_ITERATIONS)
        size = float(bits) + len(counts) * math.log2(count)
        failures = 0 if size < least else failures + 1
        if size < least:
            least, found = size, (groups, count)
    return found


def cluster(counts: Tensor, groups: Tensor, count: int, iterations: int = ITERATIONS) -> tuple[Tensor, Tensor, Tensor]:
    """Improve the grouping of blocks, each of which may be coded in one of several variants.

    Args:
        counts: (V, B, A, n), of V variants.
        groups: (B,) int64 to begin with; a block begins with variant `groups` modulo V.
        count: number of groups.
        iterations: of k-means.

    Returns:
        The group and the variant of each block, (B,) int64; groups may be empty. And the bits of the blocks and of the
        groups' codes, estimated, but not those of the groups' numbers.
    """
    variants = groups % len(counts)
    for _ in range(iterations):
        totals = group_totals(_chosen(counts, variants), groups, count)
        groups, variants, steps = assign(counts, code_costs(totals))
    return groups, variants, steps.sum(dtype=torch.float64) / STEPS + (totals > 0).sum() * SYMBOL_BITS


def spread(counts: Tensor, every: int, groups: Tensor, variants: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Assign all blocks to groups, and choose their variants, as every n-th of them was."""
    totals = group_totals(_chosen(counts[:, ::every], variants), groups, count)
    return assign(counts, code_costs(totals))[:2]


def assign(counts: Tensor, costs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the group and variant of each block in which it takes least at (K, A, n) costs, and what it takes."""
    steps = counts.flatten(2) @ costs.flatten(1).T.to(counts.dtype)  # (V, B, K)
    least, places = steps.permute(1, 0, 2).flatten(1).min(dim=1)
    return places % len(costs), places // len(costs), least


def _chosen(counts: Tensor, variants: Tensor) -> Tensor:
    return counts[variants, torch.arange(len(variants), device=counts.device)] if len(counts) > 1 else counts[0]


def group_totals(counts: Tensor, groups: Tensor, count: int) -> Tensor:
    """Add up the histograms of each group, (count, A, n)."""
    members = (torch.arange(count, device=counts.device)[:, None] == groups).to(counts.dtype)
    return (members @ counts.flatten(1)).reshape(count, *counts.shape[1:])


def first_groups(counts: Tensor, count: int) -> Tensor:
    """Divide blocks into `count` pieces of consecutive ones; those with exceptions are the last group."""
    whole = counts.sum(dim=0)
    rare = whole.sum(dim=1) - whole.amax(dim=1) < _EXCEPTION * whole.sum(dim=1)
    usual = counts.gather(2, whole.argmax(dim=1)[None, :, None].expand(len(counts), -1, 1)).squeeze(2)
    odd = (rare & (counts.sum(dim=2) > usual)).any(dim=1)
    places = torch.arange(len(counts), device=counts.device)
    return torch.where(odd, count - 1, places * (count - odd.any().long()) // len(counts))


def grouped_bits(counts: Tensor, groups: Tensor, count: int, share: float = 1) -> Tensor:
    """Estimate the bits of all blocks, of which `counts` are a share, of the groups' codes and numbers, whole."""
    symbols, tables = coded_bits(group_totals(counts, groups, count))
    numbers, _ = coded_bits(torch.bincount(groups, minlength=count)[None])
    return ((symbols + numbers) / share + tables).round()
