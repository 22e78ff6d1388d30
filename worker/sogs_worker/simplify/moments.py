"""Splats as what adds up when two of them become one: mass, mean, covariance and colour."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from sogs_worker.encode.cloud import Cloud
from sogs_worker.simplify.ellipsoids import axes, covariances
from sogs_worker.simplify.projections import project
from sogs_worker.simplify.sight import sights

NORM = math.sqrt(4 * math.pi)
"""The mean over all directions of the square of a colour is the sum of its coefficients' squares, over NORM^2."""

LEAST_ALPHA = 1e-30
"""Of a splat that nobody sees, so that it has a mass."""

_BY_COLUMN = ("positions", "covariances")


@dataclass(frozen=True)
class Moments:
    """N splats.

    Attributes:
        positions: (3, N) float64, world units.
        covariances: (6, N) float64, as `ellipsoids.covariances` has them.
        alphas: (N,) float64, opacity at the mean, above 0.
        colours: (N, D) float32, the coefficients of the spherical harmonics over NORM, the constant ones counted from
            the scene's mean, so that the product of two splats is the mean over all directions of their colours'
            product. The last number is the same for all, the spread of the scene's colours: what appears behind a
            splat that becomes more transparent differs from the mean by as much.
        norms: (N,) float64, the squared length of `colours`.
        sights: (N,) float64, how much of a splat's light views show, 0 to 1.
        places: (N,) int64, the splat's place in the scene; -1 of one that several have become.
    """

    positions: Tensor
    covariances: Tensor
    alphas: Tensor
    colours: Tensor
    norms: Tensor
    sights: Tensor
    places: Tensor

    def __len__(self) -> int:
        """Count the splats."""
        return len(self.alphas)

    def take(self, index: Tensor | slice) -> Moments:
        """Select or reorder splats by an index or a slice."""
        rows: dict[str, Any] = {}
        for field in fields(self):
            values: Tensor = getattr(self, field.name)
            rows[field.name] = values[:, index] if field.name in _BY_COLUMN else values[index]
        return Moments(**rows)


def join(one: Moments, other: Moments) -> Moments:
    """Put splats behind others."""
    pairs = {field.name: [getattr(one, field.name), getattr(other, field.name)] for field in fields(Moments)}
    return Moments(**{name: torch.cat(pair, dim=int(name in _BY_COLUMN)) for name, pair in pairs.items()})


def describe(cloud: Cloud, seen: Tensor, variance: float) -> tuple[Moments, Tensor]:
    """Return the moments of a scene, and the colour that theirs are counted from, (3,) constant coefficients.

    Args:
        cloud: N splats, their scales finite.
        seen: (N,) float64, the energy of the splats in rendered views.
        variance: of a pixel's blur, world units squared.
    """
    positions = cloud.positions.double().T.contiguous()
    shapes = covariances(cloud.rotations, cloud.scales)
    alphas = torch.sigmoid(cloud.opacities.double()).clamp_min(LEAST_ALPHA)
    weights = seen / seen.sum() if seen.any() else torch.full_like(seen, 1 / len(seen))
    mean = (weights[:, None] * cloud.sh0).sum(dim=0).float()
    colours = torch.cat([cloud.sh0 - mean, cloud.shn.flatten(1)], dim=1) / NORM
    spread = (weights * colours.square().sum(dim=1)).sum().sqrt().float()
    colours = torch.cat([colours, spread.expand(len(colours), 1)], dim=1)
    energies = alphas.square() * project(shapes, variance).area
    moments = Moments(
        positions,
        shapes,
        alphas,
        colours,
        colours.square().sum(dim=1).double(),
        sights(seen, energies, positions),
        torch.arange(len(cloud), device=alphas.device),
    )
    return moments, mean


def restore(splats: Moments, mean: Tensor, cloud: Cloud) -> tuple[Cloud, int]:
    """Return the splats of a scene again, and how many, the first ones, are as they were in it, to the bit."""
    kept = cloud.take(splats.places[splats.places >= 0])
    merged = splats.take((splats.places < 0).nonzero()[:, 0])
    rotations, scales = axes(merged.covariances)
    coefficients = merged.colours[:, :-1] * NORM
    new = {
        "positions": merged.positions.T.float(),
        "rotations": rotations,
        "scales": scales,
        "opacities": torch.logit(merged.alphas).float(),
        "sh0": coefficients[:, :3] + mean,
        "shn": coefficients[:, 3:].reshape(len(merged), *cloud.shn.shape[1:]),
    }
    joined: dict[str, Any] = {name: torch.cat([getattr(kept, name), rows]) for name, rows in new.items()}
    return replace(kept, **joined), len(kept)
