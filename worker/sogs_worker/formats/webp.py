"""Planes read from lossless WebP images; `vp8l` writes them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sogs_worker.errors import BadInputError

Plane = NDArray[np.uint8]

MAX_SIDE = 16383
"""Pixels a side: a limit of WebP."""


def decode_webp(data: bytes) -> Plane:
    """Decode to (H, W, 4) uint8, RGBA; alpha is 255 where the image has none.

    Raises:
        BadInputError: if it is not a whole WebP image.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            return np.asarray(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInputError("not a readable WebP image; write the bundle again") from error
