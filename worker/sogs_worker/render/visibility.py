"""How much of each splat pictures show, given what stands before it.

Coarse pictures without colours: a splat is a few texels, and the light left before it is a running sum over the texel's
splats in the order of their depth. One sort a picture does what drawing tiles takes hundreds of steps for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from sogs_worker.render.project import BLUR_PIXELS2, NEAR
from sogs_worker.render.scene import Shapes
from sogs_worker.render.survey import Survey

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
ITEMS = {"cpu": 1 << 18, "cuda": 1 << 22}
"""Splats, times pictures, that are projected at once, by device: more pays where a call has its price."""
PAIRS = {"cpu": 1 << 20, "cuda": 1 << 24}
"""Pairs of a splat and a texel that are looked at at once, 100 bytes each: on the CPU few enough for its cache."""
UNIT = 2**20
"""Whole numbers to one, for sums that must not depend on their order, as those of floats on a GPU do."""


@dataclass(frozen=True)
class Ellipses:
    """M footprints on the texels of several pictures, nearest first.

    Attributes:
        splats: (M,) int64.
        views: (M,) int64, number of the picture.
        means: (M, 2) texels.
        conics: (M, 3) the inverse covariance's xx, xy, yy, 1/texels^2.
        halves: (M, 2) half sides of the box, texels.
        alphas: (M,) opacity at the mean, of the texel and not of the picture's pixels.
        energies: (M,) alpha^2 times the area, were nothing before it.
    """

    splats: Tensor
    views: Tensor
    means: Tensor
    conics: Tensor
    halves: Tensor
    alphas: Tensor
    energies: Tensor


def seen_energy(shapes: Shapes, cameras: Survey) -> Tensor:
    """Estimate the energy of each splat in pictures: the square of what it adds to a pixel, summed over pixels.

    That is alpha^2 times the ellipse's area times the square of the light that is left before it, from front to back.

    Returns:
        (N,) float64, the mean over the cameras, pixels of a picture of 640 x 640; 0 where none sees the splat.
    """
    count = len(shapes.alphas)
    side = _side(count)
    total = torch.zeros(count, dtype=torch.float64, device=shapes.alphas.device)
    at_once = max(1, ITEMS[total.device.type] // count)
    for first in range(0, len(cameras), at_once):
        part = cameras.part(first, min(first + at_once, len(cameras)))
        ellipses = _project(shapes, part, side)
        energies = torch.zeros(len(part), count, dtype=torch.float64, device=total.device)
        energies[ellipses.views, ellipses.splats] = ellipses.energies * _light_left(ellipses, len(part), side)
        total += energies.sum(dim=0)
    return total / len(cameras)


def _side(count: int) -> int:
    side = 16 * math.ceil(math.sqrt(count / SPLATS_PER_TEXEL) / 16)
    return min(max(side, SIDES[0]), SIDES[1])


def _project(shapes: Shapes, cameras: Survey, side: int) -> Ellipses:
    """Project the splats that a picture can show, (V N,) at most."""
    local = torch.einsum("vij,vnj->vni", cameras.rotations, shapes.positions - cameras.eyes[:, None])
    focal = cameras.focals[:, None] * side
    slopes = local[..., :2] / local[..., 2:]
    inside = (slopes.abs() * focal[..., None] < side / 2 + LARGEST).all(dim=2) & (local[..., 2] > NEAR)
    views, splats = inside.nonzero().unbind(1)
    order = local[..., 2][views, splats].argsort(stable=True)
    views, splats = views[order], splats[order]
    depths, slopes = local[..., 2][views, splats], slopes[views, splats]
    focals = focal[views, 0]
    xx, xy, yy = _covariances(shapes.factors[splats], cameras.rotations[views], slopes, focals / depths)

    blur = BLUR_PIXELS2 * (side / PICTURE) ** 2  # as in the pictures that are judged
    areas = _area(xx + blur, xy, yy + blur).clamp_max(side * side)
    xx, yy = xx + BLUR_PIXELS2, yy + BLUR_PIXELS2
    determinants = (xx * yy - xy * xy).clamp_min(torch.finfo(torch.float32).tiny)
    alphas = shapes.alphas[splats]
    return Ellipses(
        splats=splats,
        views=views,
        means=slopes * focals[:, None] + side / 2,
        conics=torch.stack([yy, -xy, xx], dim=1) / determinants[:, None],
        halves=(REACH * torch.stack([xx, yy], dim=1).sqrt()).clamp_max(LARGEST),
        alphas=(alphas * areas / determinants.sqrt()).clamp_max(LARGEST_ALPHA),
        energies=(alphas.square() * areas).double() * (PICTURE / side) ** 2,
    )


def _covariances(factors: Tensor, rotations: Tensor, slopes: Tensor, zooms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return xx, xy, yy of the ellipses on the picture, (M,), texels^2, so limited that their products are finite.

    The formula is that of `project._picture_covariance`.
    """
    x, y, z = ((rotations[:, axis, :, None] * factors).sum(dim=1) for axis in range(3))
    across = (zooms[:, None] * (x - slopes[:, :1] * z)).clamp(-HUGE, HUGE)
    down = (zooms[:, None] * (y - slopes[:, 1:] * z)).clamp(-HUGE, HUGE)
    return across.square().sum(dim=1), (across * down).sum(dim=1), down.square().sum(dim=1)


