"""Planes as lossless WebP images."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sogs_worker.errors import BadInputError

Plane = NDArray[np.uint8]

MAX_SIDE = 16383
"""Pixels a side: a limit of WebP."""


@dataclass(frozen=True)
class WebpEffort:
    """How hard the encoder searches: `method` 0 to 6, `quality` 0 to 100; the pixels are the same for all."""

    method: int
    quality: int


def encode_webp(plane: Plane, effort: WebpEffort) -> bytes:
    """Encode (H, W, 4) uint8, RGBA. `exact` keeps the colours of texels whose alpha is 0."""
    buffer = io.BytesIO()
    image = Image.fromarray(plane, "RGBA")
    image.save(buffer, "WEBP", lossless=True, exact=True, method=effort.method, quality=effort.quality)
    return buffer.getvalue()


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
