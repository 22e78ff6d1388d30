"""Splats in the world become ellipses on the picture (EWA splatting, as in Kerbl et al. 2023, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.render.camera import Camera
from sogs_worker.render.harmonics import colours
from sogs_worker.splats import Splats

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


def project(splats: Splats, camera: Camera, device: str) -> Ellipses:
    """Project all splats that can be seen, on `device`."""
    positions = _tensor(splats.positions, device)
    rotation = _tensor(camera.world_to_camera[:3, :3], device)
    local = positions @ rotation.T + _tensor(camera.world_to_camera[:3, 3], device)
    order = torch.argsort(local[:, 2], stable=True)
    order = order[local[order, 2] > NEAR]
    local = local[order]

    depth = local[:, 2]
    focal, centre = _tensor(camera.focal, device), _tensor(camera.centre, device)
    means = local[:, :2] / depth[:, None] * focal + centre
    index = order.cpu().numpy()
    factor = _covariance_factors(_tensor(splats.rotations[index], device), _tensor(splats.scales[index], device))
    covariance = _picture_covariance(local, rotation @ factor, focal, camera)
    alphas = torch.sigmoid(_tensor(splats.opacities[index], device))

    # Alpha falls to 1/255 at Mahalanobis distance sqrt(2 ln(255 alpha)); the ellipse's box is that times sigma.
    distance = torch.sqrt(2 * torch.log((alphas / SMALLEST_ALPHA).clamp_min(1)))
    reaches = distance[:, None] * torch.sqrt(covariance[:, [0, 2]])
    size = _tensor((camera.width, camera.height), device)
    seen = ((means + reaches > 0) & (means - reaches < size)).all(1) & (alphas > SMALLEST_ALPHA)
    determinant = covariance[:, 0] * covariance[:, 2] - covariance[:, 1] ** 2
    seen &= determinant > 0
    conics = torch.stack([covariance[:, 2], -covariance[:, 1], covariance[:, 0]], 1) / determinant[:, None]

    rays = torch.nn.functional.normalize(positions[order] - _tensor(camera.position, device), dim=1)
    shades = colours(_tensor(splats.sh0[index], device), _tensor(splats.shn[index], device), rays)
    return Ellipses(means[seen], conics[seen], reaches[seen], alphas[seen], shades[seen])


def _tensor(values: object, device: str) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32).to(device)


def _covariance_factors(quaternions: Tensor, log_scales: Tensor) -> Tensor:
    """(N, 3, 3) R S with R the rotation of (N, 4) w, x, y, z and S = diag(exp(scale)); the covariance is its square."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=1).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    rotations = torch.stack([torch.stack(row, 1) for row in rows], 1)
    return rotations * torch.exp(log_scales)[:, None, :]


def _picture_covariance(local: Tensor, factor: Tensor, focal: Tensor, camera: Camera) -> Tensor:
    """(N, 3) covariance xx, xy, yy on the picture, pixels^2, from camera-space places (N, 3) and factors (N, 3, 3)."""
    depth = local[:, 2]
    limit = GUARD * _tensor((camera.width, camera.height), str(local.device)) / 2 / focal
    slope = torch.minimum(torch.maximum(local[:, :2] / depth[:, None], -limit), limit)
    # The rows of the perspective's Jacobian, times the factor: d(f x / z) = f / z (dx - x / z dz).
    rows = (focal / depth[:, None])[:, :, None] * (factor[:, :2] - slope[:, :, None] * factor[:, 2:])
    xx = (rows[:, 0] ** 2).sum(1) + BLUR_PIXELS2
    yy = (rows[:, 1] ** 2).sum(1) + BLUR_PIXELS2
    xy = (rows[:, 0] * rows[:, 1]).sum(1)
    return torch.stack([xx, xy, yy], 1)
