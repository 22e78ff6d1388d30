"""Ellipses blend into pixels, nearest first, many tiles at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.render.project import SMALLEST_ALPHA, Ellipses
from sogs_worker.render.tiles import TILE, Tiles

LARGEST_ALPHA = 0.999
OPAQUE = 1e-3
"""A tile is finished when this little of what lies behind would show, in any pixel."""
NOTHING = -1000.0
"""log2 of an alpha that is 0 in float32."""
LOG2_E = math.log2(math.e)


@dataclass(frozen=True)
class Batch:
    """How much is blended by one call.

    Attributes:
        tiles: at once.
        ellipses: of each tile.
    """

    tiles: int
    ellipses: int


BATCH = Batch(64, 32)
"""Much enough that calls cost little, and little enough that a tensor, 2 MB, stays in the cache: one tile at a time
takes three times as long."""


def blend(ellipses: Ellipses, tiles: Tiles, batch: Batch) -> tuple[Tensor, Tensor]:
    """Blend every tile's ellipses on black, in rounds of the next `batch.ellipses` of all unfinished tiles.

    Returns:
        (T, 3, TILE * TILE) float32 colours of the tiles' pixels, row after row, and (T, TILE * TILE) what is left of
        the light from behind.
    """
    device = ellipses.means.device
    count = tiles.columns * tiles.rows
    light = torch.ones(count, TILE * TILE, device=device)
    colour = torch.zeros(count, 3, TILE * TILE, device=device)
    table, corners = _table(ellipses), _corners(tiles, device)
    # The host decides which tiles go on, by one copy a round; longest lists first, so that a batch's are alike.
    lengths = tiles.starts.diff().cpu()
    active = torch.argsort(lengths, descending=True, stable=True)
    for begin in range(0, int(lengths.max()), batch.ellipses):
        unfinished = (light.amax(1) >= OPAQUE).cpu()
        active = active[unfinished[active] & (lengths[active] > begin)]
        if len(active) == 0:
            break
        for part in torch.split(active, batch.tiles):
            width = min(batch.ellipses, int(lengths[part[0]]) - begin)
            part = part.to(device)
            rows = table[_members(tiles, part, begin=begin, width=width, missing=len(table) - 1)]
            through = _transmittances(_exponents(rows, corners[part]))
            colour[part] += light[part, None] * _shine(rows[..., 6:], through)
            light[part] *= through[:, -1]
    return colour, light


def _table(ellipses: Ellipses) -> Tensor:
    """(M + 1, 9) mean, conic, log2 alpha and colour of each ellipse; the last row is one that cannot be seen."""
    columns = [ellipses.means, ellipses.conics, torch.log2(ellipses.alphas)[:, None], ellipses.colours]
    nothing = torch.tensor([[0, 0, 0, 0, 0, NOTHING, 0, 0, 0]], device=ellipses.means.device)
    return torch.cat([torch.cat(columns, 1), nothing])


def _corners(tiles: Tiles, device: torch.device) -> Tensor:
    """(T, 2) the tiles' upper left corners, pixels."""
    index = torch.arange(tiles.columns * tiles.rows, device=device)
    return torch.stack([index % tiles.columns, index // tiles.columns], 1) * TILE


def _members(tiles: Tiles, part: Tensor, *, begin: int, width: int, missing: int) -> Tensor:
    """(B, width) the members of the tiles `part` (B,) from number `begin` on; `missing` after a list's end."""
    slots = tiles.starts[part, None] + torch.arange(begin, begin + width, device=part.device)
    members = tiles.members[slots.clamp_max(len(tiles.members) - 1)]
    return torch.where(slots < tiles.starts[part + 1, None], members, missing)


def _exponents(rows: Tensor, corners: Tensor) -> Tensor:
    """(B, C, TILE * TILE) log2 alpha, the mean's minus (p - mean)' conic (p - mean) / 2 ln 2, at a tile's pixels p.

    Not a matrix product of monomials and coefficients: those cancel, and on a GPU may be rounded to 10 bits.
    """
    side = torch.arange(TILE, device=rows.device) + 0.5
    x, y = (side + (corners[:, None] - rows[..., :2])[..., None]).unbind(-2)
    a, b, c = (rows[..., 2:5, None] * LOG2_E).unbind(-2)
    across, slant, down = rows[..., 5:6] - a * x * x / 2, -b * x, -c * y * y / 2
    exponents = torch.addcmul(across[..., None, :], slant[..., None, :], y[..., :, None])
    return exponents.add_(down[..., :, None]).flatten(2)


def _transmittances(exponents: Tensor) -> Tensor:
    """(B, C, P) the light left behind each ellipse, from (B, C, P) log2 alpha, which is overwritten.

    Base 2, as torch's exp takes 10 to 25 times as long where it underflows (measured on the CPU), and most pixels do.
    """
    alphas = exponents.exp2_().clamp_max_(LARGEST_ALPHA)
    return torch.threshold_(alphas, SMALLEST_ALPHA, 0.0).neg_().add_(1).cumprod_(1)


def _shine(colours: Tensor, through: Tensor) -> Tensor:
    """(B, 3, P) the light of ellipses of `colours` (B, C, 3) behind each other: sum of (T_{i-1} - T_i) c_i, T_0 = 1.

    Summed by parts, c_1 + sum of T_i (c_{i+1} - c_i) with black behind the last, it is one matrix product.
    """
    steps = torch.diff(colours, dim=1, append=torch.zeros_like(colours[:, :1]))
    return colours[:, 0, :, None] + steps.transpose(1, 2) @ through
