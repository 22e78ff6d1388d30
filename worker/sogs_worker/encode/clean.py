"""Splats that cannot be encoded: what is dropped, and what is mended instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.splats import Floats, Splats

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0], np.float32)


def drop_unusable(splats: Splats) -> tuple[Splats, int]:
    """Drop splats that no renderer could draw, since one NaN would poison a whole channel's range.

    Dropped are splats with a NaN or an infinity in any attribute but opacity, and those whose opacity is NaN or -Inf
    (invisible). Opacity +Inf stays: it is alpha 1, which trainers and compressed formats write. A quaternion of norm 0
    becomes the identity.

    Returns:
        The usable splats in their order, and how many were dropped.

    Raises:
        BadInputError: if nothing is left.
    """
    if len(splats) == 0:
        raise BadInputError("the scene has no splats; export it again with at least one")
    usable = is_usable(splats)
    kept = splats if usable.all() else splats.take(usable)
    if len(kept) == 0:
        raise BadInputError(f"all {len(splats):,} splats of the scene are NaN, infinite or invisible; export it again")
    return _with_valid_rotations(kept), len(splats) - len(kept)


def is_usable(splats: Splats) -> NDArray[np.bool_]:
    """Tell, for each splat, whether it can be encoded; see `drop_unusable`. (N,) bool."""
    usable: NDArray[np.bool_] = ~np.isnan(splats.opacities) & (splats.opacities != -np.inf)
    for values in (splats.positions, splats.rotations, splats.scales, splats.sh0, splats.shn.reshape(len(splats), -1)):
        usable &= np.isfinite(values).all(axis=1)
    return usable


def _with_valid_rotations(splats: Splats) -> Splats:
    zero: NDArray[np.bool_] = (splats.rotations == 0).all(axis=1)
    if not zero.any():
        return splats
    rotations: Floats = np.where(zero[:, None], IDENTITY, splats.rotations)
    return Splats(splats.positions, rotations, splats.scales, splats.opacities, splats.sh0, splats.shn)
