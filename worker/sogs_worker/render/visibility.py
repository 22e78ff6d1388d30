"""How much of each splat pictures show, given what stands before it.

Coarse pictures without colours: a splat is a few texels, and the light left before it is a running sum over the texel's
splats in the order of their depth. One sort a picture does what drawing tiles takes hundreds of steps for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.encode.budget import at_once
from sogs_worker.encode.clean import with_finite_scales
from sogs_worker.encode.cloud import Cloud
from sogs_worker.encode.runs import cut_runs
from sogs_worker.render.project import BLUR_PIXELS2, NEAR, compensation
from sogs_worker.render.scene import Shapes, build_shapes
from sogs_worker.render.survey import Survey, survey

SPLATS_PER_TEXEL = 8
"""Splats for each texel of a picture: so few texels that most splats cover one or two of them."""
SIDES = (64, 1024)
"""Least and greatest side of a picture, texels."""
PICTURE = 640
"""Side of the pictures that are judged, pixels: an ellipse is blurred, and so covers more, as it would be there."""
REACH = 2.0
"""Standard deviations at which an ellipse ends."""
LARGEST = 4.0
"""Greatest half side of an ellipse's box, texels: what a few splats as large as the picture cover must not cost all."""
HUGE = 1e6
"""Greatest standard deviation of an ellipse, texels."""
LARGEST_ALPHA = 0.999
PAIRS = {"cpu": 1 << 18, "cuda": 1 << 24}
"""Pairs of a splat and a texel that are looked at at once, 100 bytes each: on the CPU few enough for its cache."""
UNIT = 2**20
"""Whole numbers to one, for sums that must not depend on their order, as those of floats on a GPU do."""


@dataclass(frozen=True)
class Footprints:
    """M splats on the texels of a picture, nearest first.

    Attributes:
        splats: (M,) int64, which they are.
        low: (M, 2) int32, column and row of the first texel of the box.
        spans: (M, 2) int32, columns and rows of the box, 0 and more.
        ellipses: (6, M) the mean's x and y, texels; xx, xy and yy of the inverse covariance; alpha at the mean, of the
            texels and not of the picture's pixels.
        energies: (M,) alpha^2 times the area, pixels of the picture, were nothing before it.
    """

    splats: Tensor
    low: Tensor
    spans: Tensor
    ellipses: Tensor
    energies: Tensor


def surveyed_energy(cloud: Cloud, progress: Callable[[float], None] = lambda _: None) -> Tensor:
    """Return `seen_energy` of a scene, as the cameras of its survey see it; a flat splat has hardly any thickness."""
    scales = with_finite_scales(cloud.scales)
    shapes = build_shapes(cloud.positions, cloud.rotations, scales, cloud.opacities, model=cloud.model)
    return seen_energy(shapes, survey(cloud.positions), progress)


def seen_energy(shapes: Shapes, cameras: Survey, progress: Callable[[float], None] = lambda _: None) -> Tensor:
    """Estimate the energy of each splat in pictures: the square of what it adds to a pixel, summed over pixels.

    That is alpha^2 times the ellipse's area times the square of the light that is left before it, from front to back;
    in an antialiased scene alpha is as much smaller as the blur makes the area larger.

    Args:
        shapes: N splats.
        cameras: that look at them.
        progress: told the fraction done, after each camera.

    Returns:
        (N,) float64, the mean over the cameras, pixels of a picture of 640 x 640; 0 where none sees the splat.
    """
    count = len(shapes.alphas)
    side = _side(count)
    positions, axes = shapes.positions.T.contiguous(), shapes.factors.transpose(0, 1).contiguous()
    total = torch.zeros(count, dtype=torch.float64, device=shapes.alphas.device)
    views = zip(cameras.rotations, cameras.eyes, cameras.focals, strict=True)
    for number, (rotation, eye, focal) in enumerate(views, 1):
        local = _turn(positions - eye[:, None], rotation)
        footprints = _project(local, axes, rotation, shapes, focal=focal * side, side=side)
        total[footprints.splats] += footprints.energies * _light_left(footprints, side)
        progress(number / len(cameras))
    return total / len(cameras)


def _turn(coordinates: Tensor, rotation: Tensor) -> Tensor:
    """Turn vectors whose coordinates are (3, ...): a matrix product of so few rows takes a GPU ten times as long."""
    x, y, z = coordinates
    return torch.stack([torch.addcmul(torch.addcmul(a * x, b, y), c, z) for a, b, c in rotation])


def _side(count: int) -> int:
    side = 16 * math.ceil(math.sqrt(count / SPLATS_PER_TEXEL) / 16)
    return min(max(side, SIDES[0]), SIDES[1])


