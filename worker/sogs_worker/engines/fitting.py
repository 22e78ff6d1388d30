"""Colours are fitted to pictures once shapes are quantised: so they make up for some of what that has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.cloud import Cloud
from sogs_worker.encode.palette import Palette, TrainedPalette, choose_entries, quantize_entries
from sogs_worker.encode.positions import Means, dequantize_positions
from sogs_worker.encode.quantized import Coded
from sogs_worker.encode.rotation import unpack_rotations
from sogs_worker.refine import COLOURS, Refinery, SharedHarmonics
from sogs_worker.splats import Origin


@dataclass(frozen=True)
class Fitted:
    """A scene with colours that suit its shapes.

    Attributes:
        cloud: the splats; their SH coefficients above the constant one are the palette's before it was quantised.
        palette: None where there are none.
        shared: what it was quantised from.
        is_kept: whether the fitting was not undone.
    """

    cloud: Cloud
    palette: Palette | None
    shared: SharedHarmonics | None
    is_kept: bool


def place(cloud: Cloud, means: Means, scales: Coded, rotations: NDArray[np.uint8], origin: Origin) -> Cloud:
    """Give splats the positions and shapes that a decoder will see."""
    device = cloud.positions.device

    def upload(values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(device)

    return replace(
        cloud,
        positions=upload(dequantize_positions(means) - np.asarray(origin)),
        scales=upload(scales.values()),
        rotations=upload(unpack_rotations(rotations)),
    )


def fit_colours(
    cloud: Cloud,
    trained: TrainedPalette | None,
    weights: Tensor,
    refinery: Refinery,
    *,
    progress: Callable[[float], None],
) -> Fitted:
    """Fit opacities, constant SH coefficients and the palette's entries to pictures.

    Args:
        cloud: the splats, with shapes that stay.
        trained: the palette's centroids; None where there are no SH bands.
        weights: (N,) float32, of the splats.
        refinery: the pictures.
        progress: receives the fraction done.
    """
    if trained is None:
        fitted = refinery.refine(cloud, COLOURS, progress=progress)
        return Fitted(fitted, None, None, fitted is not cloud)
    entries, labels = choose_entries(trained)
    shared = SharedHarmonics(entries, labels)
    start = replace(cloud, shn=entries[labels])
    fitted = refinery.refine(start, COLOURS, palette=shared, progress=progress)
    palette = quantize_entries(shared.entries, labels, weights, trained.step)
    return Fitted(fitted, palette, shared, fitted is not start)
