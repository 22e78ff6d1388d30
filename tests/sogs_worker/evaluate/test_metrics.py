"""PSNR and SSIM: their known facts, and SSIM against a window by window loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sogs_worker.evaluate.metrics import psnr, ssim


def picture(seed: int = 0, height: int = 24, width: int = 31) -> torch.Tensor:
    """A smooth picture with some texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5), np.cos(y / 4), np.sin((x + y) / 6)], 2)
    return torch.from_numpy((120 + 60 * waves + 20 * rng.random((height, width, 3))).astype(np.uint8))


def noisy(clean: torch.Tensor, amplitude: int) -> torch.Tensor:
    noise = torch.randint(-amplitude, amplitude + 1, clean.shape, generator=torch.Generator().manual_seed(1))
    return (clean.int() + noise).clamp(0, 255).to(torch.uint8)


def reference_ssim(a: torch.Tensor, b: torch.Tensor) -> float:
    """Wang et al. 2004, equation 13, at every place of the whole window."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2, values = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for top in range(a.shape[0] - 10):
        for left in range(a.shape[1] - 10):
            for channel in range(3):
                x, y = (p[top : top + 11, left : left + 11, channel].numpy().astype(float) for p in (a, b))
                mx, my = (window * x).sum(), (window * y).sum()
                vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
                vxy = (window * (x - mx) * (y - my)).sum()
                values.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(values))


def test_psnr_is_that_of_the_squared_error() -> None:
    clean = picture()
    brighter = (clean.int() + 2).to(torch.uint8)
    assert psnr(clean, brighter) == pytest.approx(10 * math.log10(255**2 / 4))
    one_off = clean.clone()
    one_off[3, 4, 1] += 1
    assert psnr(clean, one_off) == pytest.approx(10 * math.log10(255**2 * clean.numel()))
    assert psnr(torch.zeros_like(clean), torch.full_like(clean, 255)) == 0
    assert psnr(clean, clean) == math.inf


@pytest.mark.parametrize("amplitude", [1, 10, 80])
def test_ssim_agrees_with_a_loop(amplitude: int) -> None:
    clean = picture(height=16, width=20)
    degraded = noisy(clean, amplitude)
    assert ssim(clean, degraded) == pytest.approx(reference_ssim(clean, degraded), abs=1e-9)


def test_ssim_is_one_for_the_same_picture_and_falls_with_noise() -> None:
    clean = picture()
    values = [ssim(clean, noisy(clean, amplitude)) for amplitude in (0, 2, 8, 32, 100)]
    assert values[0] == 1
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.7 < values[1] < 1


def test_ssim_is_symmetric_and_negative_for_a_negative() -> None:
    a, b = picture(), noisy(picture(), 40)
    assert ssim(a, b) == ssim(b, a)
    assert ssim(a, 255 - a) < 0


def test_ssim_of_the_smallest_picture_is_one_window() -> None:
    a = picture(height=11, width=11)
    assert ssim(a, noisy(a, 30)) == pytest.approx(reference_ssim(a, noisy(a, 30)), abs=1e-9)
