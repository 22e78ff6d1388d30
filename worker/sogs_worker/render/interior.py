"""Places within a scene where somebody could stand: a room is to be judged by what its visitors see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sogs_worker.render.scene import Shapes

CELLS = 32
"""Of the grid, along each axis of the scene's box."""

MARGIN = 0.1
"""By which the box is enlarged on each side, in its lengths: its faces go through the walls of a room."""

SAMPLES = 200_000
"""Splats that fill the grid, at most; more of them fill no other cells."""

POINTS = 8
"""How many points of each of `SAMPLES` splats fill the grid. Of fewer splats there are more, as many as `MOST_POINTS`:
those are larger than cells, which would stay empty within them."""
MOST_POINTS = 2000

SOLID_ALPHA = 0.1
"""Splats that are more transparent than this are no walls."""

FLOATERS = 0.05
"""A cell with less opacity than this part of the mean of all that have any is empty: floaters stop nobody."""

SIDES = 5
"""Of the six directions along the axes, how many end at something: a captured room may lack its ceiling or a wall."""

ROOM = 3
"""Cells that must be empty to all sides of the place: less is a gap between two things."""


@dataclass(frozen=True)
class Interior:
    """Where somebody could stand.

    Attributes:
        middle: (3,) the place with the most room around it.
        places: (P, 3) all that have enough, `middle` among them, on a grid.
        cell: (3,) its steps.
    """

    middle: NDArray[np.float64]
    places: NDArray[np.float64]
    cell: NDArray[np.float64]


def find_interior(shapes: Shapes, low: NDArray[np.float64], high: NDArray[np.float64]) -> Interior | None:
    """Find the places with room around them among those that a scene surrounds.

    Args:
        shapes: the scene's splats.
        low: (3,) the corner of the box of its central splats where all coordinates are least, from the scene's origin.
        high: (3,) the opposite corner.

    Returns:
        What is counted from there too; None if the scene surrounds no place, as an object that is seen from outside.
    """
    size = high - low
    if not (size > 0).all():
        return None
    low, size = low - MARGIN * size, (1 + 2 * MARGIN) * size
    filled = _fill(shapes, low, size)
    there = filled[filled > 0]
    if not there.size:
        return None
    is_wall = filled >= FLOATERS * there.mean()
    clearance = np.where(_is_surrounded(is_wall), _clearance(is_wall), 0)
    if clearance.max() < ROOM:
        return None
    best = np.argwhere(clearance == clearance.max())
    middle = best.mean(axis=0)  # a long hall has many best places: the one in its middle sees both ends
    cell = best[np.argmin(np.square(best - middle).sum(axis=1))]
    free = np.argwhere(clearance >= ROOM)
    return Interior(low + (cell + 0.5) / CELLS * size, low + (free + 0.5) / CELLS * size, size / CELLS)


def _fill(shapes: Shapes, low: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the opacity in each cell, (CELLS, CELLS, CELLS): a splat's is where points are that are drawn from it."""
    chosen = slice(None, None, -(-len(shapes.alphas) // SAMPLES))
    alphas, centres, factors = (
        each[chosen].double().cpu().numpy() for each in (shapes.alphas, shapes.positions, shapes.factors)
    )
    is_solid = alphas > SOLID_ALPHA
    alphas, centres, factors = alphas[is_solid], centres[is_solid], factors[is_solid]
    count = min(MOST_POINTS, POINTS * SAMPLES // max(1, len(alphas)))
    filled = np.zeros(CELLS**3)
    for point in np.random.default_rng(0).standard_normal((count, 3)):
        cells = np.floor((centres + factors @ point - low) / size * CELLS)
        is_inside = ((cells >= 0) & (cells < CELLS)).all(axis=1)
        places = np.ravel_multi_index(tuple(cells[is_inside].astype(np.intp).T), (CELLS,) * 3)
        filled += np.bincount(places, alphas[is_inside], CELLS**3)
    return filled.reshape((CELLS,) * 3)


def _is_surrounded(is_wall: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say of each cell whether there is a wall in enough of the directions along the axes."""
    sides = np.zeros(is_wall.shape, np.intp)
    for axis in range(3):
        sides += np.logical_or.accumulate(is_wall, axis=axis)
        sides += np.flip(np.logical_or.accumulate(np.flip(is_wall, axis), axis=axis), axis)
    return sides >= SIDES


def _clearance(is_wall: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for each cell how many cells are empty around it to all sides, itself counted; outside nothing is."""
    clearance = np.zeros(is_wall.shape, np.intp)
    is_free = ~is_wall
    while is_free.any():
        clearance += is_free
        padded = np.pad(is_free, 1)
        for axis in range(3):
            middle = padded.take(range(1, padded.shape[axis] - 1), axis)
            before = padded.take(range(padded.shape[axis] - 2), axis)
            after = padded.take(range(2, padded.shape[axis]), axis)
            padded = middle & before & after
        is_free = padded
    return clearance
