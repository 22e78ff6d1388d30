"""The weights of splats and of their axes."""

from __future__ import annotations

import numpy as np

from sogs_worker.encode.codebook import build_codebook
from sogs_worker.encode.quantize import nearest_entries
from sogs_worker.encode.visibility import axis_visibility, visibility
from splat_builders import build_splats, replace


def test_visibility_is_bounded_and_grows_with_alpha_and_size() -> None:
    splats = build_splats(1000)
    weights = visibility(splats)
    assert weights.min() >= 0.99e-4
    assert weights.max() == 1
    larger = replace(splats, scales=splats.scales + np.float32(200) * (np.arange(1000) == 3)[:, None])
    assert np.isfinite(visibility(larger)).all()
    assert visibility(larger)[3] == 1


def test_equal_splats_weigh_the_same() -> None:
    splats = build_splats(1).take(np.zeros(5, np.intp))
    assert visibility(splats).tolist() == [1, 1, 1, 1, 1]


def test_a_thin_axis_weighs_its_share_of_the_longest() -> None:
    scales = np.tile(np.float32([-3, -4, -30]), (100, 1))
    splats = replace(build_splats(100), scales=scales)
    shares = axis_visibility(splats) / visibility(splats)[:, None]
    assert np.allclose(shares, [[1, np.exp(-1), 1e-4]])


def test_thin_axes_do_not_take_the_codebook_of_scales() -> None:
    """As in trained scenes: two axes of ordinary length and one anywhere between thin and nothing."""
    rng = np.random.default_rng(0)
    scales = rng.normal(-4, 1, (5000, 3)).astype(np.float32)
    scales[:, 2] = rng.uniform(-25, -8, 5000)
    weights = axis_visibility(replace(build_splats(5000), scales=scales))
    plain, weighted = (
        np.average((book[nearest_entries(scales, book)] - scales) ** 2, weights=weights)
        for book in (build_codebook(scales), build_codebook(scales, weights))
    )
    assert weighted < 0.1 * plain
