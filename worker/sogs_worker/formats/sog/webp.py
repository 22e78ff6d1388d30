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

# Pillow warns of images that planes may be as large as; what is too large is said by the caller.
Image.MAX_IMAGE_PIXELS = MAX_SIDE**2


def decode_webp(data: bytes, max_texels: int = MAX_SIDE**2) -> Plane:
    """Decode to (H, W, 4) uint8, RGBA; alpha is 255 where the image has none.

    Raises:
        BadInputError: if it is not a whole WebP image, or larger than `max_texels`, before memory is used for it.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            size = f"{image.width} x {image.height}"
            plane = np.asarray(image.convert("RGBA")) if image.width * image.height <= max_texels else None
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        raise BadInputError("not a readable WebP image; write the bundle again") from error
    if plane is None:
        raise BadInputError(f"{size} texels are more than the scene can need; write the bundle again")
    return plane
