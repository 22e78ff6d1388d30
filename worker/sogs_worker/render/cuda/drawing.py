"""Pictures of a scene from several cameras at once, and what the way back from their errors needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.render.camera import Camera
from sogs_worker.render.cuda.program import BUCKET, THREADS, Program, blocks_for
from sogs_worker.render.scene import Scene
from sogs_worker.render.tiles import TILE

ELLIPSE = 12
"""Floats of the structure `Ellipse`."""
MOST_PAIRS = 2**31 - 1
"""They are numbered by 32 bits."""


@dataclass(frozen=True)
class Views:
    """V cameras whose pictures have the same size.

    Attributes:
        cameras: (V, 21) float32, the structure `Camera`.
        width: of the pictures, pixels.
        height: of the pictures, pixels.
    """

    cameras: Tensor
    width: int
    height: int

    def __len__(self) -> int:
        """Count the cameras."""
        return len(self.cameras)

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return -(-self.width // TILE)

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.height // TILE)

    def take(self, index: Tensor) -> Views:
        """Select cameras by their numbers."""
        return Views(self.cameras[index], self.width, self.height)


def pack_views(cameras: Sequence[Camera], device: torch.device) -> Views:
    """Upload cameras, at least one, all with pictures of the first one's size."""
    rows = [
        [
            *camera.world_to_camera[:3, :3].ravel(),
            *camera.world_to_camera[:3, 3],
            *camera.focal,
            *camera.centre,
            camera.width,
            camera.height,
            *camera.position,
        ]
        for camera in cameras
    ]
    return Views(torch.tensor(rows, dtype=torch.float32).to(device), cameras[0].width, cameras[0].height)


@dataclass(frozen=True)
class Drawing:
    """V pictures of N splats, with P pairs of an ellipse and a tile that shows it.

    Attributes:
        views: the cameras.
        colours: (V, H, W, 3) float32, on black, not limited to 1.
        lights: (V, H, W) float32, what is left of the light from behind.
        ellipses: (V * N, ELLIPSE) float32; not set where `counts` is 0.
        counts: (V * N,) int32, tiles that show the ellipse.
        firsts: (V * N,) int32, the ellipse's first pair.
        pairs: (P,) int64, pairs in the order of their tiles, nearest first.
        members: (P,) int32, the ellipses of `pairs`.
        starts: (tiles + 1,) int32, where each tile's pairs begin in `pairs`.
        buckets: (tiles + 1,) int32, where each tile's checkpoints begin.
        checkpoints: (B, TILE * TILE, 4) float32, light and colour before each bucket; None where not wanted.
        blended: (V, H, W) int32, ellipses of its tile that a pixel has looked at; None where not wanted.
    """

    views: Views
    colours: Tensor
    lights: Tensor
    ellipses: Tensor
    counts: Tensor
    firsts: Tensor
    pairs: Tensor
    members: Tensor
    starts: Tensor
    buckets: Tensor
    checkpoints: Tensor | None
    blended: Tensor | None


def draw(program: Program, scene: Scene, views: Views, *, differentiable: bool = False) -> Drawing:
    """Draw a scene from all cameras; `differentiable` keeps what `gradients` needs.

    Raises:
        torch.OutOfMemoryError: the GPU has not enough, or there are more than `MOST_PAIRS`.
    """
    device, count, items = scene.device, len(scene.alphas), len(scene.alphas) * len(views)
    columns, rows, tiles = views.columns, views.rows, views.columns * views.rows * len(views)

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(*shape, dtype=dtype, device=device)

    ellipses = empty(items, ELLIPSE)
    depths, counts, firsts = (empty(items, dtype=torch.int32) for _ in range(3))
    program.launch(
        "project",
        blocks_for(items),
        THREADS,
        *(count, len(views), columns, rows, scene.shn.shape[1], int(scene.is_antialiased), views.cameras),
        *(scene.positions, scene.factors, scene.alphas, scene.sh0, scene.shn, ellipses, depths, counts),
    )
    # As integers, positive floats are in the same order. The tiles, in the sort that follows, tell the views apart.
    order = torch.sort(depths, stable=True).indices
    ends = counts[order].cumsum(0)
    total = int(ends[-1])
    if total > MOST_PAIRS:
        raise torch.OutOfMemoryError(f"{total} pairs of an ellipse and a tile")
    starts = (ends - counts[order]).int()
    owner_tiles, owners = empty(total, dtype=torch.int32), empty(total, dtype=torch.int32)
    program.launch(
        "list_pairs",
        blocks_for(items),
        THREADS,
        *(items, count, columns, rows, order, ellipses, counts, starts, owner_tiles, owners, firsts),
    )
    # The fewer bits the keys have, the fewer passes the sort takes.
    keys = owner_tiles.short() if tiles < 2**15 else owner_tiles
    ordered, pairs = torch.sort(keys, stable=True)
    bounds = torch.arange(tiles + 1, device=device, dtype=ordered.dtype)
    begins = torch.searchsorted(ordered, bounds, out_int32=True)
    sizes = (begins.diff() + BUCKET - 1) // BUCKET
    buckets = torch.nn.functional.pad(sizes.cumsum(0), (1, 0)).int()
    members = owners[pairs]

    colours, lights = empty(len(views), views.height, views.width, 3), empty(len(views), views.height, views.width)
    checkpoints = empty(total // BUCKET + tiles, TILE * TILE, 4) if differentiable else None
    blended = empty(len(views), views.height, views.width, dtype=torch.int32) if differentiable else None
    program.launch(
        "blend",
        tiles,
        TILE * TILE,
        *(columns, rows, views.width, views.height, begins, members, ellipses, colours, lights),
        *(buckets, checkpoints, blended),
    )
    return Drawing(
        views, colours, lights, ellipses, counts, firsts, pairs, members, begins, buckets, checkpoints, blended
    )
