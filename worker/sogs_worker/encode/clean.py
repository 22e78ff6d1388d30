"""Splats that cannot be encoded or that nobody can see: what is dropped, and what is mended instead."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.errors import BadInputError
from sogs_worker.splats import ARRAYS, Splats

SMALLEST_ALPHA = 1 / 255
"""Renderers draw nothing where alpha is below this (Kerbl et al. 2023), the middle of a splat included."""

PIECE = 1 << 18
"""Splats that are looked at at once."""

FLATNESS = 11.5
"""How far below the thinnest axis of a scene, in logarithms, an axis without thickness is put: a hundred-thousandth."""

INVISIBLE_LOGIT = math.log(SMALLEST_ALPHA / (1 - SMALLEST_ALPHA))


@dataclass(frozen=True)
class Cleaned:
    """The splats worth encoding, and what became of the others.

    Attributes:
        cloud: usable splats in their order.
        unusable: how many were dropped because a value was NaN or infinite, or all were zero.
        invisible: how many were dropped because no picture shows them.
    """

    cloud: Cloud
    unusable: int
    invisible: int


def clean(cloud: Cloud) -> Cleaned:
    """Drop what no renderer could draw, since one NaN would poison a whole channel's range, and what none would.

    A scene of invisible splats only keeps them. A quaternion of norm 0 becomes the identity. A scale of -Inf stays one:
    see `with_finite_scales`.

    Raises:
        BadInputError: if nothing is left.
    """
    usable = _require_usable(cloud)
    visible = usable & (cloud.opacities >= INVISIBLE_LOGIT)
    unusable, seen = int((~usable).sum()), int(visible.sum())
    kept = visible if seen else usable
    left = cloud if seen == len(cloud) else cloud.take(kept)
    return Cleaned(_with_valid_rotations(left), unusable, len(cloud) - unusable - len(left))


def usable_mask(cloud: Cloud) -> Tensor:
    """Tell, for each splat, whether it can be encoded, (N,) bool.

    It cannot with a NaN or an infinity in any attribute but scale and opacity, nor with opacity NaN or -Inf
    (invisible). Opacity +Inf is alpha 1, which trainers and compressed formats write. A scale of -Inf is a flat splat;
    no other is infinite. Nor can it be encoded if all of it is 0, the rotation too: that is what exporters fill files
    up with, and not a grey ball in the middle.
    """
    usable = ~cloud.opacities.isnan() & (cloud.opacities != -math.inf) & (cloud.scales < math.inf).all(dim=1)
    for values in (cloud.positions, cloud.rotations, cloud.sh0, cloud.shn.flatten(1)):
        # In pieces: what torch makes on the way is larger than the values.
        usable &= torch.cat([rows.isfinite().all(dim=1) for rows in torch.split(values, PIECE)])
    usable[_rows_of_zeros(cloud)] = False
    return usable


def _rows_of_zeros(cloud: Cloud) -> Tensor:
    """Find the splats of which every value is 0, or the -Inf of a thickness that a file has not; their indices."""
    rows = (cloud.rotations == 0).all(dim=1).nonzero()[:, 0]
    for values in (cloud.opacities[:, None], cloud.positions, cloud.scales, cloud.sh0, cloud.shn.flatten(1)):
        left = values[rows]
        rows = rows[((left == 0) | left.isneginf()).all(dim=1)]
    return rows


def _require_usable(cloud: Cloud) -> Tensor:
    """Return `usable_mask`, in which at least one splat is usable; `BadInputError` where none is."""
    if len(cloud) == 0:
        raise BadInputError("the scene has no splats; export it again with at least one")
    usable = usable_mask(cloud)
    if not usable.any():
        raise BadInputError(
            f"all {len(cloud):,} splats of the scene are NaN, infinite, zero or invisible; export it again"
        )
    return usable


def is_usable(splats: Splats) -> NDArray[np.bool_]:
    """Tell, for each splat, whether it can be encoded; see `usable_mask`. (N,) bool."""
    mask: NDArray[np.bool_] = usable_mask(upload(splats, "cpu")).numpy()
    return mask


def drop_unusable(splats: Splats) -> tuple[Splats, int]:
    """Return the splats that can be drawn, in their order, and how many others there were.

    Quaternions of norm 0 are the identity there, and scales finite.

    Raises:
        BadInputError: if nothing is left.
    """
    cloud = upload(splats, "cpu")
    usable = _require_usable(cloud)
    left = _with_valid_rotations(cloud if usable.all() else cloud.take(usable))
    mended = replace(left, scales=with_finite_scales(left.scales))
    arrays: dict[str, Any] = {name: getattr(mended, name).numpy() for name in ARRAYS}
    return replace(splats, **arrays), int((~usable).sum())


def with_finite_scales(scales: Tensor) -> Tensor:
    """Put a number in the place of -Inf, the same for all, so small that no picture shows it.

    It is not as small as could be: it widens the range of an engine that quantises scales evenly.

    Args:
        scales: (N, 3) float32, finite or -Inf.
    """
    flat = scales.isneginf()
    if not flat.any():
        return scales
    thinnest = torch.where(flat, math.inf, scales).amin()
    return torch.where(flat, torch.where(thinnest < math.inf, thinnest, 0.0) - FLATNESS, scales)


def _with_valid_rotations(cloud: Cloud) -> Cloud:
    zero = (cloud.rotations == 0).all(dim=1, keepdim=True)
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0], device=zero.device)
    return replace(cloud, rotations=torch.where(zero, identity, cloud.rotations))
