"""Ellipses become a picture: each tile blends those that touch it, nearest first."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sogs_worker.render.camera import Camera, orbit_camera
from sogs_worker.render.project import SMALLEST_ALPHA, Ellipses, project
from sogs_worker.splats import Splats

TILE = 16
"""Side of a tile, pixels."""
CHUNKS = {"cpu": 128, "cuda": 4096}
"""Ellipses blended at once, by device. On the CPU few, so that torch does not start threads for the tensors of one
tile, which would spend more time on meeting each other than on the work; on a GPU many, as each call has its price."""
LARGEST_ALPHA = 0.999
OPAQUE = 1e-3
"""A tile is finished when this little of what lies behind would show, in any pixel."""
PREVIEW_SIZE = (800, 600)


def render(splats: Splats, camera: Camera, *, device: str = "cpu") -> NDArray[np.uint8]:
    """Draw a scene on black.

    Returns:
        (height, width, 3) uint8, sRGB as trained.
    """
    ellipses = project(splats, camera, device)
    columns, rows = -(-camera.width // TILE), -(-camera.height // TILE)
    picture = torch.zeros(rows * TILE, columns * TILE, 3, device=device)
    owners, starts = _assign_tiles(ellipses, columns, rows)
    for tile in range(columns * rows):
        members = owners[starts[tile] : starts[tile + 1]]
        if len(members):
            top, left = tile // columns * TILE, tile % columns * TILE
            picture[top : top + TILE, left : left + TILE] = _blend(ellipses, members, left=left, top=top)
    pixels = (picture[: camera.height, : camera.width].clamp(0, 1) * 255).round().to(torch.uint8)
    return np.asarray(pixels.cpu().numpy())


def preview_png(splats: Splats, *, device: str = "cpu") -> bytes:
    """Draw the scene from its orbit camera.

    Returns:
        A PNG file of 800 x 600 pixels.
    """
    width, height = PREVIEW_SIZE
    pixels = render(splats, orbit_camera(splats, width=width, height=height), device=device)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return out.getvalue()


def _assign_tiles(ellipses: Ellipses, columns: int, rows: int) -> tuple[Tensor, list[int]]:
    """List the ellipses of each tile, nearest first.

    Returns:
        (P,) int64 indices of ellipses grouped by tile, and where each tile's group starts (one entry more than tiles).
    """
    device = ellipses.means.device
    largest = torch.tensor([columns - 1, rows - 1], device=device)
    first = ((ellipses.means - ellipses.reaches) / TILE).floor().long().clamp_min(0)
    last = torch.minimum(((ellipses.means + ellipses.reaches) / TILE).floor().long(), largest)
    spans = (last - first + 1).clamp_min(0)
    counts = spans[:, 0] * spans[:, 1]
    owners = torch.repeat_interleave(torch.arange(len(counts), device=device), counts)
    within = torch.arange(len(owners), device=device) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    column = first[owners, 0] + within % spans[owners, 0]
    row = first[owners, 1] + within // spans[owners, 0]
    tiles, order = torch.sort(row * columns + column, stable=True)
    starts = torch.searchsorted(tiles, torch.arange(columns * rows + 1, device=device))
    return owners[order], starts.tolist()


def _blend(ellipses: Ellipses, members: Tensor, *, left: int, top: int) -> Tensor:
    """(TILE, TILE, 3) colours of one tile."""
    device = ellipses.means.device
    side = torch.arange(TILE, device=device) + 0.5
    y, x = torch.meshgrid(side, side, indexing="ij")
    # exp's argument is a quadratic in the pixel's place: six monomials times six coefficients an ellipse.
    monomials = torch.stack([x * x, x * y, y * y, x, y, torch.ones_like(x)], 2).reshape(-1, 6)
    corner = torch.tensor([left, top], device=device)
    light = torch.ones(TILE * TILE, device=device)
    colour = torch.zeros(TILE * TILE, 3, device=device)
    for part in torch.split(members, CHUNKS[device.type]):
        exponents = monomials @ _quadratics(ellipses.means[part] - corner, ellipses.conics[part]).T
        alphas = (ellipses.alphas[part] * torch.exp(exponents.clamp_max(0))).clamp_max(LARGEST_ALPHA)
        alphas = torch.where(alphas < SMALLEST_ALPHA, 0.0, alphas)
        through = torch.cumprod(1 - alphas, 1)
        before = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], 1)
        colour += light[:, None] * ((alphas * before) @ ellipses.colours[part])
        light *= through[:, -1]
        if float(light.max()) < OPAQUE:
            break
    return colour.reshape(TILE, TILE, 3)


def _quadratics(means: Tensor, conics: Tensor) -> Tensor:
    """(M, 6) coefficients of x^2, xy, y^2, x, y, 1 in -(p - mean)' conic (p - mean) / 2."""
    a, b, c = conics.unbind(1)
    u, v = means.unbind(1)
    constant = -0.5 * (a * u * u + c * v * v) - b * u * v
    return torch.stack([-0.5 * a, -b, -0.5 * c, a * u + b * v, c * v + b * u, constant], 1)
