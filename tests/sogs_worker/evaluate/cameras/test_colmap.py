"""COLMAP's models: every camera model, any length, and counts that lie."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest

from camera_files import MODELS, write_colmap, write_colmap_text
from sogs_worker.errors import BadInputError
from sogs_worker.evaluate import View, orbit_views, read_views
from sogs_worker.evaluate.cameras.colmap import model as colmap_model
from sogs_worker.render.camera import Camera
from splat_builders import build_splats

VIEWS = [
    View(f"room 1/{view.name}.jpg", Camera(view.camera.world_to_camera, (70, 80), (33, 22), 64, 48))
    for view in orbit_views(build_splats(10, bands=0), 3)
]
WRITERS = {"binary": write_colmap, "text": write_colmap_text}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("model", MODELS)
def test_each_camera_model_has_its_pinhole(model: str, form: str, tmp_path: Path) -> None:
    views = read_views(WRITERS[form](tmp_path, VIEWS, model=model))
    assert [view.name for view in views] == [view.name for view in VIEWS]
    for got, expected in zip(views, VIEWS, strict=True):
        assert got.camera.focal == ((70, 80) if MODELS[model][1] == 2 else (70, 70))
        assert (got.camera.centre, got.camera.width, got.camera.height) == ((33, 22), 64, 48)
        assert got.camera.world_to_camera == pytest.approx(expected.camera.world_to_camera)


def test_a_folder_stands_for_its_model_binary_first(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, VIEWS[:1])
    assert len(read_views(tmp_path)) == 1
    write_colmap(tmp_path, VIEWS)
    assert len(read_views(tmp_path)) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match=r"empty: is a folder without images.bin or images.txt"):
        read_views(tmp_path / "empty")


def test_points_are_passed_over(tmp_path: Path) -> None:
    """A model of 240 MB, whose points are a hole in the file."""
    path = write_colmap(tmp_path, VIEWS[:1], points=0)
    content = path.read_bytes()
    path.write_bytes(content[:-8] + struct.pack("<Q", 10_000_000))
    with path.open("r+b") as file:
        file.truncate(len(content) + 240_000_000)
    tracemalloc.start()
    try:
        assert len(read_views(path)) == 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_line_of_points_may_have_any_length_and_be_missing(tmp_path: Path) -> None:
    path = write_colmap_text(tmp_path, VIEWS, points=10_000)
    assert len(read_views(path)) == 3
    path = write_colmap_text(tmp_path, VIEWS, points=0)
    path.write_bytes(path.read_bytes().rstrip().replace(b"\n", b"\r\n"))
    assert len(read_views(path)) == 3


def edit(path: Path, place: int, value: bytes) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:place] + value + content[place + len(value) :])


NAME = struct.calcsize("<QI7dI")
"""Where the first image's name begins."""
COUNT = NAME + len(VIEWS[0].name) + 1
NOTHING, MUCH, NAN = struct.pack("<Q", 0), struct.pack("<Q", 2**64 - 1), struct.pack("<d", float("nan"))

FAULTS = {
    "empty": ("images.bin", None, b"", "ends in the middle"),
    "no image": ("images.bin", 0, NOTHING, "has no images"),
    "more images than there are": ("images.bin", 0, struct.pack("<Q", 4), "ends in the middle"),
    "countless images": ("images.bin", 0, MUCH, "has more than 100,000 entries"),
    "countless points": ("images.bin", COUNT, MUCH, "ends in the middle"),
    "a name without end": ("images.bin", None, struct.pack("<Q64s", 1, b"") + b"a" * 9000, "a name over 4,096 bytes"),
    "NaN in a pose": ("images.bin", 8 + 4, NAN, "image 0: must have a quaternion of length 1"),
    "a pose of zeros": ("images.bin", 8 + 4, bytes(32), "image 0: must have a quaternion of length 1"),
    "a place at infinity": ("images.bin", 8 + 4 + 32, struct.pack("<d", float("inf")), "a finite translation"),
    "another camera": ("images.bin", NAME - 4, b"\xff", "image 0: there is no camera 255"),
    "no cameras": ("cameras.bin", 0, NOTHING, "image 0: there is no camera 9"),
    "countless cameras": ("cameras.bin", 0, MUCH, "cameras.bin beside it: has more than 100,000 entries"),
    "cameras cut off": ("cameras.bin", None, b"\1", "cameras.bin beside it: ends in the middle"),
    "another model": ("cameras.bin", 8 + 4, b"\x63", "cameras.bin beside it: camera 9: there is no model 99"),
    "a model below 0": ("cameras.bin", 8 + 4, b"\xff" * 4, "camera 9: there is no model -1"),
    "a panorama": ("cameras.bin", 8 + 4, b"\x11", "camera 9: the model EQUIRECTANGULAR is no pinhole"),
    "a wide picture": ("cameras.bin", 8 + 8, MUCH, "camera 9: width must be an integer from 11 to 16384"),
    "NaN in a camera": ("cameras.bin", 8 + 24, NAN, "camera 9: the model PINHOLE must have 4 finite parameters"),
    "no focal length": ("cameras.bin", 8 + 24, NOTHING, "camera 9: focal lengths must be above 0"),
    "lines of nothing": ("images.txt", None, b"1" * 9000, "has lines that no camera has"),
    "few fields": ("images.txt", None, b"1 1 0 0 0 0 0 0 1\n", "image 0: must have a number, a quaternion"),
    "a number of text": ("images.txt", None, b"1 1 0 0 0 0 0 x 1 a\n", "image 0: must have numbers"),
    "a key of text": ("images.txt", None, b"1 1 0 0 0 0 0 0 1.5 a\n", "image 0: must have integers"),
    "NaN in a line": ("images.txt", None, b"1 nan 0 0 0 0 0 0 7 a\n", "image 0: must have a quaternion of length 1"),
    "comments only": ("images.txt", None, b"# nothing\n", "has no images"),
    "a line of a model": ("cameras.txt", None, b"7 PIN 64 48 1 1 1 1\n", "cameras.txt beside it: camera 0: must have"),
    "few parameters": ("cameras.txt", None, b"7 PINHOLE 64 48 1\n", "the model PINHOLE must have 4 finite parameters"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_model_is_refused(name: str, tmp_path: Path) -> None:
    file, place, value, words = FAULTS[name]
    path = (write_colmap if file.endswith(".bin") else write_colmap_text)(tmp_path, VIEWS)
    if place is None:
        path.with_name(file).write_bytes(value)
    else:
        edit(path.with_name(file), place, value)
    with pytest.raises(BadInputError) as refusal:
        read_views(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert str(refusal.value).count(str(path.parent)) == 1
    assert words in str(refusal.value)


@pytest.mark.parametrize("form", WRITERS)
def test_no_more_images_are_kept_than_a_capture_has(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = WRITERS[form](tmp_path, VIEWS)
    monkeypatch.setattr(colmap_model, "MAX_COUNT", 2)
    with pytest.raises(BadInputError, match="has more than 2 entries"):
        read_views(path)


@pytest.mark.parametrize("form", WRITERS)
def test_both_files_are_needed(form: str, tmp_path: Path) -> None:
    path = WRITERS[form](tmp_path, VIEWS)
    path.with_name(f"cameras{path.suffix}").unlink()
    with pytest.raises(BadInputError, match=rf"there is no cameras{path.suffix} beside it; put it there"):
        read_views(path)
