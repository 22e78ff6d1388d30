"""The .splat format of antimatter15's viewer: 32 bytes a splat and no header."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.opacity import dequantize_opacities
from sogs_worker.encode.origin import centre
from sogs_worker.errors import BadInputError
from sogs_worker.files import reading
from sogs_worker.formats.colour import colours_to_sh0
from sogs_worker.formats.scales import log_scales
from sogs_worker.splats import Splats

ROW = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("rotation", "u1", 4)])
"""World units, standard deviations, R G B and alpha, and the quaternion w x y z as 128 + 128 times each component."""

BLOCK = 1 << 16
"""Splats decoded at once."""

SMALLEST_SCALE = 1e-12
LARGEST_SCALE = 1e6
FARTHEST = 1e9
"""World units: where most splats are beyond these, the bytes are something else, since the format has no magic."""


def read_splat(path: Path) -> Splats:
    """Read a scene from a .splat file. Standard deviations of 0 become -Inf, negative ones NaN.

    Raises:
        BadInputError: names the file and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    with reading(path) as file:
        count = _count_rows(file)
        arrays: dict[str, Any] = {
            name: np.empty((count, width), np.float32)
            for name, width in {"positions": 3, "rotations": 4, "scales": 3, "sh0": 3, "opacities": 1}.items()
        }
        for first in range(0, count, BLOCK):
            rows = np.fromfile(file, ROW, min(BLOCK, count - first))
            if first == 0:
                _refuse_other_files(rows)
            for name, values in _decode(rows).items():
                arrays[name][first : first + len(rows)] = values
    arrays["opacities"] = arrays["opacities"][:, 0]
    arrays["positions"], origin = centre(arrays["positions"], arrays["scales"])
    return Splats(**arrays, shn=np.empty((count, 0, 3), np.float32), origin=origin)


def _count_rows(file: BinaryIO) -> int:
    size_bytes = os.fstat(file.fileno()).st_size
    if size_bytes == 0 or size_bytes % ROW.itemsize:
        raise BadInputError(
            f"a .splat file has {ROW.itemsize} bytes a splat, but {size_bytes:,} bytes are no whole number of them; "
            "copy it again"
        )
    return size_bytes // ROW.itemsize


def _refuse_other_files(rows: NDArray[Any]) -> None:
    with np.errstate(invalid="ignore"):
        near = (np.abs(rows["position"]) <= FARTHEST).all(axis=1)
        scales = rows["scale"]
        sized = ((scales == 0) | (scales >= SMALLEST_SCALE) & (scales <= LARGEST_SCALE)).all(axis=1)
    if np.count_nonzero(near & sized) * 2 < len(rows):
        raise BadInputError(
            "most positions or scales make no sense; it is not a .splat file, or a damaged one; export it again"
        )


def _decode(rows: NDArray[Any]) -> dict[str, NDArray[np.floating]]:
    return {
        "positions": rows["position"],
        "rotations": (rows["rotation"].astype(np.float32) - 128) / 128,
        "scales": log_scales(rows["scale"]),
        "sh0": colours_to_sh0(rows["colour"][:, :3] / 255),
        "opacities": dequantize_opacities(rows["colour"][:, 3:]),
    }
