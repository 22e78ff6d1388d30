"""Reversible transforms of a plane that make its channels cheaper to code, computed from the original pixels.

Planes here are (4, H, W) uint8, the channels in the order in which WebP writes them: green, red, blue, alpha.
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
    green = plane[GREEN]
    return torch.stack([green, plane[RED] - green, plane[BLUE] - green, plane[ALPHA]])


def predict(plane: Tensor, mode: int) -> Tensor:
    """Subtract from each pixel what `mode` predicts from its neighbours."""
    predicted = torch.empty_like(plane)
    predicted[:, 1:, 1:] = _inner(plane, mode)
    predicted[:, 0, 1:] = plane[:, 0, :-1]
    predicted[:, 1:, 0] = plane[:, :-1, 0]
    predicted[:, 0, 0] = _black(plane)
    return plane - predicted


def _inner(plane: Tensor, mode: int) -> Tensor:
    """Return the prediction of all pixels but those of the first row and column."""
    if mode == BLACK:
        return _black(plane)[:, None, None]
    left, above = plane[:, 1:, :-1], plane[:, :-1, 1:]
    return left if mode == LEFT else _select(left, above, plane[:, :-1, :-1])


def _black(plane: Tensor) -> Tensor:
    return torch.tensor([0, 0, 0, 255], dtype=torch.uint8, device=plane.device)


def _select(left: Tensor, above: Tensor, corner: Tensor) -> Tensor:
    """Choose, for all channels of a pixel, the neighbour nearer to left + above - corner."""
    wide = corner.short()
    to_left = (above.short() - wide).abs().sum(dim=0)
    to_above = (left.short() - wide).abs().sum(dim=0)
    return torch.where(to_left < to_above, left, above)
