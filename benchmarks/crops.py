"""Parts of pictures of a scene and of its bundles, side by side, for a person to look at.

Four rows: the part with most detail, the one where the last bundle differs most, and the middle as it is seen from far
outside and from close by, where few cameras or none stand while splats are fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import avg_pool2d

from benchmarks.errors import BenchmarkError
from benchmarks.scenes import Scene
from sogs_worker.encode.clean import drop_unusable
from sogs_worker.engines.device import resolve_device
from sogs_worker.evaluate import View, draw, orbit_views, read_views, standard_views
from sogs_worker.evaluate.metrics import psnr
from sogs_worker.evaluate.views import central_box
from sogs_worker.formats import read_scene
from sogs_worker.render.camera import Camera, look_at
from sogs_worker.splats import Splats

SIDE = 240
"""Of a part, pixels."""
STRIDE = 16
"""Between places where a part may begin, pixels."""
LABEL = 20
"""Height of a line of words, pixels."""
FAR, NEAR = 4.0, 0.3
"""Distances from the middle, in those of an orbit around the scene."""


@dataclass(frozen=True)
class Part:
    """What a row shows.

    Attributes:
        name: what is said of it.
        view: number of its picture.
        top, left: where it begins there, pixels.
    """

    name: str
    view: int
    top: int
    left: int


def draw_crops(scene: Scene, bundles: Mapping[str, Path], out: Path) -> None:
    """Draw a scene and its bundles, by their names, and write the parts to a picture, which says their PSNR.

    Raises:
        BenchmarkError: the scene's cameras have pictures that are too small.
    """
    splats = _read(scene.path)
    views = read_views(scene.cameras) if scene.cameras else standard_views(splats)
    if any(min(view.camera.width, view.camera.height) < SIDE for view in views):
        raise BenchmarkError(f"{scene.cameras}: has pictures of less than {SIDE} pixels; name larger ones")
    around, centre = orbit_views(splats, 1)[0].camera, _centre(splats)
    every = [*views, *(View(name, moved(around, centre, factor)) for name, factor in (("far", FAR), ("near", NEAR)))]
    columns = {"the PLY": _draw(splats, every), **{name: _draw(_read(path), every) for name, path in bundles.items()}}
    whole, *others = columns.values()
    parts = [
        _find("most detail", [_detail(picture) for picture in whole[: len(views)]]),
        _find("differs most", [_error(*pair) for pair in zip(whole[: len(views)], others[-1], strict=False)]),
        _middle("from far outside", whole, len(views)),
        _middle("from close by", whole, len(views) + 1),
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    compose(columns, parts).save(out, quality=90)


def moved(camera: Camera, centre: NDArray[np.float64], factor: float) -> Camera:
    """Return a camera that looks at `centre`, (3,), from `factor` times as far."""
    eye = centre + factor * (camera.position - centre)
    return replace(camera, world_to_camera=look_at(eye, centre))


def compose(columns: Mapping[str, Sequence[Tensor]], parts: Sequence[Part]) -> Image.Image:
    """Put parts of pictures side by side: a row a part, a column for each name; the first is what others are to be."""
    font, height = ImageFont.load_default(14), SIDE + LABEL
    sheet = Image.new("RGB", (SIDE * len(columns), LABEL + height * len(parts)), "white")
    pen = ImageDraw.Draw(sheet)
    whole = next(iter(columns.values()))
    for column, (name, pictures) in enumerate(columns.items()):
        pen.text((SIDE * column + 4, 2), name, "black", font)
        for row, part in enumerate(parts):
            own, wanted = _cut(pictures, part), _cut(whole, part)
            said = part.name if pictures is whole else f"{psnr(own, wanted):.1f} dB"
            top = LABEL + height * row
            sheet.paste(Image.fromarray(own.numpy()), (SIDE * column, top))
            pen.text((SIDE * column + 4, top + SIDE + 2), said, "black", font)
    return sheet


def _read(path: Path) -> Splats:
    splats, _ = drop_unusable(read_scene(path))
    return splats


def _centre(splats: Splats) -> NDArray[np.float64]:
    """Return what an orbit looks at, (3,)."""
    low, high = central_box(splats)
    return np.asarray((low + high) / 2)


def _draw(splats: Splats, views: Sequence[View]) -> list[Tensor]:
    return [picture.cpu() for picture in draw(splats, views, device=resolve_device("auto"))]


def _detail(picture: Tensor) -> Tensor:
    """Return the squared difference of neighbours, (H, W)."""
    grey = picture.float().mean(dim=2)
    squares = torch.zeros_like(grey)
    squares[1:] += grey.diff(dim=0).square()
    squares[:, 1:] += grey.diff(dim=1).square()
    return squares


def _error(one: Tensor, other: Tensor) -> Tensor:
    """Return the squared difference, (H, W)."""
    return (one.float() - other.float()).square().mean(dim=2)


def _find(name: str, maps: Sequence[Tensor]) -> Part:
    """Find the part whose mean is greatest."""
    means = [avg_pool2d(each[None], SIDE, STRIDE)[0].numpy() for each in maps]
    view = int(np.argmax([mean.max() for mean in means]))
    row, column = np.unravel_index(means[view].argmax(), means[view].shape)
    return Part(name, view, STRIDE * int(row), STRIDE * int(column))


def _middle(name: str, pictures: Sequence[Tensor], view: int) -> Part:
    height, width, _ = pictures[view].shape
    return Part(name, view, (height - SIDE) // 2, (width - SIDE) // 2)


def _cut(pictures: Sequence[Tensor], part: Part) -> Tensor:
    return pictures[part.view][part.top : part.top + SIDE, part.left : part.left + SIDE]
