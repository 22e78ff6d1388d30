"""Reversible transforms of a plane that make its channels cheaper to code, computed from the original pixels.

Planes here are (..., 4, H, W) uint8, the channels in the order in which WebP writes them: green, red, blue, alpha.
Source: RFC 9649, section 3.5.
"""

from __future__ import annotations

import torch
from torch import Tensor

GREEN, RED, BLUE, ALPHA = range(4)

BLACK, LEFT, SELECT = 0, 1, 11
"""Modes of prediction."""

MODES = (BLACK, LEFT, SELECT)


def subtract_green(plane: Tensor) -> Tensor:
    """Subtract green from red and blue."""
    green = plane[..., GREEN, :, :]
    return torch.stack([green, *(plane[..., c, :, :] - green for c in (RED, BLUE)), plane[..., ALPHA, :, :]], dim=-3)


def predict(plane: Tensor, mode: int) -> Tensor:
    """Subtract from each pixel what `mode` predicts from its neighbours."""
    black = torch.zeros_like(plane[..., :1, :1])
    black[..., ALPHA, :, :] = 255
    if mode == BLACK:
        inner = black
    else:
        left, above = plane[..., 1:, :-1], plane[..., :-1, 1:]
        inner = left if mode == LEFT else _select(left, above, plane[..., :-1, :-1])
    predicted = torch.empty_like(plane)
    predicted[..., 1:, 1:] = inner
    predicted[..., 0, 1:] = plane[..., 0, :-1]
    predicted[..., 1:, 0] = plane[..., :-1, 0]
    predicted[..., :1, :1] = black
    return predicted.neg_().add_(plane)


def _select(left: Tensor, above: Tensor, corner: Tensor) -> Tensor:
    """Choose, for all channels of a pixel, the neighbour nearer to left + above - corner."""
    wide = corner.short()
    to_left = (above - wide).abs_().sum(dim=-3, keepdim=True, dtype=torch.int16)
    to_above = (left - wide).abs_().sum(dim=-3, keepdim=True, dtype=torch.int16)
    return torch.where(to_left < to_above, left, above)
