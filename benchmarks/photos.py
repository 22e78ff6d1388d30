"""How much pictures of a scene are like the photos that it was trained from, or that were held out."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image

from benchmarks.scenes import Scene

FOLDER = "photos"


def photo_psnr(scene: Scene, drawn: Path) -> float:
    """Return the mean PSNR, dB, of pictures of the file `drawn` against the photos of a scene; NaN if it has none.

    A photo is named as its camera in the scene's cameras, and has the size of its picture.
    """
    folder = scene.path.parent / FOLDER
    if not scene.cameras or not folder.is_dir():
        return math.nan
    from sogs_worker.encode.clean import drop_unusable
    from sogs_worker.engines.device import resolve_device
    from sogs_worker.evaluate import draw, read_views
    from sogs_worker.evaluate.metrics import psnr
    from sogs_worker.formats import read_scene

    splats, _ = drop_unusable(read_scene(drawn))
    views = read_views(scene.cameras)
    pictures = draw(splats, views, device=resolve_device("auto"))
    photos = (torch.from_numpy(np.array(Image.open(folder / view.name).convert("RGB"))) for view in views)
    return fmean(psnr(picture.cpu(), photo) for picture, photo in zip(pictures, photos, strict=True))
