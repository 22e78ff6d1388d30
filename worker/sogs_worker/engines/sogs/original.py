"""A run of the original: into a folder of its own, seeded, and its words turned into progress."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from sogs_worker.dropped import Dropped
from sogs_worker.engines.sogs.packages import Original
from sogs_worker.formats.layout import EncodedScene
from sogs_worker.formats.sog_v1 import DocumentV1

META = "meta.json"

SHARES = {
    "means_l.webp": 0.15,
    "means_u.webp": 0.18,
    "scales.webp": 0.21,
    "quats.webp": 0.24,
    "sh0.webp": 0.27,
    "shN_centroids.webp": 0.97,
    "shN_labels.webp": 0.99,
}
"""The share of the time that is over when it tells of a file: it sorts before the first, clusters before the sixth."""


def run_original(
    original: Original, tensors: dict[str, Tensor], *, seed: int, bands: int, progress: Callable[[str, float], None]
) -> EncodedScene:
    """Compress splats.

    Args:
        original: the module.
        tensors: the splats; sorted afterwards, and without opacities.
        seed: of all its random draws.
        bands: SH bands of the scene; without any, what it makes of the placeholder for them is left out.
        progress: told the stage, `encode`, and the fraction of it that is done.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    with TemporaryDirectory(prefix="sogs-") as folder:
        # A channel of one value is divided by its range of 0. Whatever byte becomes of it decodes to that value.
        with redirect_stdout(_Listener(progress)), np.errstate(divide="ignore", invalid="ignore"):
            original.run_compression(folder, tensors, False)
        return _read_folder(Path(folder), has_sh=bands > 0)


def _read_folder(folder: Path, *, has_sh: bool) -> EncodedScene:
    document = json.loads((folder / META).read_bytes())
    if not has_sh:
        del document["shN"]
    names = [name for section in document.values() for name in section["files"]]
    images = {name: (folder / name).read_bytes() for name in names}
    return EncodedScene(DocumentV1(document), images, Dropped())


class _Listener(io.TextIOBase):
    """Takes what the original prints, which is no part of our own output."""

    def __init__(self, progress: Callable[[str, float], None]) -> None:
        self._progress = progress

    def write(self, text: str) -> int:
        """Listen for the name of a file that is ready."""
        for name in text.split():
            if name in SHARES:
                self._progress("encode", SHARES[name])
        return len(text)
