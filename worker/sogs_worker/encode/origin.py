"""Scenes far from 0, as map coordinates are: an origin near the splats, and what is lost where viewers have none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.positions import LEVELS
from sogs_worker.splats import WORLD, Floats, Origin, Splats

SAMPLE = 1 << 16
"""Splats that a scene's place and sizes are taken from, evenly over all."""

BLOCK = 1 << 16
"""Positions moved at once: they are doubles meanwhile."""

FINE = 16
VISIBLE = 2
"""Steps of float32: that many times finer than splats they are nothing that a picture shows, or begin to be."""

MIDDLE = (5, 50, 95)
"""Percentiles: where a scene lies and how far it reaches, whatever a few stray splats do."""


def centre(positions: NDArray[np.floating], scales: Floats) -> tuple[Floats, Origin]:
    """Count positions from near the splats, if the steps of float32 are not much finer than splats otherwise.

    Args:
        positions: (N, 3), float32 or float64, counted from 0.
        scales: (N, 3), natural logarithms.

    Returns:
        The positions, (N, 3) float32, and their origin: whole numbers, and 0 for ordinary scenes.
    """
    origin = find_origin(positions, scales)
    with np.errstate(over="ignore", invalid="ignore"):
        if origin == WORLD:
            return positions.astype(np.float32, copy=False), WORLD
        moved = np.empty(positions.shape, np.float32)
        for first in range(0, len(positions), BLOCK):
            moved[first : first + BLOCK] = positions[first : first + BLOCK].astype(np.float64) - origin
    return moved, origin


def find_origin(positions: NDArray[np.floating], scales: Floats) -> Origin:
    """Return whole numbers near the middle of a scene, if counting from 0 costs precision; 0 for an axis around 0."""
    places, sizes = _sample(positions, scales)
    if len(places) == 0:
        return WORLD
    low, middle, high = np.percentile(places, MIDDLE, axis=0)
    is_far = np.abs(middle) > high - low
    if not (is_far & (FINE * _float32_steps(middle) > np.median(sizes))).any():
        return WORLD
    x, y, z = np.where(is_far, np.round(middle), 0.0).tolist()
    return (x, y, z)


def describe_losses(splats: Splats) -> str | None:
    """Say what viewers lose of a scene since it is far from 0: a sentence, or None if that is less than its splats.

    Viewers compute in float32, and SOG stores positions on a grid that is even in the logarithm of the coordinates.
    """
    every = slice(None, None, max(1, len(splats) // SAMPLE))
    scales = splats.scales[every]
    with np.errstate(invalid="ignore"):
        world = splats.positions[every].astype(np.float64) + splats.origin
    places, sizes = _sample(world, scales)
    offset = find_origin(world, scales)
    if offset == WORLD:
        return None
    lost = np.maximum(_float32_steps(places), _grid_steps(places)).max(axis=1)
    if VISIBLE * np.median(lost) <= np.median(sizes):
        return None
    return (
        f"its splats are about {np.median(sizes):.2g} wide, and so far from 0 that viewers place them in steps of"
        f" {np.median(lost):.2g}; subtract {' '.join(f'{each:.0f}' for each in offset)} from x y z where it is made"
    )


def _sample(positions: NDArray[np.floating], scales: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions, (M, 3), and standard deviations on the second axis, (M,), of some usable splats."""
    every = max(1, len(positions) // SAMPLE)
    with np.errstate(over="ignore", invalid="ignore"):
        places, second = positions[::every].astype(np.float64), np.median(scales[::every].astype(np.float64), axis=1)
        is_usable = np.isfinite(second) & np.isfinite(places.astype(np.float32)).all(axis=1)
        return places[is_usable], np.exp(second[is_usable])


def _float32_steps(places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.spacing(np.abs(places).astype(np.float32)).astype(np.float64)


def _grid_steps(places: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.sign(places) * np.log1p(np.abs(places))
    return np.asarray(np.ptp(logs, axis=0) / LEVELS * (1 + np.abs(places)))
