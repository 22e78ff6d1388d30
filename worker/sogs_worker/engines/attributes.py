"""The attributes of splats are quantised, each splat's as finely as it is important."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.clean import with_finite_scales
from sogs_worker.encode.cloud import Cloud
from sogs_worker.encode.importance import coarseness, importance
from sogs_worker.encode.lattice import build_lattice, centre_entries, lattice_indices
from sogs_worker.encode.opacity import quantize_opacities
from sogs_worker.encode.order import hilbert_order
from sogs_worker.encode.positions import Means, quantize_positions
from sogs_worker.encode.quantized import Coded
from sogs_worker.encode.rotation import pack_rotations
from sogs_worker.encode.symmetry import canonical_axes
from sogs_worker.engines.quality import Quality
from sogs_worker.formats.sog.layout import Layout
from sogs_worker.render.visibility import surveyed_energy
from sogs_worker.splats import Origin

THIN = 1e-9
"""What an axis of no thickness counts as, beside the longest of its splat: of its logarithm nothing can be seen."""

SCALE = 1.25
"""Step of an axis' logarithm that goes with step 1 of the constant SH coefficient."""

ROTATION = 0.032
OPACITY = 0.024
"""Step of the constant SH coefficient that goes with the finest step of a quaternion's and of alpha's byte."""


def arrange(cloud: Cloud, weights: Tensor, quality: Quality) -> tuple[Cloud, Tensor]:
    """Return the splats in the order of the planes, each ellipsoid in canonical form, and their importance, (N,).

    Args:
        cloud: N splats.
        weights: (N,), their importance.
        quality: how finely they are quantised.
    """
    order = hilbert_order(cloud.positions, coarseness(weights, quality.strength))
    return canonical_axes(cloud.take(order)), weights[order]


def weigh(cloud: Cloud, progress: Callable[[float], None] = lambda _: None) -> Tensor:
    """Return the importance of the splats, (N,), of which a part is what cameras all around see of them."""
    return importance(replace(cloud, scales=with_finite_scales(cloud.scales)), surveyed_energy(cloud, progress))


def code_shapes(cloud: Cloud, weights: Tensor, strength: float, step: float) -> tuple[Coded, NDArray[np.uint8]]:
    """Quantise scales and rotations, each splat as finely as it is important.

    The steps follow from that of the constant SH coefficient, `step`, such that on a trained scene each attribute alone
    costs about as much quality.
    """
    shares = (cloud.scales - cloud.scales[:, :1]).exp()
    axis_weights = weights[:, None] * torch.where(cloud.scales.isneginf(), THIN, shares).square()
    scales = _code(with_finite_scales(cloud.scales), axis_weights, SCALE * step, coarseness(axis_weights, strength))
    rotations = pack_rotations(cloud.rotations, coarseness(weights, strength) + _level(step / ROTATION))
    return scales, rotations.cpu().numpy()


def add_colours(layout: Layout, cloud: Cloud, weights: Tensor, strength: float, step: float) -> None:
    """Quantise the constant SH coefficients and the alphas as `code_shapes` does the rest."""
    areas = weights / torch.sigmoid(cloud.opacities).square()
    alphas = quantize_opacities(cloud.opacities, coarseness(areas, strength) + _level(step / OPACITY))
    sh0 = _code(cloud.sh0, weights[:, None].expand(-1, 3), step, coarseness(weights, strength)[:, None])
    layout.add_colours(sh0, alphas.cpu().numpy())


def round_positions(cloud: Cloud, weights: Tensor, quality: Quality, origin: Origin, coarser: float = 1.0) -> Means:
    """Round positions to a fraction of the splat's size; its second axis, since the shortest is often nothing."""
    sizes = 2.0 ** coarseness(weights, quality.strength) * cloud.scales[:, 1].exp()
    return quantize_positions(cloud.positions, coarser * quality.position * sizes[:, None].expand(-1, 3), origin)


def _level(ratio: float) -> int:
    return max(0, round(math.log2(ratio)))


def _code(values: Tensor, weights: Tensor, step: float, levels: Tensor) -> Coded:
    lattice = build_lattice(values, weights, step)
    indices = lattice_indices(values, lattice, levels)
    codebook = centre_entries(lattice, values, weights, indices)
    return Coded(indices.cpu().numpy(), codebook.cpu().numpy())