def _project(local: Tensor, axes: Tensor, rotation: Tensor, shapes: Shapes, *, focal: float, side: int) -> Footprints:
    """Project the splats that a picture of `side` texels can show.

    Args:
        local: (3, N), x, y and z of the positions, in the camera's axes.
        axes: (3, N, 3), x, y and z of each ellipsoid's three axes of one standard deviation, in the world.
        rotation: (3, 3), from the world's axes to the camera's.
        shapes: whose alphas are taken.
        focal: texels.
        side: texels.
    """
    depths = local[2]
    off = (local[:2] / depths).abs().amax(dim=0) * focal
    splats = ((off < side / 2 + LARGEST) & (depths > NEAR)).nonzero()[:, 0]
    splats = splats[depths[splats].argsort(stable=True)]
    depths, alphas = depths[splats], shapes.alphas[splats]
    slopes = (local[:2].index_select(1, splats) / depths).T
    xx, xy, yy = _covariances(_turn(axes.index_select(1, splats), rotation), slopes, focal / depths)

    blur = BLUR_PIXELS2 * (side / PICTURE) ** 2  # as in the pictures that are judged
    areas = _area(xx + blur, xy, yy + blur).clamp_max(side * side)
    if shapes.is_antialiased:
        alphas = alphas * compensation(_area(xx, xy, yy), xx + yy, blur)
    xx, yy = xx + BLUR_PIXELS2, yy + BLUR_PIXELS2
    determinants = (xx * yy - xy * xy).clamp_min(torch.finfo(torch.float32).tiny)
    means = slopes * focal + side / 2
    halves = (REACH * torch.stack([xx, yy], dim=1).sqrt()).clamp_max(LARGEST)
    low = (means - halves - 0.5).ceil().clamp_min(0).int()
    high = (means + halves - 0.5).floor().clamp_max(side - 1).int()
    conics = torch.stack([yy, -xy, xx]) / determinants
    texel_alphas = (alphas * areas / determinants.sqrt()).clamp_max(LARGEST_ALPHA)
    return Footprints(
        splats=splats,
        low=low,
        spans=(high - low + 1).clamp_min(0),
        ellipses=torch.cat([means.T, conics, texel_alphas[None]]),
        energies=(alphas.square() * areas).double() * (PICTURE / side) ** 2,
    )


def _covariances(axes: Tensor, slopes: Tensor, zooms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return xx, xy, yy of the ellipses on the picture, (M,), texels^2, so limited that their products are finite.

    The formula is that of `project._picture_axes`.
    """
    x, y, z = axes
    across = (zooms[:, None] * (x - slopes[:, :1] * z)).clamp(-HUGE, HUGE)
    down = (zooms[:, None] * (y - slopes[:, 1:] * z)).clamp(-HUGE, HUGE)
    return across.square().sum(dim=1), (across * down).sum(dim=1), down.square().sum(dim=1)


def _area(xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    return (xx * yy - xy * xy).clamp_min(0).sqrt()


def _light_left(footprints: Footprints, side: int) -> Tensor:
    """Return the square of the light that is left before each splat, (M,) float64 in [0, 1], mean over its texels."""
    counts = footprints.spans.prod(dim=1)
    dimmed = torch.zeros(side * side, dtype=torch.int64, device=counts.device)
    seen = torch.zeros(len(counts), dtype=torch.int64, device=counts.device)
    whole = torch.zeros_like(seen)
    for run, _ in cut_runs(counts, at_once(PAIRS, counts.device)):
        owners, texels, shares, alphas = _pairs(footprints, run, side)
        light = _before(texels, alphas, dimmed)
        seen.index_add_(0, owners, (shares * light * UNIT).round().long())
        whole.index_add_(0, owners, (shares * UNIT).round().long())
    return seen.double() / whole.clamp_min(1)


def _pairs(footprints: Footprints, run: slice, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return all pairs of a splat of a run and a texel that it covers, sorted by texel and from front to back.

    Returns:
        (P,) each: the splat's number among the footprints, the texel, the splat's squared density there (1 at the
        mean), and its alpha there.
    """
    spans = footprints.spans[run]
    counts = spans.prod(dim=1)
    boxes = torch.stack([*footprints.low[run].T, spans[:, 0], (counts.cumsum(0) - counts).int()])
    owners = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    left, top, width, begin = boxes.index_select(1, owners)
    number = torch.arange(len(owners), device=counts.device, dtype=torch.int32) - begin
    columns, rows = left + number % width, top + torch.div(number, width, rounding_mode="floor")
    mean_x, mean_y, a, b, c, alphas = footprints.ellipses[:, run].index_select(1, owners)
    x, y = columns + 0.5 - mean_x, rows + 0.5 - mean_y
    halves = (a * x * x + c * y * y) / 2 + b * x * y
    near = (halves <= REACH * REACH / 2).nonzero()[:, 0]
    texels, order = (rows * side + columns)[near].sort(stable=True)
    near = near[order]
    density = torch.exp(-halves[near])
    return owners[near] + run.start, texels, density.square(), alphas[near] * density


def _before(texels: Tensor, alphas: Tensor, dimmed: Tensor) -> Tensor:
    """Return the square of the light left before each pair, (P,), and add what the pairs take away to `dimmed`.

    Args:
        texels: (P,) int32, ascending, from front to back within a texel.
        alphas: (P,), below 1.
        dimmed: (T,) int64, logarithm of the light left at each texel, in UNITs; changed.
    """
    logs = (torch.log1p(-alphas) * UNIT).round().long()
    sums = torch.nn.functional.pad(logs.cumsum(0), (1, 0))
    bounds = torch.searchsorted(texels, torch.arange(len(dimmed) + 1, dtype=torch.int32, device=texels.device))
    at_bounds = sums[bounds]
    base = dimmed - at_bounds[:-1]
    light = torch.exp((sums[:-1] + base[texels]).double() * (2 / UNIT)).float()
    dimmed += at_bounds.diff()
    return light
