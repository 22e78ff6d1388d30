"""Which ellipses touch which tile of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.render.project import SMALLEST_ALPHA, Ellipses

TILE = 16
"""Side of a tile, pixels."""
PAIRS_AT_ONCE = 1 << 22
"""Pairs of an ellipse and a tile that are looked at together: it bounds the memory, about 100 bytes a pair."""


@dataclass(frozen=True)
class Tiles:
    """The tiles of a picture, row after row, and the ellipses that each shows.

    Attributes:
        columns: tiles in a row.
        rows: of tiles.
        members: (P,) int32, indices of ellipses, tile after tile, nearest first.
        starts: (columns * rows + 1,) int64, where each tile's members start, and where the last one's end.
    """

    columns: int
    rows: int
    members: Tensor
    starts: Tensor


def assign_tiles(ellipses: Ellipses, *, width: int, height: int) -> Tiles:
    """List the ellipses of each tile of a picture: those that reach alpha 1/255 somewhere on its pixels."""
    columns, rows = -(-width // TILE), -(-height // TILE)
    largest = ellipses.means.new_tensor([columns - 1, rows - 1])
    # Limited before they become integers: a mean can be further out than integers reach.
    first = ((ellipses.means - ellipses.reaches) / TILE).floor().clamp_min(0).int()
    last = torch.minimum(((ellipses.means + ellipses.reaches) / TILE).floor(), largest).int()
    spans = (last - first + 1).clamp_min(0)
    tiles, owners = [first.new_empty(0)], [first.new_empty(0)]
    for part in _parts(spans.prod(1)):
        owner, column, row = _pairs(part, first, spans)
        touching = _touches(ellipses, owner, torch.stack([column, row], 1))
        owners.append(owner[touching])
        tiles.append((row * columns + column)[touching])
    ordered, order = torch.sort(torch.cat(tiles), stable=True)
    bounds = torch.arange(columns * rows + 1, device=ordered.device, dtype=torch.int32)
    return Tiles(columns, rows, torch.cat(owners)[order], torch.searchsorted(ordered, bounds))


def _parts(counts: Tensor) -> Iterator[Tensor]:
    """Cut the ellipses, each with `counts` (M,) tiles in its box, into runs of about PAIRS_AT_ONCE; (m,) indices."""
    run = (counts.cumsum(0) - counts) // PAIRS_AT_ONCE
    _, sizes = torch.unique_consecutive(run, return_counts=True)
    index = torch.arange(len(counts), device=counts.device)
    yield from torch.split(index, sizes.tolist())


def _pairs(part: Tensor, first: Tensor, spans: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All pairs of an ellipse of `part` and a tile of its box; (P,) int32 ellipses, columns and rows."""
    first, spans = first[part], spans[part]
    counts = spans.prod(1)
    local = torch.repeat_interleave(torch.arange(len(part), device=part.device), counts)
    within = (torch.arange(len(local), device=part.device) - (counts.cumsum(0) - counts)[local]).int()
    across = spans[local, 0]
    column = first[local, 0] + within % across
    row = first[local, 1] + torch.div(within, across, rounding_mode="floor")
    return part[local].int(), column, row


def _touches(ellipses: Ellipses, owner: Tensor, tile: Tensor) -> Tensor:
    """(P,) bool: whether the ellipse `owner` (P,) reaches alpha 1/255 between the pixel centres of the tile (P, 2).

    The box of a slanted ellipse has many tiles that it misses, 4 of 10 in a trained scene. The quadratic form is least
    where the rectangle is seen from the mean: on the vertical or the horizontal line through its nearest point.
    """
    low = tile * TILE + 0.5 - ellipses.means[owner]
    high = low + (TILE - 1)
    (left, top), (right, bottom) = low.unbind(1), high.unbind(1)
    a, b, c = ellipses.conics[owner].unbind(1)
    x, y = low.clamp_min(0).minimum(high).unbind(1)
    along_y = _form(a, b, c, x, (-b * x / c).maximum(top).minimum(bottom))
    along_x = _form(a, b, c, (-b * y / a).maximum(left).minimum(right), y)
    return torch.minimum(along_x, along_y) <= torch.log(ellipses.alphas / SMALLEST_ALPHA)[owner]


def _form(a: Tensor, b: Tensor, c: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(P,) half the squared Mahalanobis distance."""
    return (a * x * x + c * y * y) / 2 + b * x * y
