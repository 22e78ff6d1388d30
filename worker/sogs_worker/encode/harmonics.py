"""Real spherical harmonics up to band 3."""

from __future__ import annotations

import torch
from torch import Tensor

# Real spherical harmonics in the order and signs of 3D Gaussian splatting (Kerbl et al. 2023); Y_00 is C0.
C0 = 0.28209479177387814
C1 = 0.4886025119029199
C2 = (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396)
C3 = (
    -0.5900435899266435,
    2.890611442640554,
    -0.4570457994644658,
    0.3731763325901154,
    -0.4570457994644658,
    1.445305721320277,
    -0.5900435899266435,
)


def basis(directions: Tensor, coefficients: int) -> Tensor:
    """Evaluate the harmonics above the constant one.

    Args:
        directions: (N, 3) unit vectors.
        coefficients: 0, 3, 8 or 15.

    Returns:
        (N, coefficients).
    """
    x, y, z = directions.unbind(1)
    xx, yy, zz = x * x, y * y, z * z
    bands = [
        -C1 * y,
        C1 * z,
        -C1 * x,
        C2[0] * x * y,
        C2[1] * y * z,
        C2[2] * (2 * zz - xx - yy),
        C2[3] * x * z,
        C2[4] * (xx - yy),
        C3[0] * y * (3 * xx - yy),
        C3[1] * x * y * z,
        C3[2] * y * (4 * zz - xx - yy),
        C3[3] * z * (2 * zz - 3 * xx - 3 * yy),
        C3[4] * x * (4 * zz - xx - yy),
        C3[5] * z * (xx - yy),
        C3[6] * x * (xx - 3 * yy),
    ]
    return torch.stack(bands[:coefficients], 1) if coefficients else directions.new_zeros(len(directions), 0)
