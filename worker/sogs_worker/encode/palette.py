"""The palette of spherical harmonics: K sets of coefficients, their values in one codebook, a label for each splat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sogs_worker.encode.codebook import build_codebook
from sogs_worker.encode.kmeans import assign, lloyd, partition
from sogs_worker.encode.quantize import nearest_entries
from sogs_worker.encode.visibility import visibility
from sogs_worker.splats import Floats, Splats

MAX_ENTRIES = 65536
"""A label is two bytes."""

ROW = 64
"""Entries a row of the centroids' texture: a palette's size is planned in whole rows, so that no texel is wasted."""


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
class Effort:
    """How much work goes into a palette.

    Attributes:
        splats_per_entry: N / K; K is at most 65,536.
        iterations: of Lloyd.
        probes: coarse cells searched for a splat's entry while iterating.
        final_probes: cells searched at the end, when entries are quantised.
    """

    splats_per_entry: int
    iterations: int
    probes: int
    final_probes: int


def build_palette(
    splats: Splats,
    *,
    effort: Effort,
    device: str,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Palette:
    """Quantise shn, (N, C, 3) with C >= 3, to a palette.

    Squared errors are weighted by `visibility`. A splat chooses its entry after the entries' values were quantised.
    """
    rows = splats.shn.reshape(len(splats), -1)
    weights = visibility(splats)
    size = palette_size(len(splats), effort.splats_per_entry)
    if size >= len(splats):
        return _exact_palette(rows)
    # Distances do not overflow whatever the coefficients are, because they are divided by the greatest.
    greatest = float(np.abs(rows).max()) or 1.0
    points = torch.from_numpy(rows / greatest).to(device)
    heavy = torch.from_numpy(weights).to(device)
    cells = partition(points, heavy, count=round(size**0.5), seed=seed)
    centroids = lloyd(
        points,
        heavy,
        cells=cells,
        count=size,
        iterations=effort.iterations,
        probes=effort.probes,
        seed=seed,
        progress=progress,
    )
    labels = assign(points, centroids, cells=cells, probes=effort.probes).cpu().numpy()
    used = np.bincount(labels, weights, minlength=size)
    values = centroids.cpu().numpy() * greatest
    codebook = build_codebook(values, np.repeat(used + used[used > 0].min(), values.shape[1]))
    entries = nearest_entries(values, codebook)
    quantized = torch.from_numpy(codebook[entries] / greatest).to(device)
    labels = assign(points, quantized, cells=cells, probes=effort.final_probes).cpu().numpy()
    return _by_frequency(entries, codebook, labels)


def palette_size(count: int, splats_per_entry: int) -> int:
    """Return the number of entries for N splats: N / splats_per_entry in whole rows of the texture, 64 to 65,536."""
    return min(MAX_ENTRIES, max(1, round(count / splats_per_entry / ROW)) * ROW)


def _exact_palette(rows: Floats) -> Palette:
    """Give each distinct row its own entry: for scenes with no more splats than entries."""
    values, labels = np.unique(rows, axis=0, return_inverse=True)
    codebook = build_codebook(values)
    return _by_frequency(nearest_entries(values, codebook), codebook, labels.reshape(-1))


def _by_frequency(entries: NDArray[np.uint8], codebook: Floats, labels: NDArray[np.int64]) -> Palette:
    """Number entries by falling use, so that high bytes of labels are mostly small; leave out what nobody uses."""
    uses = np.bincount(labels, minlength=len(entries))
    order = np.argsort(-uses, kind="stable")[: np.count_nonzero(uses)]
    rank = np.empty(len(entries), np.uint16)
    rank[order] = np.arange(len(order))
    return Palette(entries[order].reshape(len(order), -1, 3), codebook, rank[labels])
