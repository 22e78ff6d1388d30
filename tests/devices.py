"""The devices that tensors' tests run on, and tensors for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

TestFunction = TypeVar("TestFunction", bound=Callable[..., Any])

needs_gpu = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU is here"))
"""Marks of what only runs on a GPU; `pytest -m gpu` runs just that."""

on_every_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])


def on_a_gpu(test: TestFunction) -> TestFunction:
    """Mark a test that only runs on a GPU."""
    for mark in needs_gpu:
        test = mark(test)
    return test


def normal(*shape: int, seed: int = 0, device: str = "cpu") -> Tensor:
    """Draw normally distributed numbers, the same on every device."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)
