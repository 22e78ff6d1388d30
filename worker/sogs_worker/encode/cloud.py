"""A scene as tensors of one device: what the stages of the encoder work on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sogs_worker.splats import ARRAYS, Model, Splats


@dataclass(frozen=True)
class Cloud:
    """N splats as float32 tensors, all of `Splats` under the same names and in the same shapes."""

    positions: Tensor
    rotations: Tensor
    scales: Tensor
    opacities: Tensor
    sh0: Tensor
    shn: Tensor
    model: Model = Model.DEFAULT

    def __len__(self) -> int:
        """Count the splats."""
        return len(self.positions)

    def take(self, index: Tensor) -> Cloud:
        """Select or reorder splats by an index or mask of rows."""
        rows: dict[str, Any] = {name: getattr(self, name)[index] for name in ARRAYS}
        return replace(self, **rows)


def upload(splats: Splats, device: str) -> Cloud:
    """Copy a scene to `cuda`, or share its memory on the `cpu`."""
    arrays = {name: torch.from_numpy(getattr(splats, name)).to(device) for name in ARRAYS}
    return Cloud(**arrays, model=splats.model)
