"""The project's own encoder: SOG version 2 in torch, on the CPU or a GPU, with a seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sogs_worker.encode.clean import clean
from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.encode.importance import coarseness, importance
from sogs_worker.encode.lattice import build_lattice, lattice_indices
from sogs_worker.encode.opacity import quantize_opacities
from sogs_worker.encode.order import hilbert_order
from sogs_worker.encode.palette import build_palette
from sogs_worker.encode.positions import quantize_positions
from sogs_worker.encode.quantized import Coded
from sogs_worker.encode.rotation import pack_rotations
from sogs_worker.encode.symmetry import canonical_axes
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.quality import QUALITIES, Quality
from sogs_worker.formats.layout import EncodedScene, Layout
from sogs_worker.splats import Splats

Progress = Callable[[str, float], None]

BEFORE_PALETTE = 0.1
AFTER_PALETTE = 0.9
"""Shares of an encoding's time that are over when the palette begins and ends."""


def encode(
    splats: Splats, *, parameters: Parameters, device: str, progress: Progress = lambda _stage, _fraction: None
) -> EncodedScene:
    """Encode a scene. The same scene, parameters, device and machine give the same bytes.

    Args:
        splats: the scene; not changed.
        parameters: engine and format are not looked at.
        device: `cpu` or `cuda`.
        progress: told the stage, `encode`, and the fraction of it that is done.

    Raises:
        BadInputError: if no splat of the scene is usable.
    """
    progress("encode", 0.0)
    quality = QUALITIES[parameters.quality]
    cleaned = clean(upload(splats.with_sh_bands(parameters.sh_bands), device))
    cloud, weights = _arrange(cleaned.cloud, quality)
    with Layout() as layout:
        _add_geometry(layout, cloud, weights, quality)
        progress("encode", BEFORE_PALETTE)
        if cloud.shn.shape[1]:
            palette = build_palette(
                cloud.shn,
                weights,
                effort=quality.palette,
                seed=parameters.seed,
                progress=lambda done: progress("encode", BEFORE_PALETTE + (AFTER_PALETTE - BEFORE_PALETTE) * done),
            )
            layout.add_palette(palette)
        progress("encode", AFTER_PALETTE)
        scene = layout.finish(unusable=cleaned.unusable, invisible=cleaned.invisible)
    progress("encode", 1.0)
    return scene


def _arrange(cloud: Cloud, quality: Quality) -> tuple[Cloud, Tensor]:
    """Return the splats in the order of the planes, each ellipsoid in canonical form, and their importance, (N,)."""
    weights = importance(cloud)
    order = hilbert_order(cloud.positions, coarseness(weights, quality.strength))
    return canonical_axes(cloud.take(order)), weights[order]


def _add_geometry(layout: Layout, cloud: Cloud, weights: Tensor, quality: Quality) -> None:
    """Quantise all attributes but the palette, each splat as finely as it is important."""
    levels = coarseness(weights, quality.strength)
    shares = (cloud.scales - cloud.scales[:, :1]).exp()
    axis_weights = weights[:, None] * shares.square()
    layout.add_scales(_code(cloud.scales, axis_weights, quality.scale, coarseness(axis_weights, quality.strength)))
    layout.add_rotations(pack_rotations(cloud.rotations, levels + quality.rotation).cpu().numpy())
    alphas = torch.sigmoid(cloud.opacities)
    areas = weights / alphas.square()
    sh0 = _code(cloud.sh0, weights[:, None].expand(-1, 3), quality.colour, levels[:, None])
    opacities = quantize_opacities(cloud.opacities, coarseness(areas, quality.strength) + quality.opacity)
    layout.add_colours(sh0, opacities.cpu().numpy())
    tolerances = quality.position * 2.0 ** levels[:, None] * cloud.scales.exp()[:, 1:2]
    layout.add_means(quantize_positions(cloud.positions, tolerances))


def _code(values: Tensor, weights: Tensor, step: float, levels: Tensor) -> Coded:
    lattice = build_lattice(values, weights, step)
    return Coded(lattice_indices(values, lattice, levels).cpu().numpy(), lattice.cpu().numpy())
