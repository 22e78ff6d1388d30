"""A scene on the device that draws it: what no camera changes is computed and uploaded once."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sogs_worker.splats import Floats, Model, Splats

LARGEST_LOG_SCALE = 60.0
"""Larger splats are drawn as if they were of this size, 10^26: their exponential would soon be infinite."""


@dataclass(frozen=True)
class Shapes:
    """N splats without their colours, as float32 tensors of one device.

    Attributes:
        positions: (N, 3), world units.
        factors: (N, 3, 3), R S with R the rotation and S the standard deviations; the covariance is its square.
        alphas: (N,), opacity at the mean, 0 to 1.
        is_antialiased: whether a splat is as much fainter as the blur of a picture makes it larger.
    """

    positions: Tensor
    factors: Tensor
    alphas: Tensor
    is_antialiased: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Scene(Shapes):
    """N splats.

    Attributes:
        sh0: (N, 3), constant SH coefficient of R, G, B.
        shn: (N, C, 3), the SH coefficients above it.
    """

    sh0: Tensor
    shn: Tensor

    @property
    def device(self) -> torch.device:
        """Where the tensors are, and where pictures are drawn."""
        return self.positions.device


def load_scene(splats: Splats, device: str) -> Scene:
    """Upload a scene to `cpu` or `cuda`. Splats must be usable: see `encode.clean.drop_unusable`."""

    def upload(values: Floats) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32).to(device)

    arrays = map(upload, (splats.positions, splats.rotations, splats.scales, splats.opacities))
    shapes = build_shapes(*arrays, model=splats.model)
    return Scene(**vars(shapes), sh0=upload(splats.sh0), shn=upload(splats.shn))


def build_shapes(
    positions: Tensor, rotations: Tensor, scales: Tensor, opacities: Tensor, *, model: Model = Model.DEFAULT
) -> Shapes:
    """Build shapes from attributes as `Splats` has them, (N, 3), (N, 4), (N, 3) and (N,) float32."""
    factors = covariance_factors(rotations, scales)
    return Shapes(positions, factors, torch.sigmoid(opacities), is_antialiased=model is Model.ANTIALIASED)


def covariance_factors(quaternions: Tensor, log_scales: Tensor) -> Tensor:
    """(N, 3, 3) R S with R the rotation of (N, 4) w, x, y, z and S = diag(exp(scale))."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=1).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    rotations = torch.stack([torch.stack(row, 1) for row in rows], 1)
    return rotations * torch.exp(log_scales.clamp_max(LARGEST_LOG_SCALE))[:, None, :]
