"""The devices that tensors' tests run on, and tensors for them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

on_every_device = pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU is here")),
    ],
)


def normal(*shape: int, seed: int = 0, device: str = "cpu") -> Tensor:
    """Draw normally distributed numbers, the same on every device."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)
