"""Covariances of ellipsoids, and the axes and rotations that a scene's file has for them."""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.render.scene import covariance_factors

SWEEPS = 5
"""Of Jacobi's method, which then has found the axes of a 3 x 3 matrix to the last bit: its error falls cubically."""

ENTRIES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Row and column of the six entries that a symmetric matrix is given by, in this order."""

THINNEST = 1e-60
"""Least variance of an axis, so that its logarithm is a number."""


def covariances(rotations: Tensor, scales: Tensor) -> Tensor:
    """Return the covariances of ellipsoids, (6, N) float64: xx, xy, xz, yy, yz, zz.

    Args:
        rotations: (N, 4) quaternions w, x, y, z of any norm but 0.
        scales: (N, 3) finite, logarithms of standard deviations.
    """
    axes = covariance_factors(rotations, scales).double()
    return torch.stack([(axes[:, row] * axes[:, column]).sum(dim=1) for row, column in ENTRIES])


def axes(covariances: Tensor) -> tuple[Tensor, Tensor]:
    """Return rotations, (N, 4) float32, and scales, (N, 3) float32, longest axis first, of covariances (6, N)."""
    variances, vectors = _diagonalize(covariances)
    variances, order = variances.sort(dim=0, descending=True, stable=True)
    vectors = vectors.gather(1, order.expand(3, 3, -1))
    # An axis may point either way: the third is where the others' product points, so that this is a rotation.
    vectors[:, 2] = torch.linalg.cross(vectors[:, 0], vectors[:, 1], dim=0)
    return _quaternions(vectors).T.float(), (variances.clamp_min(THINNEST).log() / 2).T.float()


def _diagonalize(covariances: Tensor) -> tuple[Tensor, Tensor]:
    """Return variances, (3, N), and axes as columns, (3, 3, N), by Jacobi's method, all matrices at once.

    Source: G. Golub and C. Van Loan, "Matrix Computations", section 8.5.
    """
    entries = {place: row.clone() for place, row in zip(ENTRIES, covariances, strict=True)}
    zero, one = torch.zeros_like(covariances[0]), torch.ones_like(covariances[0])
    columns = [torch.stack([one if row == column else zero for row in range(3)]) for column in range(3)]
    for p, q in ((0, 1), (0, 2), (1, 2)) * SWEEPS:
        other = 3 - p - q
        cosine, sine, tangent = _rotation(entries[p, p], entries[p, q], entries[q, q])
        entries[p, p] = entries[p, p] - tangent * entries[p, q]
        entries[q, q] = entries[q, q] + tangent * entries[p, q]
        entries[p, q] = zero
        with_p, with_q = (min(p, other), max(p, other)), (min(q, other), max(q, other))
        one_side, other_side = entries[with_p], entries[with_q]
        entries[with_p] = cosine * one_side - sine * other_side
        entries[with_q] = sine * one_side + cosine * other_side
        columns[p], columns[q] = cosine * columns[p] - sine * columns[q], sine * columns[p] + cosine * columns[q]
    return torch.stack([entries[axis, axis] for axis in range(3)]), torch.stack(columns, dim=1)


def _rotation(first: Tensor, both: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return cosine, sine and tangent of the smaller angle that makes the entry `both` of symmetric matrices 0."""
    ratio = (second - first) / (2 * torch.where(both == 0, 1.0, both))
    tangent = torch.where(ratio < 0, -1.0, 1.0) / (ratio.abs() + (1 + ratio * ratio).sqrt())
    tangent = torch.where(both == 0, 0.0, tangent)
    cosine = (1 + tangent * tangent).rsqrt()
    return cosine, tangent * cosine, tangent


def _quaternions(matrices: Tensor) -> Tensor:
    """Return w, x, y, z, (4, N), of rotations, (3, 3, N).

    Each row below is the quaternion times four times another of its components, from the matrix's entries; the one
    with the greatest is divided by the least.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrices
    rows = torch.stack(
        [
            torch.stack([1 + xx + yy + zz, zy - yz, xz - zx, yx - xy]),
            torch.stack([zy - yz, 1 + xx - yy - zz, yx + xy, xz + zx]),
            torch.stack([xz - zx, yx + xy, 1 - xx + yy - zz, zy + yz]),
            torch.stack([yx - xy, xz + zx, zy + yz, 1 - xx - yy + zz]),
        ]
    )
    greatest = torch.stack([rows[component, component] for component in range(4)]).argmax(dim=0)
    chosen: Tensor = rows.gather(0, greatest.expand(1, 4, -1))[0]
    return chosen / chosen.square().sum(dim=0).sqrt()
