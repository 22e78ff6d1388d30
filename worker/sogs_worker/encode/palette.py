"""The palette of spherical harmonics: K sets of coefficients, their values in one codebook, a label for each splat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.kmeans import assign, lloyd, partition, train_centers
from sogs_worker.encode.lattice import build_lattice, lattice_indices
from sogs_worker.splats import Floats

MAX_ENTRIES = 65536
"""A label is two bytes."""

ROW = 64
"""Entries a row of the centroids' texture: a palette's size is planned in whole rows, so that no texel is wasted."""

TRAINING_POINTS = 1 << 20
"""Splats that the entries are trained on, at most: 16 for each of the most entries that there can be."""


@dataclass(frozen=True)
class Palette:
    """Quantised spherical harmonics above the constant one.

    Attributes:
        entries: (K, C, 3) uint8, indices into the codebook, the most used entry first; every entry is used.
        codebook: (256,) float32, ascending.
        labels: (N,) uint16, the entry of each splat.
    """

    entries: NDArray[np.uint8]
    codebook: Floats
    labels: NDArray[np.uint16]


@dataclass(frozen=True)
class PaletteEffort:
    """How many bytes and how much work go into a palette.

    Attributes:
        splats_per_entry: N / K; K is at most 65,536.
        step: between codebook values, in standard deviations of the entries' coefficients.
        iterations: of Lloyd.
        probes: coarse cells searched for a splat's entry while iterating.
        final_probes: cells searched at the end, when entries are quantised.
    """

    splats_per_entry: float
    step: float
    iterations: int
    probes: int
    final_probes: int


def build_palette(
    shn: Tensor,
    weights: Tensor,
    *,
    effort: PaletteEffort,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Palette:
    """Quantise spherical harmonics to a palette of small weighted squared error.

    A splat chooses its entry after the entries' values were quantised.

    Args:
        shn: (N, C, 3) float32, C >= 3, finite.
        weights: (N,) float32, positive.
        effort: bytes and work.
        seed: of the random draws.
        progress: told the fraction done.
    """
    rows = shn.flatten(1)
    size = palette_size(len(rows), effort.splats_per_entry)
    if size >= len(rows):
        return _exact_palette(rows, effort.step)
    # Distances do not overflow whatever the coefficients are, because they are divided by the greatest.
    greatest = float(rows.abs().max()) or 1.0
    points = rows / greatest
    centers = train_centers(points, weights, count=round(size**0.5), seed=seed)
    cells = partition(points, centers)
    centroids = _train(points, weights, centers, size=size, effort=effort, seed=seed, progress=progress)
    used = torch.ones(size, device=rows.device)
    codebook, entries = _quantize(centroids * greatest, used, effort.step)
    quantized = codebook[entries.long()] / greatest
    labels = cells.restore(assign(cells, quantized, probes=effort.final_probes))
    return _by_frequency(entries, codebook, labels)


def palette_size(count: int, splats_per_entry: float) -> int:
    """Return the number of entries for N splats: N / splats_per_entry in whole rows of the texture, 64 to 65,536."""
    return min(MAX_ENTRIES, max(1, round(count / splats_per_entry / ROW)) * ROW)


def _train(
    points: Tensor,
    weights: Tensor,
    centers: Tensor,
    *,
    size: int,
    effort: PaletteEffort,
    seed: int,
    progress: Callable[[float], None],
) -> Tensor:
    """Find the entries, (size, D), on every n-th of the points where there are very many."""
    every = -(-len(points) // TRAINING_POINTS)
    sample = partition(points[::every], centers)
    return lloyd(
        sample,
        weights[::every][sample.order],
        count=size,
        iterations=effort.iterations,
        probes=effort.probes,
        seed=seed,
        progress=progress,
    )


def _quantize(values: Tensor, weights: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Return a codebook and (K, D) uint8 indices of entries' values; a step is in standard deviations."""
    deviation = float(values.double().square().mean().sqrt()) or 1.0
    codebook = build_lattice(values, weights[:, None].expand_as(values), step * deviation)
    return codebook, lattice_indices(values, codebook, 0)


def _exact_palette(rows: Tensor, step: float) -> Palette:
    """Give each distinct row its own entry: for scenes with no more splats than entries."""
    values, labels = torch.unique(rows, dim=0, return_inverse=True)
    codebook, entries = _quantize(values, torch.ones(len(values), device=rows.device), step)
    return _by_frequency(entries, codebook, labels)


def _by_frequency(entries: Tensor, codebook: Tensor, labels: Tensor) -> Palette:
    """Number entries by falling use, so that high bytes of labels are mostly small; leave out what nobody uses."""
    uses = torch.bincount(labels, minlength=len(entries))
    order = uses.argsort(descending=True, stable=True)[: int(uses.count_nonzero())]
    rank = torch.zeros(len(entries), dtype=torch.int64, device=labels.device)
    rank[order] = torch.arange(len(order), device=labels.device)
    return Palette(
        entries=entries[order].reshape(len(order), -1, 3).cpu().numpy(),
        codebook=codebook.cpu().numpy(),
        labels=rank[labels].cpu().numpy().astype(np.uint16),
    )
