"""Planes read from lossless images: WebP, which `vp8l` writes, or PNG, which the format allows too."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sogs_worker.errors import BadInputError

Plane = NDArray[np.uint8]

MAX_SIDE = 16383
"""Pixels a side: a limit of WebP."""

DEPTHS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}
"""Pillow's names of images with at most 8 bits a channel: tools that shrink PNGs use all of them."""

# Pillow refuses images that planes may be as large as; what is too large is said by the caller, before it is decoded.
Image.MAX_IMAGE_PIXELS = None


def decode_plane(data: bytes, max_texels: int = MAX_SIDE**2) -> Plane:
    """Decode to (H, W, 4) uint8, RGBA; alpha is 255 where the image has none.

    Raises:
        BadInputError: if it is not a whole WebP or PNG image of 8 bits a channel, or larger than `max_texels`, before
            memory is used for it.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP", "PNG"]) as image:
            size, mode = f"{image.width} x {image.height}", image.mode
            is_small = image.width * image.height <= max_texels
            plane = np.asarray(image.convert("RGBA")) if is_small and mode in DEPTHS else None
    except (OSError, ValueError, SyntaxError, MemoryError, EOFError, OverflowError, struct.error, zlib.error) as error:
        raise BadInputError("not a readable WebP or PNG image; write the bundle again") from error
    if not is_small:
        raise BadInputError(f"{size} texels are more than the scene can need; write the bundle again")
    if plane is None:
        raise BadInputError("the image has more than 8 bits a channel; write the bundle again")
    return plane
