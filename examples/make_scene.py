"""Make a small 3D Gaussian splat scene from a seed: a torus knot over a tiled floor, 120,000 splats, SH degree 3.

    python examples/make_scene.py knot.ply

It has what trained scenes have: anisotropic splats that lie on surfaces, view-dependent colour, faint floaters,
quaternions that are not normalised. So demo and tests have a scene of real size without anyone's data.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sogs_worker.formats.ply.file import write_ply
from sogs_worker.splats import Splats

Array = NDArray[np.float64]
SH_C0, SH_C1 = 0.28209479177387814, 0.4886025119029199


def knot(rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Points, normals and colours of a (2, 3) torus knot with a rainbow along it."""
    along, around = rng.uniform(0, 2 * np.pi, (2, count))

    def curve(t: Array) -> Array:
        ring = 2 + np.cos(3 * t)
        return np.stack([ring * np.cos(2 * t), -np.sin(3 * t), ring * np.sin(2 * t)], 1)

    tangent = curve(along + 1e-4) - curve(along - 1e-4)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    normals = np.cos(around)[:, None] * side + np.sin(around)[:, None] * np.cross(side, tangent)
    hues = along[:, None] * 2 + np.array([0, 2, 4]) * np.pi / 3
    stripes = 0.75 + 0.25 * np.sign(np.sin(24 * along + 2 * around))
    return curve(along) + 0.45 * normals, normals, (0.5 + 0.45 * np.cos(hues)) * stripes[:, None]


def floor(rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Points, normals and colours of a round floor of square tiles, darker under the knot."""
    radius, angle = 6 * np.sqrt(rng.uniform(0, 1, count)), rng.uniform(0, 2 * np.pi, count)
    points = np.stack([radius * np.cos(angle), np.full(count, 1.6), radius * np.sin(angle)], 1)
    tiles = (np.floor(points[:, 0]) + np.floor(points[:, 2])) % 2
    shadow = 1 - 0.45 * np.exp(-(((radius - 2) / 1.1) ** 2))
    grey = (0.25 + 0.5 * tiles + rng.normal(0, 0.02, count)) * shadow
    return points, np.tile([0.0, -1.0, 0.0], (count, 1)), grey[:, None] * np.array([1.0, 0.97, 0.92])


def turn_to(normals: Array, spin: Array) -> Array:
    """(N, 4) quaternions w, x, y, z whose z axis is the normal, turned by `spin` around it."""
    flip = normals[:, 2] < -0.999999
    swing = np.stack([1 + normals[:, 2], -normals[:, 1], normals[:, 0], np.zeros(len(normals))], 1)
    swing[flip] = [0, 1, 0, 0]
    swing /= np.linalg.norm(swing, axis=1, keepdims=True)
    cos, sin = np.cos(spin / 2), np.sin(spin / 2)
    w, x, y, z = swing.T
    return np.stack([w * cos - z * sin, x * cos + y * sin, y * cos - x * sin, z * cos + w * sin], 1)


def make_scene(count: int = 120_000, seed: int = 0) -> Splats:
    """Build the scene; the same count and seed give the same splats."""
    rng = np.random.default_rng(seed)
    on_knot, floaters = int(count * 0.6), count // 100
    parts = knot(rng, on_knot), floor(rng, count - on_knot)
    points, normals, colours = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    opacities = rng.normal(2.5, 1.5, count)
    faint = rng.choice(count, floaters, replace=False)
    points[faint] += rng.normal(0, 8, (floaters, 3))
    opacities[faint] = rng.normal(-4, 1, floaters)

    size = np.sqrt(60_000 / count)
    scales = np.log(np.stack([rng.lognormal(np.log(s * size), 0.35, count) for s in (0.06, 0.045, 0.004)], 1))
    shn = rng.normal(0, 0.02, (count, 15, 3))
    # The linear band with Y_1 = C1 (-y, z, -x) makes each splat brighter towards the light, so that views differ.
    light = np.array([0.4, -0.8, -0.45])
    gloss = 0.25 * (normals @ light).clip(0, None)[:, None] * colours
    shn[:, :3] += gloss[:, None, :] * (np.array([-light[1], light[2], -light[0]]) / SH_C1)[None, :, None] * -1
    lit = colours * (0.55 + 0.45 * (normals @ light))[:, None]
    norms = rng.uniform(0.5, 2, (count, 1))
    return Splats(
        *(
            np.ascontiguousarray(a, np.float32)
            for a in (
                points + rng.normal(0, 0.003, points.shape),
                turn_to(normals, rng.uniform(0, 2 * np.pi, count)) * norms,
                scales,
                opacities,
                (lit - 0.5) / SH_C0,
                shn,
            )
        )
    )


def main() -> None:
    """Write the scene to the path in the first argument."""
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/make_scene.py OUT.ply")
    write_ply(Path(sys.argv[1]), make_scene())


if __name__ == "__main__":
    main()
