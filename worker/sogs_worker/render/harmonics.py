"""Colours from spherical harmonics."""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.encode.harmonics import C0, basis


def colours(sh0: Tensor, shn: Tensor, directions: Tensor) -> Tensor:
    """(N, 3) colours >= 0 of splats with `sh0` (N, 3) and `shn` (N, C, 3), seen along unit `directions` (N, 3)."""
    shade = torch.einsum("nc,ncd->nd", basis(directions, shn.shape[1]), shn)
    return (0.5 + C0 * sh0 + shade).clamp_min(0)
