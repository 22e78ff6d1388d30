"""Covariances become rotations and scales, as LAPACK has them, and are the same covariances again."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.simplify.ellipsoids import ENTRIES, axes, covariances

LOG_SCALES = st.lists(st.floats(-12, 5), min_size=3, max_size=3)
QUATERNIONS = st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1)


def matrices(entries: torch.Tensor) -> np.ndarray:
    full = np.empty((entries.shape[1], 3, 3))
    for (row, column), values in zip(ENTRIES, entries.numpy(), strict=True):
        full[:, row, column] = full[:, column, row] = values
    return full


@given(st.lists(st.tuples(QUATERNIONS, LOG_SCALES), min_size=1, max_size=20))
def test_axes_are_those_of_lapack(shapes: list[tuple[list[float], list[float]]]) -> None:
    rotations = torch.tensor([rotation for rotation, _ in shapes])
    scales = torch.tensor([scale for _, scale in shapes])
    entries = covariances(rotations, scales)
    found_rotations, found_scales = axes(entries)
    variances = np.linalg.eigvalsh(matrices(entries))[:, ::-1]
    # Both are off by what rounding makes of the largest, which a thin axis' own variance may be less than.
    noise = 1e-13 * variances[:, :1]
    assert (np.abs(np.exp(2 * found_scales.double().numpy()) - variances) <= noise + 1e-5 * variances).all()
    assert (found_scales[:, :-1] >= found_scales[:, 1:]).all()
    again = matrices(covariances(found_rotations, found_scales))
    error = np.abs(again - matrices(entries)).max(axis=(1, 2))
    assert (error <= 1e-5 * variances[:, 0]).all()


def test_shapes_of_no_thickness_have_numbers() -> None:
    point, line = torch.zeros(6, 1, dtype=torch.float64), torch.zeros(6, 1, dtype=torch.float64)
    line[:, 0] = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    rotations, scales = axes(torch.cat([point, line], dim=1))
    assert rotations.isfinite().all()
    assert scales.isfinite().all()
    assert torch.allclose(rotations.norm(dim=1), torch.ones(2))
    assert scales[1, 0].item() == np.float32(np.log(3) / 2)