def _area(xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    return (xx * yy - xy * xy).clamp_min(0).sqrt()


def _light_left(ellipses: Ellipses, pictures: int, side: int) -> Tensor:
    """Return the square of the light that is left before each ellipse, (M,) float64 in [0, 1], mean over its texels."""
    device = ellipses.means.device
    low = (ellipses.means - ellipses.halves - 0.5).ceil().clamp_min(0).int()
    high = (ellipses.means + ellipses.halves - 0.5).floor().clamp_max(side - 1).int()
    spans = (high - low + 1).clamp_min(0)
    dimmed = torch.zeros(pictures * side * side, dtype=torch.int64, device=device)
    seen = torch.zeros(len(spans), dtype=torch.int64, device=device)
    footprint = torch.zeros_like(seen)
    for run in _runs(spans.prod(dim=1)):
        owners, texels, shares, alphas = _pairs(ellipses, low, spans, run, side)
        light = _before(texels, alphas, dimmed)
        seen.index_add_(0, owners, (shares * light * UNIT).round().long())
        footprint.index_add_(0, owners, (shares * UNIT).round().long())
    return seen.double() / footprint.clamp_min(1)


def _runs(counts: Tensor) -> Iterator[tuple[int, int]]:
    """Cut ellipses with `counts` (M,) texels each into runs, first and last + 1, of about PAIRS texels."""
    ends = counts.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    size = PAIRS[counts.device.type]
    limits = size * torch.arange(1, max(1, -(-total // size)), device=counts.device)
    bounds = [0, *torch.searchsorted(ends, limits).tolist(), len(counts)]
    yield from pairwise(bounds)


def _pairs(
    ellipses: Ellipses, low: Tensor, spans: Tensor, run: tuple[int, int], side: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return all pairs of an ellipse of a run and a texel that it covers, sorted by texel and from front to back.

    Returns:
        (P,) each: the ellipse, the texel, the ellipse's squared density there (1 at the mean), and its alpha there.
    """
    first, last = run
    low, spans = low[first:last], spans[first:last]
    counts = spans.prod(dim=1)
    owners = torch.repeat_interleave(torch.arange(last - first, device=low.device), counts)
    number = (torch.arange(len(owners), device=low.device) - (counts.cumsum(0) - counts)[owners]).int()
    widths = spans[:, 0][owners]
    columns = low[:, 0][owners] + number % widths
    rows = low[:, 1][owners] + torch.div(number, widths, rounding_mode="floor")
    owners += first
    mean_x, mean_y = ellipses.means.unbind(1)
    x, y = columns + 0.5 - mean_x[owners], rows + 0.5 - mean_y[owners]
    a, b, c = (conic[owners] for conic in ellipses.conics.unbind(1))
    halves = (a * x * x + c * y * y) / 2 + b * x * y
    near = (halves <= REACH * REACH / 2).nonzero()[:, 0]
    owners, halves = owners[near], halves[near]
    texels, order = ((ellipses.views[owners].int() * side + rows[near]) * side + columns[near]).sort(stable=True)
    owners, density = owners[order], torch.exp(-halves[order])
    return owners, texels.long(), density.square(), ellipses.alphas[owners] * density


def _before(texels: Tensor, alphas: Tensor, dimmed: Tensor) -> Tensor:
    """Return the square of the light left before each pair, (P,), and add what the pairs take away to `dimmed`.

    Args:
        texels: (P,) int64, ascending, from front to back within a texel.
        alphas: (P,), below 1.
        dimmed: (T,) int64, logarithm of the light left at each texel; changed.
    """
    logs = (torch.log1p(-alphas) * UNIT).round().long()
    sums = logs.cumsum(0)
    counts = torch.bincount(texels, minlength=len(dimmed))
    ends = counts.cumsum(0)
    before = torch.nn.functional.pad(sums, (1, 0))
    base = dimmed - before[ends - counts]
    light = torch.exp((sums - logs + base[texels]).double() * (2 / UNIT)).float()
    dimmed += before[ends] - before[ends - counts]
    return light
