"""A place within a scene where somebody could stand: a room is to be judged by what its visitors see."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sogs_worker.render.scene import covariance_factors
from sogs_worker.splats import Splats

CELLS = 32
"""Of the grid, along each axis of the scene's box."""

MARGIN = 0.1
"""By which the box is enlarged on each side, in its lengths: its faces go through the walls of a room."""

SAMPLES = 200_000
"""Splats that fill the grid, at most; more of them fill no other cells."""

SOLID_ALPHA = 0.1
"""Splats that are more transparent than this are no walls."""

FLOATERS = 0.05
"""A cell with less opacity than this part of the mean of all that have any is empty: floaters stop nobody."""

SIDES = 5
"""Of the six directions along the axes, how many end at something: a captured room may lack its ceiling or a wall."""

ROOM = 3
"""Cells that must be empty to all sides of the place: less is a gap between two things."""


def find_interior(splats: Splats, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Find the place with the most room around it among those that the scene surrounds.

    Args:
        splats: the scene, usable.
        low: (3,) the corner of the box of its central splats where all coordinates are least, from the scene's origin.
        high: (3,) the opposite corner.

    Returns:
        (3,) the place, counted from there too; None if the scene surrounds none, as an object that is seen from
        outside.
    """
    size = high - low
    if not (size > 0).all():
        return None
    low, size = low - MARGIN * size, (1 + 2 * MARGIN) * size
    filled = _fill(splats, low, size)
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
    return np.asarray(low + (cell + 0.5) / CELLS * size)


def _fill(splats: Splats, low: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the opacity in each cell, (CELLS, CELLS, CELLS); a splat's is where its centre and its axes' ends are."""
    chosen = slice(None, None, -(-len(splats) // SAMPLES))
    alphas = 1 / (1 + np.exp(-splats.opacities[chosen].astype(np.float64)))
    centres = splats.positions[chosen].astype(np.float64)
    factors = covariance_factors(torch.tensor(splats.rotations[chosen]), torch.tensor(splats.scales[chosen]))
    axes = factors.numpy().transpose(0, 2, 1)
    filled = np.zeros((CELLS,) * 3)
    for offset in (np.zeros_like(centres), *(sign * axes[:, axis] for axis in range(3) for sign in (-1, 1))):
        cells = np.floor((centres + offset - low) / size * CELLS)
        is_inside = ((cells >= 0) & (cells < CELLS)).all(axis=1) & (alphas > SOLID_ALPHA)
        np.add.at(filled, tuple(cells[is_inside].astype(np.intp).T), alphas[is_inside])
    return filled


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
