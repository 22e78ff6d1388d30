"""One of the 24 descriptions of an ellipsoid: its axes can be named in any order and point either way."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from sogs_worker.encode.cloud import Cloud

_HALF = math.sqrt(0.5)

_REORDER = {
    (0, 1, 2): (1.0, 0.0, 0.0, 0.0),
    (0, 2, 1): (_HALF, _HALF, 0.0, 0.0),
    (1, 0, 2): (_HALF, 0.0, 0.0, _HALF),
    (2, 1, 0): (_HALF, 0.0, _HALF, 0.0),
    (1, 2, 0): (0.5, 0.5, 0.5, 0.5),
    (2, 0, 1): (0.5, -0.5, -0.5, -0.5),
}
"""For each order of the axes (new axis i is old axis order[i]) a quaternion that turns the old axes into the new ones,
up to their signs."""

_HALF_TURN = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
_HALF_TURN_SIGNS = torch.tensor([[1.0, 1, 1, 1], [1, -1, -1, 1], [1, 1, -1, -1], [1, -1, 1, -1]])
"""Quaternion q times 1, -i, -j or -k: component c of the product is sign * q[place]."""


def canonical_axes(cloud: Cloud) -> Cloud:
    """Describe each ellipsoid with its axes from the longest to the shortest, and the least rotation for that.

    The shape is the same. The greatest component of the quaternion is then always w, and positive, so that its index
    costs nothing; the first channel of the scales holds the longest axes and the last the shortest, each with a
    narrower range than all together.

    Returns:
        The cloud with `rotations` of norm 1 and `scales` changed.
    """
    scales, order = cloud.scales.sort(dim=1, descending=True, stable=True)
    wide = cloud.rotations.double()
    unit = wide / wide.norm(dim=1, keepdim=True)
    turned = _multiply(unit, _reordering(order))
    return replace(cloud, rotations=_with_greatest_w(turned).float(), scales=scales)


def _reordering(order: Tensor) -> Tensor:
    """Return, for orders of axes (N, 3), the quaternions (N, 4) that reorder them."""
    table = torch.zeros(9, 4, dtype=torch.float64)
    for axes, quaternion in _REORDER.items():
        table[3 * axes[0] + axes[1]] = torch.tensor(quaternion, dtype=torch.float64)
    return table.to(order.device)[3 * order[:, 0] + order[:, 1]]


def _with_greatest_w(unit: Tensor) -> Tensor:
    """Turn half a circle about an axis of the ellipsoid, which changes nothing, so that |w| is greatest; then w > 0."""
    greatest = unit.abs().argmax(dim=1)
    places = _HALF_TURN.to(unit.device)[greatest]
    turned = unit.gather(1, places) * _HALF_TURN_SIGNS.to(unit.device)[greatest]
    return torch.where(turned[:, :1] < 0, -turned, turned)


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    """Multiply quaternions w, x, y, z, (N, 4) each."""
    aw, ax, ay, az = a.unbind(1)
    bw, bx, by, bz = b.unbind(1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        dim=1,
    )
