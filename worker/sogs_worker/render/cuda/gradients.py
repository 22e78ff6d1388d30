"""From the errors of pictures to how each splat would have to change."""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.render.cuda.drawing import Drawing
from sogs_worker.render.cuda.program import BUCKET, PARTS, WARPS, Program


def pair_gradients(
    program: Program, drawing: Drawing, targets: Tensor, weights: Tensor, *, absolute: float = 0.0
) -> Tensor:
    """Differentiate the error of pictures, the weighted sum of e^2 + absolute |e| over their pixels and channels.

    Args:
        program: the kernels.
        drawing: made to be differentiable.
        targets: (V, H, W, 3) uint8, what the pictures should be; e is the difference, with 1 for 255.
        weights: (V,) float32, of the pictures.
        absolute: weight of the absolute error.

    Returns:
        (P, PARTS) float32, of each pair of an ellipse and a tile; the ellipse's are their sum.
    """
    views, tiles = drawing.views, len(drawing.starts) - 1
    pairs = len(drawing.pairs)
    gradients = torch.empty(pairs, PARTS, device=targets.device)
    buckets = pairs // BUCKET + tiles
    program.launch(
        "blend_gradients",
        -(-buckets // WARPS),
        BUCKET * WARPS,
        *(tiles, views.columns, views.rows, views.width, views.height, drawing.starts, drawing.members),
        *(drawing.pairs, drawing.ellipses, drawing.buckets, drawing.checkpoints, drawing.colours, drawing.blended),
        *(targets, weights, absolute, gradients),
    )
    return gradients


def picture_errors(drawing: Drawing, targets: Tensor, *, absolute: float) -> Tensor:
    """Return the error that `pair_gradients` differentiates as a mean over a picture's pixels and channels, (V,)."""
    errors = drawing.colours.clamp(max=1) - targets / 255
    return (errors.square() + absolute * errors.abs()).mean(dim=(1, 2, 3))
