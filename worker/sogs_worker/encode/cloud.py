"""A scene as tensors of one device: what the stages of the encoder work on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.splats import Splats


@dataclass(frozen=True)
class Cloud:
    """N splats as float32 tensors, the attributes of `Splats` under the same names and in the same shapes."""

    positions: Tensor
    rotations: Tensor
    scales: Tensor
    opacities: Tensor
    sh0: Tensor
    shn: Tensor

    def __len__(self) -> int:
        """Count the splats."""
        return len(self.positions)

    def take(self, index: Tensor) -> Cloud:
        """Select or reorder splats by an index or mask of rows."""
        return Cloud(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def upload(splats: Splats, device: str) -> Cloud:
    """Copy a scene to `cuda`, or share its memory on the `cpu`."""
    arrays = (getattr(splats, name) for name in Cloud.__dataclass_fields__)
    return Cloud(*(torch.from_numpy(array).to(device) for array in arrays))
