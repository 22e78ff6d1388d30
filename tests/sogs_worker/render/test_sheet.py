"""A contact sheet has every picture where it belongs, and its name."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from sogs_worker.render.sheet import (
    LINE_HEIGHT,
    MOST_PICTURES,
    MOST_WIDTH,
    PictureError,
    contact_sheet,
    cut_middle,
    printable,
)

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (800, 600)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def sheet_of(*pictures: tuple[str, bytes]) -> Image.Image:
    return opened(contact_sheet(iter(pictures), len(pictures)))


def opened(sheet: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(sheet), formats=["PNG"])
    assert image.mode == "RGB"
    return image


def has_text(image: Image.Image, left: int, bottom: int, width: int) -> bool:
    line = image.crop((left, bottom - LINE_HEIGHT, left + width, bottom))
    return max(line.getextrema()[0]) > 128


def test_pictures_are_in_order_row_by_row_above_their_names() -> None:
    sheet = sheet_of(("red", picture(RED)), ("blue", picture(BLUE)), ("again", picture(RED)))
    height = 240 + LINE_HEIGHT
    assert sheet.size == (640, 2 * height)
    centres = [(160, 120), (480, 120), (160, 120 + height), (480, 120 + height)]
    assert [sheet.getpixel(centre) for centre in centres] == [RED, BLUE, RED, BLACK]
    places = [(0, height), (320, height), (0, 2 * height), (320, 2 * height)]
    assert [has_text(sheet, *place, 320) for place in places] == [True, True, True, False]


def test_one_picture_is_a_sheet() -> None:
    assert sheet_of(("garden", picture(BLUE))).size == (320, 240 + LINE_HEIGHT)


@pytest.mark.parametrize(
    ("size", "width", "height"), [((1, 1), 1, 1), ((3000, 2), 312, 1), ((2, 3000), 1, 232), ((90, 90), 90, 90)]
)
def test_a_picture_of_any_size_is_within_its_tile(size: tuple[int, int], width: int, height: int) -> None:
    sheet = sheet_of(("a", picture(RED, size)), ("b", picture(BLUE)))
    left, right = sheet.crop((0, 0, 320, 240)), sheet.crop((320, 0, 640, 240))
    assert left.getbbox() == pytest.approx(
        (160 - width / 2, 120 - height / 2, 160 + width / 2, 120 + height / 2), abs=1
    )
    assert {colour for _, colour in right.getcolors()} == {BLUE, BLACK}


def test_many_pictures_are_a_square_of_smaller_tiles_and_the_rest_is_counted() -> None:
    many = [(f"scene-{number}", picture(BLUE, (8, 6))) for number in range(MOST_PICTURES)]
    full, over = sheet_of(*many), sheet_of(*many, ("last", b"not looked at"))
    assert full.width == MOST_WIDTH
    assert 0.8 < full.height / full.width < 1.25
    assert over.size == (full.width, full.height + LINE_HEIGHT)
    assert over.crop((0, 0, *full.size)).tobytes() == full.tobytes()
    assert has_text(over, 0, over.height, over.width)


@pytest.mark.parametrize("name", ["花园", "سلام", "🏡" * 40, "a\nb\u202e\x00", "\udcff", "", "é" * 1024])
def test_a_name_may_be_anything(name: str) -> None:
    sheet = sheet_of((name, picture(RED)), ("b", picture(BLUE)))
    assert sheet.size == (640, 240 + LINE_HEIGHT)
    assert has_text(sheet, 320, sheet.height, 320)


def test_a_long_name_is_drawn_within_its_tile() -> None:
    sheet = sheet_of(("w" * 500, picture(RED)), ("", picture(BLUE)))
    assert has_text(sheet, 0, sheet.height, 320)
    assert not has_text(sheet, 318, sheet.height, 322)


@pytest.mark.parametrize(
    ("width", "cut"), [(11, "garden/scan"), (10, "garde…scan"), (4, "ga…n"), (2, "g…"), (1, "…"), (0, "…")]
)
def test_a_name_is_cut_in_the_middle(width: int, cut: str) -> None:
    assert cut_middle("garden/scan", width, len) == cut


def test_what_is_not_drawn_is_shown_as_a_sign() -> None:
    assert printable("a\nb\u202e\udcff 花") == "a�b�� 花"


@pytest.mark.parametrize("content", [b"", b"no picture", picture(RED)[:-40]])
def test_what_is_no_picture_is_told(content: bytes) -> None:
    with pytest.raises(PictureError):
        sheet_of(("a", content))
