"""Pictures of many scenes become one picture."""

from __future__ import annotations

import io
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import islice

from PIL import Image, ImageDraw, ImageFont

MOST_PICTURES = 256
"""A sheet shows so many; more would be too small to tell scenes apart."""
MOST_WIDTH = 2560
"""Pixels; where columns are many, tiles are narrower for it."""
TILE_WIDTH = 320
MARGIN = 4
FONT_SIZE = 14
LINE_HEIGHT = 22
NAME_COLOUR = (210, 210, 210)


class PictureError(ValueError):
    """A picture is no PNG file."""


Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""


def contact_sheet(pictures: Iterable[tuple[str, bytes]], count: int) -> bytes:
    """Draw pictures row by row on black, as previews are, each with its name below.

    Beside the sheet, one picture at a time is in memory.

    Args:
        pictures: names and PNG files of any size, drawn as 4:3 tiles at most. The first MOST_PICTURES are taken and
            shown, and a last line tells how many more there are.
        count: how many there are, at least one.

    Returns:
        A PNG file at most MOST_WIDTH pixels wide.
    """
    shown, more = min(count, MOST_PICTURES), max(count - MOST_PICTURES, 0)
    columns = math.ceil(math.sqrt(shown))
    rows = math.ceil(shown / columns)
    width = min(TILE_WIDTH, MOST_WIDTH // columns)
    height = width * 3 // 4 + LINE_HEIGHT
    sheet = Image.new("RGB", (columns * width, rows * height + LINE_HEIGHT * bool(more)))
    for place, (name, picture) in enumerate(islice(pictures, shown)):
        left, top = place % columns * width, place // columns * height
        _paste(sheet, picture, (left, top, left + width, top + height - LINE_HEIGHT))
        _write(sheet, name, (left, top + height - LINE_HEIGHT, left + width, top + height))
    if more:
        _write(sheet, f"and {more} more", (0, sheet.height - LINE_HEIGHT, *sheet.size))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _paste(sheet: Image.Image, picture: bytes, box: Box) -> None:
    """Put a picture in the middle of a box, not larger than it is."""
    left, top, right, bottom = box
    try:
        image = Image.open(io.BytesIO(picture), formats=["PNG"])
        image.thumbnail((right - left - 2 * MARGIN, bottom - top - 2 * MARGIN))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # as Pillow calls it
        raise PictureError(str(error)) from error
    sheet.paste(image, ((left + right - image.width) // 2, (top + bottom - image.height) // 2))


def _write(sheet: Image.Image, text: str, box: Box) -> None:
    """Put a line of text in the middle of a box."""
    left, top, right, bottom = box
    font = ImageFont.load_default(FONT_SIZE)
    line = cut_middle(printable(text), right - left - 2 * MARGIN, font.getlength)
    ImageDraw.Draw(sheet).text(((left + right) / 2, (top + bottom) / 2), line, NAME_COLOUR, font, anchor="mm")


def printable(name: str) -> str:
    """Put a sign in the place of line breaks and what else is not drawn, which keys of objects may have."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)


def cut_middle(text: str, width: float, measure: Callable[[str], float]) -> str:
    """Keep as much of the beginning and the end of a text as `measure` finds to be within `width`."""
    if measure(text) <= width:
        return text

    def keep(count: int) -> str:
        return f"{text[: (count + 1) // 2]}…{text[len(text) - count // 2 :]}"

    return keep(max(bisect_right(range(len(text)), width, key=lambda count: measure(keep(count))) - 1, 0))
