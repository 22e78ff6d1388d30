"""Readers of splat scenes by others, and a PLY reader that shares nothing with ours, to check our bundles with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).parent
TIMEOUT_S = 300

Columns = dict[str, NDArray[np.float64]]


def decode_with_splat_transform(bundle: Path, out: Path) -> Columns:
    """Let PlayCanvas' converter write the bundle as a PLY, and read that."""
    convert_with_splat_transform(bundle, out)
    return read_float_ply(out)


def convert_with_splat_transform(scene: Path, out: Path, *options: str, actions: Sequence[str] = ()) -> None:
    """Let PlayCanvas' converter do something to a scene, and write it in the format that the name of `out` says."""
    command = [HERE / "node_modules/.bin/splat-transform", "-g", "cpu", "-w", *options, scene, *actions, out]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)


def read_float_ply(path: Path) -> Columns:
    """Read a binary little-endian PLY of float32 vertices: (N,) float64 by property."""
    data = path.read_bytes()
    header, _, body = data.partition(b"end_header\n")
    words = [line.split() for line in header.decode().splitlines()]
    count = next(int(w[2]) for w in words if w[:2] == ["element", "vertex"])
    names = [w[2] for w in words if w[0] == "property"]
    rows = np.frombuffer(body, "<f4", count * len(names)).reshape(count, len(names)).astype(np.float64)
    return {name: rows[:, index] for index, name in enumerate(names)}


def stack(columns: Columns, *names: str) -> NDArray[np.float64]:
    """(N, len(names)) of some properties."""
    return np.stack([columns[name] for name in names], axis=1)


def orbit(positions: NDArray[np.floating], opacities: NDArray[np.floating], views: int) -> dict[str, Any]:
    """Views around the solid part of a scene whose y axis points down, for `draw_with_playcanvas`."""
    low, high = np.quantile(positions[opacities > 0], [0.1, 0.9], axis=0)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    angles = 0.4 + 2 * np.pi * np.arange(views) / views
    eyes = centre + 2.2 * radius * np.stack([np.sin(angles), np.full(views, -0.3), -np.cos(angles)], 1)
    return {
        "width": 400,
        "height": 300,
        "fieldOfViewDegrees": 50,
        "views": [{"eye": eye.tolist(), "target": centre.tolist(), "up": [0, -1, 0]} for eye in eyes],
    }


def draw_with_playcanvas(scene: Path, views: dict[str, Any], out: Path) -> tuple[int, NDArray[np.float64]]:
    """Draw a scene file with the stock engine.

    Returns:
        How many splats the engine sees, and its pictures (V, H, W, 3), 0 to 255.

    Raises:
        ViewerError: if the engine or the browser reports any error.
    """
    out.mkdir(parents=True)
    (out / "views.json").write_text(json.dumps(views))
    command = ["node", HERE / "draw.mjs", scene, out / "views.json", out]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    if run.returncode:
        raise ViewerError(run.stderr.strip())
    pictures = [np.asarray(Image.open(out / f"{i}.png").convert("RGB"), np.float64) for i in range(len(views["views"]))]
    return json.loads(run.stdout)["splats"], np.stack(pictures)


class ViewerError(Exception):
    """The viewer refused the scene."""


def psnr(reference: NDArray[np.floating], pictures: NDArray[np.floating]) -> float:
    """Return the peak signal-to-noise ratio in dB over the pixels that the reference covers, on black."""
    covered = reference.max(axis=-1) > 2
    error = float(((reference - pictures)[covered] ** 2).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
