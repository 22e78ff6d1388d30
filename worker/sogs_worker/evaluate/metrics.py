"""How alike two pictures are. Both measures are of 8-bit pictures, with 255 as the largest value."""

from __future__ import annotations

import math
from statistics import fmean

import torch
from torch import Tensor

PEAK = 255
WINDOW = 11
"""Side of the window of SSIM, pixels; with the next three the values of Wang et al. 2004, section III.C."""
WINDOW_SIGMA = 1.5
K1, K2 = 0.01, 0.03


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio of two (H, W, 3) uint8 pictures, dB; infinite where they are the same."""
    squares = int((a.int() - b.int()).square().sum())  # integers: no order of summation changes them
    return math.inf if squares == 0 else 10 * math.log10(PEAK**2 * a.numel() / squares)


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity of two (H, W, 3) uint8 pictures, at most 1; neither side may be below WINDOW.

    The mean over the channels and over all places where the whole window lies on the picture.
    """
    return fmean(_channel_ssim(a[..., channel].double(), b[..., channel].double()) for channel in range(3))


def _channel_ssim(x: Tensor, y: Tensor) -> float:
    x_mean, y_mean, squares, product = _windowed(torch.stack([x, y, x * x + y * y, x * y]))
    mean_squares, mean_product = x_mean.square() + y_mean.square(), x_mean * y_mean
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    likeness = (2 * mean_product + c1) * (2 * (product - mean_product) + c2)
    return float((likeness / ((mean_squares + c1) * (squares - mean_squares + c2))).mean())


def _windowed(maps: Tensor) -> Tensor:
    """(..., H - 10, W - 10) Gaussian-weighted means around each place of (..., H, W).

    Sums of shifted pictures, and not a convolution: cuDNN's may round to 10 bits, and the CPU's takes five times as
    long.
    """
    offsets = torch.arange(WINDOW) - WINDOW // 2
    weights = torch.exp(-(offsets.double() ** 2) / (2 * WINDOW_SIGMA**2))
    weights /= weights.sum()
    for axis in (-2, -1):
        length = maps.shape[axis] - WINDOW + 1
        total = torch.zeros_like(maps.narrow(axis, 0, length))
        for start, weight in enumerate(weights.tolist()):
            total.add_(maps.narrow(axis, start, length), alpha=weight)
        maps = total
    return maps
