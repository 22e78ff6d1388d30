"""Tensors of tests are so small that a second thread only waits; and shared cores keep no deadline of an example."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
