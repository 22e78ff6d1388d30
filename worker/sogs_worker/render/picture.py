"""A scene becomes a picture."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from sogs_worker.render.blend import BATCHES, Batch, blend
from sogs_worker.render.camera import Camera
from sogs_worker.render.framing import orbit_camera
from sogs_worker.render.project import project
from sogs_worker.render.scene import Scene, load_scene
from sogs_worker.render.tiles import TILE, assign_tiles
from sogs_worker.splats import Splats

PREVIEW_SIZE = (800, 600)

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
BLACK: Colour = (0, 0, 0)


def render(scene: Scene, camera: Camera, *, batch: Batch | None = None, background: Colour = BLACK) -> Tensor:
    """Draw a scene; `batch` says how much is blended at once, by default what suits the device.

    Returns:
        (height, width, 3) uint8 on the scene's device, sRGB as trained.
    """
    ellipses = project(scene, camera)
    tiles = assign_tiles(ellipses, width=camera.width, height=camera.height)
    colours, light = blend(ellipses, tiles, batch or BATCHES[scene.device.type])
    if background != BLACK:
        colours += light[:, None] * (colours.new_tensor(background) / 255)[:, None]
    grid = colours.reshape(tiles.rows, tiles.columns, 3, TILE, TILE).permute(0, 3, 1, 4, 2)
    picture = grid.reshape(tiles.rows * TILE, tiles.columns * TILE, 3)[: camera.height, : camera.width]
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8)


def preview_png(splats: Splats, *, device: str = "cpu") -> bytes:
    """Draw the scene from its orbit camera.

    Returns:
        A PNG file of 800 x 600 pixels.
    """
    width, height = PREVIEW_SIZE
    scene = load_scene(splats, device)
    return encode_png(render(scene, orbit_camera(scene, width=width, height=height)))


def encode_png(picture: Tensor) -> bytes:
    """Return the file of a picture, (height, width, 3) uint8."""
    out = io.BytesIO()
    Image.fromarray(picture.cpu().numpy()).save(out, "PNG")
    return out.getvalue()
