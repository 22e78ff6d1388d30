"""The palette of spherical harmonics: K sets of coefficients, their values in one codebook, a label for each splat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.cells import Cells, assign, partition
from sogs_worker.encode.importance import coarseness, quantile
from sogs_worker.encode.kmeans import draw_sample, lloyd, thin, train_centers, update
from sogs_worker.encode.lattice import build_lattice, centre_entries, lattice_indices
from sogs_worker.splats import Floats

MAX_ENTRIES = 65536
"""A label is two bytes."""

LEAST_ENTRIES = 64
"""That a palette is planned with: a row of the centroids' texture, which is there in any case."""

TRAINING_POINTS = 1 << 20
"""Splats that the entries are trained on, at most: 16 for each of the most entries that there can be.

With 1,024 entries, trained on 16,384 of 49,152 and of 131,072 splats of a photographed scene that were drawn by weight,
the weighted error is 15 % and 28 % less than with every third and every eighth: few of the important splats are among
those, and the training, that finds entries for these few, tells half of the error and a sixth.
"""

HEAVY = 0.99
"""Quantile of the entries' weights from which they have the finest steps."""

STRENGTH = 1.0
"""Of `coarseness` for entries: what many splats together weigh needs no hedge, as what a single one does."""

USUAL_ERROR = 0.0028
"""Squared error of a palette, relative to the coefficients' own square, up to which its steps are those asked for."""

WIDEST = 2.0
"""Times the steps that were asked for, at most, where that error is greater."""

