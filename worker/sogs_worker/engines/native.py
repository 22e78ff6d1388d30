"""The project's own encoder: SOG version 2 in torch, on the CPU or a GPU, with a seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from sogs_worker.encode.clean import clean, with_finite_scales
from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.encode.dropped import Dropped
from sogs_worker.encode.importance import coarseness, importance
from sogs_worker.encode.lattice import build_lattice, centre_entries, lattice_indices
from sogs_worker.encode.opacity import quantize_opacities
from sogs_worker.encode.order import hilbert_order
from sogs_worker.encode.palette import label_splats, train_palette
from sogs_worker.encode.positions import Means, quantize_positions
from sogs_worker.encode.quantized import Coded
from sogs_worker.encode.rotation import pack_rotations
from sogs_worker.encode.symmetry import canonical_axes
from sogs_worker.engines.heap import return_freed
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.quality import QUALITIES, Quality
from sogs_worker.formats.sog.layout import EncodedScene, Layout
from sogs_worker.render.visibility import surveyed_energy
from sogs_worker.simplify import Simplified, simplify
from sogs_worker.splats import Origin, Splats

THIN = 1e-9
"""What an axis of no thickness counts as, beside the longest of its splat: of its logarithm nothing can be seen."""

Progress = Callable[[str, float], None]

WEIGHED, TRAINED = 0.25, 0.75
WEIGHED_ALONE = 0.8
"""Shares of an encoding's time that are over when the splats' importance is known, and when the palette's entries are;
the last where there is no palette."""

SIMPLIFIED = 0.35
"""Share of an encoding's time that is over when a scene has been simplified for a target."""

SCALE = 1.25
"""Step of an axis' logarithm that goes with step 1 of the constant SH coefficient."""

ROTATION = 0.032
OPACITY = 0.024
"""Step of the constant SH coefficient that goes with the finest step of a quaternion's and of alpha's byte."""


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

    def tidy() -> None:
        if device == "cpu":  # the tensors are the heap's there
            return_freed()

    begin = 0.0

    def advance(done: float) -> None:
        progress("encode", begin + (1 - begin) * done)

    def report(done: float) -> None:
        tidy()
        advance(done)

    report(0.0)
    quality = QUALITIES[parameters.quality]
    cleaned = clean(upload(splats.with_sh_bands(parameters.sh_bands), device))
    origin, scene_splats = splats.origin, len(splats)
    del splats  # a scene may be as large as all the rest, and each copy of it is let go when the next is there
    simplified = Simplified(cleaned.cloud)
    if parameters.target:
        begin = SIMPLIFIED
        most = parameters.target.count(scene_splats)
        simplified = simplify(cleaned.cloud, most, lambda done: progress("encode", SIMPLIFIED * done))
        tidy()
    dropped = Dropped(cleaned.unusable, cleaned.invisible, merged=simplified.merged, pruned=simplified.pruned)
    weighed = WEIGHED if cleaned.cloud.shn.shape[1] else WEIGHED_ALONE
    cloud, weights = _arrange(simplified.cloud, quality, lambda done: advance(weighed * done))
    del cleaned, simplified
    tidy()
    shn, cloud = cloud.shn, replace(cloud, shn=cloud.shn.new_empty(len(cloud), 0, 3))
    with Layout(device) as layout:
        trained = None
        layout.add_means(_round_positions(cloud, weights, quality, origin))
        if shn.shape[1]:
            trained = train_palette(
                shn,
                weights,
                effort=quality.palette,
                seed=parameters.seed,
                progress=lambda done: report(WEIGHED + (TRAINED - WEIGHED) * done),
            )
        del shn
        _add_shapes_and_colours(
            layout, cloud, weights, quality.strength, quality.choose_step(trained.error if trained else 0.0)
        )
        tidy()
        if trained:
            layout.add_palette(label_splats(trained))
            del trained
            tidy()
        scene = layout.finish(dropped, cloud.model)
    report(1.0)
    return scene


def _arrange(
    cloud: Cloud, quality: Quality, progress: Callable[[float], None] = lambda _: None
) -> tuple[Cloud, Tensor]:
    """Return the splats in the order of the planes, each ellipsoid in canonical form, and their importance, (N,)."""
    weights = _weigh(cloud, progress)
    order = hilbert_order(cloud.positions, coarseness(weights, quality.strength))
    return canonical_axes(cloud.take(order)), weights[order]


def _weigh(cloud: Cloud, progress: Callable[[float], None] = lambda _: None) -> Tensor:
    """Return the importance of the splats, (N,), of which a part is what cameras all around see of them."""
    return importance(replace(cloud, scales=with_finite_scales(cloud.scales)), surveyed_energy(cloud, progress))


def _add_shapes_and_colours(layout: Layout, cloud: Cloud, weights: Tensor, strength: float, step: float) -> None:
    """Quantise shapes and colours, each splat as finely as it is important.

    The other steps follow from that of the constant SH coefficient such that on a trained scene each attribute alone
    costs about as much quality.
    """
    levels = coarseness(weights, strength)
    shares = (cloud.scales - cloud.scales[:, :1]).exp()
    axis_weights = weights[:, None] * torch.where(cloud.scales.isneginf(), THIN, shares).square()
    layout.add_scales(
        _code(with_finite_scales(cloud.scales), axis_weights, SCALE * step, coarseness(axis_weights, strength))
    )
    rotations = pack_rotations(cloud.rotations, levels + _level(step / ROTATION))
    layout.add_rotations(rotations.cpu().numpy())
    areas = weights / torch.sigmoid(cloud.opacities).square()
    alphas = quantize_opacities(cloud.opacities, coarseness(areas, strength) + _level(step / OPACITY))
    sh0 = _code(cloud.sh0, weights[:, None].expand(-1, 3), step, levels[:, None])
    layout.add_colours(sh0, alphas.cpu().numpy())


def _round_positions(cloud: Cloud, weights: Tensor, quality: Quality, origin: Origin) -> Means:
    """Round positions to a fraction of the splat's size; its second axis, since the shortest is often nothing."""
    sizes = 2.0 ** coarseness(weights, quality.strength) * cloud.scales[:, 1].exp()
    return quantize_positions(cloud.positions, quality.position * sizes[:, None].expand(-1, 3), origin)


def _level(ratio: float) -> int:
    return max(0, round(math.log2(ratio)))


def _code(values: Tensor, weights: Tensor, step: float, levels: Tensor) -> Coded:
    lattice = build_lattice(values, weights, step)
    indices = lattice_indices(values, lattice, levels)
    codebook = centre_entries(lattice, values, weights, indices)
    return Coded(indices.cpu().numpy(), codebook.cpu().numpy())
