"""Splats in the world become ellipses on the picture (EWA splatting, as in Kerbl et al. 2023, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.render.camera import Camera
from sogs_worker.render.harmonics import colours
from sogs_worker.render.scene import Scene

NEAR = 0.01
"""Nearest depth drawn, world units."""
BLUR_PIXELS2 = 0.3
"""Variance added to every ellipse, so that none is smaller than about a pixel; the value scenes are trained with."""
SMALLEST_ALPHA = 1 / 255
GUARD = 1.3
"""How far outside the picture, in half pictures, the perspective is still linearised where a splat stands."""


@dataclass(frozen=True)
class Ellipses:
    """M visible splats, nearest first.

    Attributes:
        means: (M, 2) float32, pixels.
        conics: (M, 3) float32, the inverse covariance's xx, xy, yy, 1/pixels^2.
        reaches: (M, 2) float32, half width and height within which alpha is at least 1/255, pixels.
        alphas: (M,) float32, opacity at the mean.
        colours: (M, 3) float32.
    """

    means: Tensor
    conics: Tensor
    reaches: Tensor
    alphas: Tensor
    colours: Tensor


def project(scene: Scene, camera: Camera) -> Ellipses:
    """Project all splats that can be seen."""
    rotation = _tensor(camera.world_to_camera[:3, :3], scene)
    local = scene.positions @ rotation.T + _tensor(camera.world_to_camera[:3, 3], scene)
    front = torch.nonzero((local[:, 2] > NEAR) & (scene.alphas > SMALLEST_ALPHA))[:, 0]
    local = local[front]

    depth, alphas, focal = local[:, 2], scene.alphas[front], _tensor(camera.focal, scene)
    means = local[:, :2] / depth[:, None] * focal + _tensor(camera.centre, scene)
    axes = _picture_axes(local, rotation @ scene.factors[front], focal, camera)
    covariance = _picture_covariance(axes)
    if scene.is_antialiased:
        alphas = alphas * compensation(_area(axes), axes.square().sum((1, 2)), BLUR_PIXELS2)
    # Alpha falls to 1/255 at Mahalanobis distance sqrt(2 ln(255 alpha)); the ellipse's box is that times sigma.
    reaches = torch.sqrt(2 * torch.log(alphas / SMALLEST_ALPHA))[:, None] * torch.sqrt(covariance[:, [0, 2]])
    conics, invertible = _inverse(covariance)

    size = _tensor((camera.width, camera.height), scene)
    seen = ((means + reaches > 0) & (means - reaches < size)).all(1)  # not where alpha is below 1/255, reach is NaN
    order = torch.nonzero(seen & invertible)[:, 0]
    order = order[torch.argsort(depth[order], stable=True)]
    shades = _shades(scene, front[order], camera)
    return Ellipses(means[order], conics[order], reaches[order], alphas[order], shades)


def _shades(scene: Scene, index: Tensor, camera: Camera) -> Tensor:
    """(M, 3) colours of the splats `index` (M,) as the camera sees them."""
    rays = torch.nn.functional.normalize(scene.positions[index] - _tensor(camera.position, scene), dim=1)
    return colours(scene.sh0[index], scene.shn[index], rays)


def _picture_axes(local: Tensor, factor: Tensor, focal: Tensor, camera: Camera) -> Tensor:
    """(N, 2, 3) x and y on the picture, pixels, of the axes of camera-space factors (N, 3, 3) at places (N, 3)."""
    depth = local[:, 2]
    limit = GUARD * local.new_tensor((camera.width, camera.height)) / 2 / focal
    slope = torch.minimum(torch.maximum(local[:, :2] / depth[:, None], -limit), limit)
    # The rows of the perspective's Jacobian, times the factor: d(f x / z) = f / z (dx - x / z dz).
    return (focal / depth[:, None])[:, :, None] * (factor[:, :2] - slope[:, :, None] * factor[:, 2:])


def _picture_covariance(rows: Tensor) -> Tensor:
    """(N, 3) covariance xx, xy, yy on the picture, pixels^2, blurred, from axes (N, 2, 3)."""
    xx = (rows[:, 0] ** 2).sum(1) + BLUR_PIXELS2
    yy = (rows[:, 1] ** 2).sum(1) + BLUR_PIXELS2
    xy = (rows[:, 0] * rows[:, 1]).sum(1)
    return torch.stack([xx, xy, yy], 1)


def _area(rows: Tensor) -> Tensor:
    """(N,) area of ellipses without blur, pixels^2 over pi, from axes (N, 2, 3): by a product that cannot cancel."""
    area: Tensor = torch.linalg.cross(rows[:, 0], rows[:, 1]).norm(dim=1)
    return area


def compensation(areas: Tensor, traces: Tensor, blur: float) -> Tensor:
    """(N,) how much fainter ellipses of an antialiased scene are drawn than their alpha says, 0 to 1.

    That is the square root of the ratio of the covariance's determinant to that of the blurred one, which is larger by
    the blur times the trace and by its square (2D Mip filter; Yu et al. 2024, section 5.2).

    Args:
        areas: (N,) square roots of the determinants, 0 for a flat splat that is seen edge on.
        traces: (N,) of the covariances.
        blur: the variance added to both axes.
    """
    return torch.rsqrt(1 + blur * (traces + blur) / areas.square())


def _inverse(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3) xx, xy, yy of the inverses of (N, 3) covariances, and (N,) bool where there is one in float32.

    By the Schur complement, as a determinant overflows where an ellipse is larger than 3e9 pixels.
    """
    xx, xy, yy = covariance.unbind(1)
    slope = xy / xx
    rest = yy - slope * xy
    return torch.stack([1 / xx + slope * slope / rest, -slope / rest, 1 / rest], 1), rest > 0


def _tensor(values: object, scene: Scene) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32).to(scene.device)
