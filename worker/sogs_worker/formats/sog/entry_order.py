"""The order of a palette's entries, which is free: the one whose planes are smallest.

Lossless WebP has codes for groups of blocks, so entries of like coefficients should lie together; and what is used most
should have the low numbers, as the high bytes of the labels are small then. So entries are divided into classes of like
histograms, those used most come first, and within a class the entry used most.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.clusters import assign, cluster, group_totals
from sogs_worker.formats.sog.vp8l.estimates import code_costs
from sogs_worker.formats.sog.vp8l.symbols import LITERALS, histograms

CLASSES = 16
"""8 save three quarters as much, 32 no more."""

ITERATIONS = 12

SAMPLE = 1 << 13
"""Entries that the classes are found with, at most, and entries that are counted at once: histograms are large."""


def order_entries(entries: Tensor) -> Tensor:
    """Return the order, (K,) int64, of (K, C, 3) uint8 entries that come by falling use."""
    every = -(-len(entries) // SAMPLE)
    sample = _histograms(entries[::every])
    first = torch.arange(len(sample), device=entries.device) * CLASSES // len(sample)
    found, *_ = cluster(sample[None], first, CLASSES, ITERATIONS)
    costs = code_costs(group_totals(sample, found, CLASSES))
    classes = torch.cat([assign(_histograms(part)[None], costs)[0] for part in torch.split(entries, SAMPLE)])
    sizes = torch.bincount(classes, minlength=CLASSES)
    places = torch.arange(len(entries), device=entries.device)
    mean_places = torch.zeros_like(sizes).index_add_(0, classes, places) / sizes.clamp_min(1)
    return mean_places.argsort().argsort()[classes].argsort(stable=True)


def _histograms(entries: Tensor) -> Tensor:
    """Count the values of each entry, (K, 3, 256) float32, green subtracted from red and blue as WebP may do."""
    red, green, blue = entries.unbind(dim=2)
    values = torch.stack([green, red - green, blue - green], dim=1).flatten(0, 1)
    rows = torch.arange(len(values), device=entries.device).repeat_interleave(values.shape[1])
    counts = histograms(values.flatten().long(), rows, len(values), LITERALS)
    return counts.reshape(len(entries), 3, LITERALS).float()
