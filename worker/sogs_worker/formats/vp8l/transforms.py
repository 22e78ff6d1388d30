"""Reversible transforms of a whole plane that make its channels cheaper to code, computed from the original pixels.

Planes here are (4, H, W) uint8, the channels in the order in which WebP writes them: green, red, blue, alpha.
Source: RFC 9649, section 3.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.formats.vp8l.blocks import SYMBOL_BITS, coded_bits, histograms

GREEN, RED, BLUE, ALPHA = range(4)

LEFT, ABOVE, SELECT = 1, 2, 11
"""Modes of prediction."""

BANDS = 16

SAMPLE = 1 << 18
"""Pixels of the pieces that transforms are judged by."""


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
    predicted[:, 0, 0] = torch.tensor([0, 0, 0, 255], device=plane.device)
    return plane - predicted


def _inner(plane: Tensor, mode: int) -> Tensor:
    """Return the prediction of all pixels but those of the first row and column."""
    left, above = plane[:, 1:, :-1], plane[:, :-1, 1:]
    if mode == LEFT:
        return left
    if mode == ABOVE:
        return above
    return _select(left, above, plane[:, :-1, :-1])


def _select(left: Tensor, above: Tensor, corner: Tensor) -> Tensor:
    """Choose, for all channels of a pixel, the neighbour nearer to left + above - corner."""
    wide = corner.short()
    to_left = (above.short() - wide).abs().sum(dim=0)
    to_above = (left.short() - wide).abs().sum(dim=0)
    return torch.where(to_left < to_above, left, above)


@dataclass(frozen=True)
class Transform:
    """What is done to a plane before it is coded.

    Attributes:
        subtract_green: whether green is subtracted from red and blue, first.
        mode: of prediction, 0 for none.
    """

    subtract_green: bool
    mode: int


TRANSFORMS = [Transform(green, mode) for green in (False, True) for mode in (0, LEFT, SELECT)]


def transform_plane(plane: Tensor, transform: Transform) -> Tensor:
    """Return the residuals of a plane."""
    if transform.subtract_green:
        plane = subtract_green(plane)
    return predict(plane, transform.mode) if transform.mode else plane


def choose_transform(plane: Tensor) -> Transform:
    """Choose what makes the plane smallest, judged by BANDS pieces of it that each have codes of their own."""
    bands = _bands(plane)
    sizes = [torch.stack([_size(transform_plane(band, kind)) for band in bands]).sum() for kind in TRANSFORMS]
    estimates = torch.stack(sizes).tolist()
    return TRANSFORMS[estimates.index(min(estimates))]


def _bands(plane: Tensor) -> list[Tensor]:
    """Return pieces of whole rows, of at most SAMPLE pixels in all."""
    count = min(BANDS, plane.shape[1])
    rows = min(-(-plane.shape[1] // count), max(1, SAMPLE // (count * plane.shape[2])))
    return [plane[:, plane.shape[1] * band // count :][:, :rows] for band in range(count)]


def _size(residuals: Tensor) -> Tensor:
    """Estimate the bits of residuals and of their codes, whole."""
    channels = residuals.flatten(1).long()
    counts = histograms(channels.flatten(), _channel_rows(channels), len(channels), 256)
    return (coded_bits(counts) + (counts > 0).sum() * SYMBOL_BITS).round()


def _channel_rows(channels: Tensor) -> Tensor:
    return torch.arange(len(channels), device=channels.device)[:, None].expand_as(channels).flatten()
