"""A scene becomes a picture."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from sogs_worker.render.blend import BATCH, Batch, blend
from sogs_worker.render.camera import Camera
from sogs_worker.render.cuda.drawing import draw, pack_views
from sogs_worker.render.cuda.program import load_program
from sogs_worker.render.framing import orbit_camera
from sogs_worker.render.project import project
from sogs_worker.render.scene import Scene, load_scene
from sogs_worker.render.tiles import TILE, assign_tiles
from sogs_worker.splats import Splats

PREVIEW_SIZE = (800, 600)

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
BLACK: Colour = (0, 0, 0)


def render(scene: Scene, camera: Camera, *, background: Colour = BLACK) -> Tensor:
    """Draw a scene where it is, on the CPU or a GPU.

    Returns:
        (height, width, 3) uint8 on the scene's device, sRGB as trained.
    """
    colours, lights = (_draw_on_gpu if scene.device.type == "cuda" else draw_with_torch)(scene, camera)
    if background != BLACK:
        colours += lights[:, :, None] * (colours.new_tensor(background) / 255)
    return (colours.clamp(0, 1) * 255).round().to(torch.uint8)


def draw_with_torch(scene: Scene, camera: Camera, batch: Batch = BATCH) -> tuple[Tensor, Tensor]:
    """Draw a scene on black on any device, `batch` at once.

    Returns:
        (height, width, 3) float32 colours, and (height, width) what is left of the light from behind.
    """
    ellipses = project(scene, camera)
    tiles = assign_tiles(ellipses, width=camera.width, height=camera.height)
    colours, lights = blend(ellipses, tiles, batch)
    grid = torch.cat([colours, lights[:, None]], 1).reshape(tiles.rows, tiles.columns, 4, TILE, TILE)
    rows = grid.permute(0, 3, 1, 4, 2).reshape(tiles.rows * TILE, tiles.columns * TILE, 4)
    picture = rows[: camera.height, : camera.width]
    return picture[..., :3].contiguous(), picture[..., 3]


def _draw_on_gpu(scene: Scene, camera: Camera) -> tuple[Tensor, Tensor]:
    drawing = draw(load_program(), scene, pack_views([camera], scene.device))
    return drawing.colours[0], drawing.lights[0]


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
