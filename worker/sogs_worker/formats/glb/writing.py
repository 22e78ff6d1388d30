"""Binary glTF with plain KHR_gaussian_splatting, written: a column of floats an attribute, none compressed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.opacity import alphas_of
from sogs_worker.encode.quaternions import normalize
from sogs_worker.files import replacing
from sogs_worker.formats.blocks import split_rows
from sogs_worker.formats.colour import sh0_to_colours
from sogs_worker.formats.glb.accessors import FLOAT, TYPES, UNSIGNED_BYTE
from sogs_worker.formats.glb.axes import HALF_TURN
from sogs_worker.formats.glb.container import build_head
from sogs_worker.formats.glb.primitives import COLOUR_SPACE, KERNEL, SPLATS, attribute, harmonic
from sogs_worker.formats.placement import place
from sogs_worker.splats import Floats, Splats

ARRAY_BUFFER = 34962
POINTS = 0


@dataclass(frozen=True)
class Column:
    """An attribute of the primitive.

    Attributes:
        width: numbers a splat.
        build: returns them for some splats, whose axes are those of glTF; bytes stand for 0 to 1.
        is_bytes: whether they are bytes, and not floats.
    """

    width: int
    build: Callable[[Splats], NDArray[Any]]
    is_bytes: bool = False

    @property
    def row_bytes(self) -> int:
        """What a splat takes."""
        return self.width if self.is_bytes else 4 * self.width

    def pack(self, splats: Splats) -> bytes:
        """Return the bytes of some splats."""
        return self.build(splats).astype("u1" if self.is_bytes else "<f4").tobytes()


def write_glb(path: Path, splats: Splats) -> None:
    """Write a scene of finite values, turned to the axes of glTF; `path` appears only when it is whole.

    Raises:
        BadInputError: it would be more than the 4 GiB that a GLB can have.
    """
    columns = _list_columns(splats.shn.shape[1])
    starts = list(accumulate((each.row_bytes * len(splats) for each in columns.values()), initial=0))
    head = build_head(_build_document(columns, starts, splats), starts[-1])
    with replacing(path) as file:
        file.write(head)
        for rows in split_rows(len(splats)):
            turned = place(splats.take(rows), HALF_TURN)
            for column, start in zip(columns.values(), starts, strict=False):
                file.seek(len(head) + start + rows.start * column.row_bytes)
                file.write(column.pack(turned))


def _list_columns(coefficients: int) -> dict[str, Column]:
    """Return the attributes by their semantic."""
    columns = {
        "POSITION": Column(3, lambda splats: splats.positions),
        "COLOR_0": Column(4, _build_fallback, is_bytes=True),
        attribute("ROTATION"): Column(4, lambda splats: np.roll(normalize(splats.rotations), -1, axis=1)),
        attribute("SCALE"): Column(3, lambda splats: np.exp(splats.scales)),
        attribute("OPACITY"): Column(1, lambda splats: alphas_of(splats.opacities)),
        harmonic(0): Column(3, lambda splats: splats.sh0),
    }
    harmonics = {harmonic(1 + each): Column(3, partial(_harmonic, each)) for each in range(coefficients)}
    return columns | harmonics


def _harmonic(coefficient: int, splats: Splats) -> Floats:
    return splats.shn[:, coefficient]


def _build_fallback(splats: Splats) -> NDArray[np.uint8]:
    """Return the colour and alpha, (N, 4), of points where splats are unknown; glTF wants it linear, not as sRGB."""
    colours = np.clip(sh0_to_colours(splats.sh0.astype(np.float64)), 0, 1)
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    fallback = np.concatenate([linear, alphas_of(splats.opacities)[:, None]], axis=1)
    rounded: NDArray[np.uint8] = np.rint(255 * fallback).astype(np.uint8)
    return rounded


def _build_document(columns: dict[str, Column], starts: list[int], splats: Splats) -> dict[str, Any]:
    accessors = [
        {
            "bufferView": view,
            "componentType": UNSIGNED_BYTE if column.is_bytes else FLOAT,
            "count": len(splats),
            "type": TYPES[column.width],
        } | ({"normalized": True} if column.is_bytes else {})
        for view, column in enumerate(columns.values())
    ]  # fmt: skip
    accessors[0] |= _bounds(splats.positions)
    views = [
        {"buffer": 0, "byteOffset": start, "byteLength": end - start, "target": ARRAY_BUFFER}
        for start, end in pairwise(starts)
    ]
    primitive = {
        "attributes": {semantic: index for index, semantic in enumerate(columns)},
        "mode": POINTS,
        "extensions": {SPLATS: {"kernel": KERNEL, "colorSpace": COLOUR_SPACE}},
    }
    return {
        "asset": {"version": "2.0", "generator": "sogs-worker"},
        "extensionsUsed": [SPLATS],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": starts[-1]}],
    }


def _bounds(positions: Floats) -> dict[str, list[float]]:
    """Return the least and the greatest coordinates in the axes of glTF, which an accessor of positions must have."""
    corners = np.stack([positions.min(axis=0), positions.max(axis=0)]) @ HALF_TURN[:3, :3]
    return {"min": corners.min(axis=0).tolist(), "max": corners.max(axis=0).tolist()}
