"""Compressed PLY of PlayCanvas, written: what `compressed` reads, with bounds of colour."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sogs_worker.encode.opacity import alphas_of
from sogs_worker.encode.order import hilbert_order
from sogs_worker.encode.quaternions import leave_out_largest
from sogs_worker.files import replacing
from sogs_worker.formats.blocks import split_rows
from sogs_worker.formats.colour import sh0_to_colours
from sogs_worker.formats.ply.compressed import GROUP, PACKED, SH_RANGE
from sogs_worker.formats.ply.header import build_element, build_header
from sogs_worker.formats.ply.model import format_model
from sogs_worker.splats import Floats, Splats

FARTHEST_SCALE = 20
"""Logarithms beyond are cut, as one that is nearly infinite would leave no steps for the others of its group."""

BOUNDS = [
    f"{end}_{part}{axis}"
    for part, axes in (("", "xyz"), ("scale_", "xyz"), ("", "rgb"))
    for end in ("min", "max")
    for axis in axes
]

Words = NDArray[np.uint32]
Wide = NDArray[np.float64]


def write_compressed_ply(path: Path, splats: Splats) -> None:
    """Write a scene of finite values along a curve, so that near splats share bounds; `path` appears only whole."""
    count = len(splats)
    order = hilbert_order(torch.from_numpy(splats.positions), torch.zeros(count, dtype=torch.int64)).numpy()
    elements = [
        build_element("chunk", -(-count // GROUP), "float", BOUNDS),
        build_element("vertex", count, "uint", PACKED),
    ]
    if splats.sh_bands:
        names = [f"f_rest_{i}" for i in range(3 * splats.shn.shape[1])]
        elements.append(build_element("sh", count, "uchar", names))
    head = build_header(*elements, comments=format_model(splats.model))
    widths = [np.dtype(each.row_dtype("<")).itemsize for each in elements]
    sizes = [each.count * width for each, width in zip(elements, widths, strict=True)]
    starts = list(accumulate(sizes, initial=len(head)))
    with replacing(path) as file:
        file.write(head)
        for place in split_rows(count):
            rows = splats.take(order[place])
            tables: list[NDArray[Any]] = [*_pack_vertices(rows), _pack_harmonics(rows.shn)]
            firsts = (place.start // GROUP, place.start, place.start)
            for table, first, start, width in zip(tables, firsts, starts, widths, strict=False):
                file.seek(start + first * width)
                file.write(table.tobytes())


def _pack_vertices(splats: Splats) -> tuple[NDArray[np.float32], Words]:
    """Return the bounds (G, 18) of whole groups and of the last one, and the words (N, 4)."""
    scales = np.clip(splats.scales, -FARTHEST_SCALE, FARTHEST_SCALE)
    colours = sh0_to_colours(splats.sh0).astype(np.float32)
    bounds, fractions = zip(*(_fractions(values) for values in (splats.positions, scales, colours)), strict=True)
    rest, largest = leave_out_largest(splats.rotations)
    alphas = alphas_of(splats.opacities)[:, None]
    words = [
        _join(fractions[0], (21, 11, 0), (11, 10, 11)),
        _join(rest * np.sqrt(0.5) + 0.5, (20, 10, 0), (10, 10, 10)) | largest.astype(np.uint32) << 30,
        _join(fractions[1], (21, 11, 0), (11, 10, 11)),
        _join(np.concatenate([fractions[2], alphas], axis=1), (24, 16, 8, 0), (8, 8, 8, 8)),
    ]
    return np.concatenate(bounds, axis=1).astype("<f4"), np.stack(words, axis=1).astype("<u4")


def _fractions(values: Floats) -> tuple[Floats, Wide]:
    """Return the least and the greatest of each group, (G, 6), and where between them the values are, 0 to 1."""
    starts = np.arange(0, len(values), GROUP)
    low, high = (ufunc.reduceat(values, starts, axis=0) for ufunc in (np.minimum, np.maximum))
    groups = np.arange(len(values)) // GROUP
    extent = (high.astype(np.float64) - low)[groups]
    return np.concatenate([low, high], axis=1), (values - low[groups].astype(np.float64)) / np.where(extent, extent, 1)


def _join(fractions: Wide, shifts: tuple[int, ...], bits: tuple[int, ...]) -> Words:
    """Round values of 0 to 1 to some bits each, and join them to words."""
    words = np.zeros(len(fractions), np.uint32)
    for column, shift, size in zip(fractions.T, shifts, bits, strict=True):
        words |= np.rint(column * ((1 << size) - 1)).astype(np.uint32) << shift
    return words


def _pack_harmonics(shn: Floats) -> NDArray[np.uint8]:
    """Return the step of 256 that each coefficient lies in, (N, 3 C), red's first."""
    steps = np.floor((shn.astype(np.float64) / SH_RANGE + 0.5) * 256)
    return np.clip(steps, 0, 255).astype(np.uint8).transpose(0, 2, 1).reshape(len(shn), -1)