OUTLIER = 30
"""Times the median magnitude that a coefficient counts for, at most: no step may depend on a few broken splats."""


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
        step: between codebook values, in standard deviations of the entries' coefficients, where the palette is near
            them; entries of little weight are rounded to every second to thirty-second one.
        iterations: of Lloyd.
        probes: coarse cells searched for a splat's entry while iterating.
        final_probes: cells searched at the end, when entries are quantised.
    """

    splats_per_entry: float
    step: float
    iterations: int
    probes: int
    final_probes: int


@dataclass(frozen=True)
class TrainedPalette:
    """Centroids that entries will be made of.

    Attributes:
        cells: the splats' coefficients divided by `unit`, in the coarse cells that entries are searched in.
        weights: (N,) float32, of the splats in the order of `cells.points`.
        centroids: (K, 3 C) float32, divided by `unit`.
        unit: the greatest coefficient: divided by it, distances do not overflow whatever the coefficients are.
        error: weighted mean over splats of the squared error of a colour channel's coefficients.
        step: between codebook values, in standard deviations of the entries' coefficients.
        effort: what the palette was trained with.
    """

    cells: Cells
    weights: Tensor
    centroids: Tensor
    unit: float
    error: float
    step: float
    effort: PaletteEffort


def train_palette(
    shn: Tensor,
    weights: Tensor,
    *,
    effort: PaletteEffort,
    enough: float = 0.0,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> TrainedPalette:
    """Find centroids of small weighted squared error; where there are very many splats, on a sample of them.

    Args:
        shn: (N, C, 3) float32, C >= 3, finite, contiguous; divided by the unit in place, as a copy may have gigabytes.
        weights: (N,) float32, positive.
        effort: bytes and work.
        enough: error below which there need not be so many entries.
        seed: of the random draws.
        progress: told the fraction done.
    """
    points = shn.flatten(1)
    unit = max(-float(points.min()), float(points.max())) or 1.0
    points.div_(unit)
    size = palette_size(len(points), effort.splats_per_entry)
    if size >= len(points):  # as many entries as there are different splats
        cells = partition(points, points[:1])
        return TrainedPalette(cells, weights[cells.order], torch.unique(points, dim=0), unit, 0.0, effort.step, effort)
    is_sampled = len(points) > TRAINING_POINTS
    drawn, drawn_weights = draw_sample(weights, TRAINING_POINTS, seed) if is_sampled else (slice(None), weights)
    training = points[drawn]
    centers = train_centers(training, drawn_weights, count=round(size**0.5), seed=seed)
    sample = partition(training, centers)
    del training
    masses, probes, channels = drawn_weights[sample.order], effort.probes, 3 / unit**2
    centroids, error = lloyd(
        sample, masses, count=size, iterations=effort.iterations, probes=probes, seed=seed, progress=progress
    )
    centroids, error = thin(sample, masses, centroids, error=error, enough=enough * channels, probes=probes)
    step = effort.step * _widening(error, sample.points, masses)
    cells = partition(points, centers) if is_sampled else sample
    return TrainedPalette(cells, weights[cells.order], centroids, unit, error / channels, step, effort)


def label_splats(trained: TrainedPalette) -> Palette:
    """Make the entries, and choose the nearest for each splat; unused entries are left out.

    The centroids first move to the mean of all their splats, as those that trained them may be few and their mean is as
    noisy as they are. A splat chooses after the entries' values were quantised.
    """
    cells, effort = trained.cells, trained.effort
    centroids, masses = update(cells, trained.weights, trained.centroids, probes=effort.probes)
    codebook, entries = _quantize(centroids * trained.unit, masses, trained.step)
    labels = cells.restore(assign(cells, codebook[entries.long()] / trained.unit, probes=effort.final_probes))
    return _by_frequency(entries, codebook, labels)


def choose_entries(trained: TrainedPalette) -> tuple[Tensor, Tensor]:
    """Return entries before they are quantised, (K, C, 3) float32, and the nearest of each splat, (N,) int64.

    Every entry is used.
    """
    cells, effort = trained.cells, trained.effort
    centroids, _ = update(cells, trained.weights, trained.centroids, probes=effort.probes)
    labels = cells.restore(assign(cells, centroids, probes=effort.final_probes)).long()
    used, labels = torch.unique(labels, return_inverse=True)
    return (centroids[used] * trained.unit).reshape(len(used), -1, 3), labels


def quantize_entries(entries: Tensor, labels: Tensor, weights: Tensor, step: float) -> Palette:
    """Quantise entries, (K, C, 3), of splats with `labels` and `weights`, (N,); `step` is as `PaletteEffort` has it."""
    # Whole numbers, because their sums are the same in any order, which a GPU's are not.
    masses = torch.zeros(len(entries), dtype=torch.int64, device=labels.device)
    masses.index_add_(0, labels, (weights * 2**20).long() + 1)
    codebook, indices = _quantize(entries.flatten(1), masses.float(), step)
    return _by_frequency(indices, codebook, labels)


def palette_size(count: int, splats_per_entry: float) -> int:
    """Return the number of entries for N splats: N / splats_per_entry, 64 to 65,536."""
    return min(MAX_ENTRIES, max(LEAST_ENTRIES, round(count / splats_per_entry)))


def _widening(error: float, points: Tensor, weights: Tensor) -> float:
    """Say how much wider steps may be: what rounding adds to a great error is not seen.

    With the fourth root of the error, trained scenes have the same PSNR for the least bytes (docs/encoder.md).
    """
    norms = torch.linalg.vector_norm(points, dim=1).double().square()
    square = float((weights * norms).sum() / weights.double().sum())
    relative = error / max(square, torch.finfo(torch.float64).tiny)
    return min(math.sqrt(math.sqrt(max(relative / USUAL_ERROR, 1.0))), WIDEST)


def _quantize(values: Tensor, masses: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Return a codebook for (K, D) coefficients and their indices.

    Args:
        values: the coefficients.
        masses: (K,), what the splats of each entry weigh: heavy ones are rounded more finely.
        step: the finest, in standard deviations.
    """
    wide = values.double()
    limit = OUTLIER * float(wide.abs().median()) or math.inf
    deviation = float(wide.clamp(-limit, limit).square().mean().sqrt()) or 1.0
    weights = masses[:, None].expand_as(values)
    lattice = build_lattice(values, weights, step * deviation)
    levels = coarseness(masses / quantile(masses, HEAVY).clamp_min(torch.finfo(masses.dtype).tiny), STRENGTH)
    indices = lattice_indices(values, lattice, levels[:, None])
    return centre_entries(lattice, values, weights, indices), indices


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
