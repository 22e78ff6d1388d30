"""The same cameras in every form, and files that are cut off or damaged anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera_files import write_colmap, write_colmap_text, write_trainers, write_transforms
from sogs_worker.errors import BadInputError
from sogs_worker.evaluate import View, draw, read_views
from sogs_worker.render.camera import Camera, look_at
from splat_builders import build_splats

FORMS: dict[str, Callable[[Path, Sequence[View]], Path]] = {
    "transforms.json": lambda folder, views: write_transforms(folder / "transforms.json", views),
    "COLMAP, binary": write_colmap,
    "COLMAP, text": write_colmap_text,
}
ALL = FORMS | {"cameras.json": lambda folder, views: write_trainers(folder / "cameras.json", views)}

coordinates = st.floats(-50, 50)
points = st.tuples(coordinates, coordinates, coordinates).map(np.array)
lengths = st.floats(1, 5000)
sides = st.integers(11, 16384)


@st.composite
def cameras(draw_from: st.DrawFn, *, is_centred: bool = False) -> Camera:
    """Draw a camera anywhere, with any axes."""
    quaternion = draw_from(st.tuples(*[st.floats(-1, 1)] * 4).map(np.array).filter(lambda each: each @ each > 0.01))
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    matrix = np.eye(4)
    axis, cross = np.array([x, y, z]), np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix[:3, :3] = 2 * np.outer(axis, axis) + (w * w - axis @ axis) * np.eye(3) + 2 * w * cross
    matrix[:3, 3] = draw_from(points)
    width, height = draw_from(sides), draw_from(sides)
    centre = (width / 2, height / 2) if is_centred else (draw_from(lengths), draw_from(lengths))
    return Camera(matrix, (draw_from(lengths), draw_from(lengths)), centre, width, height)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(st.lists(cameras(), min_size=1, max_size=3))
def test_each_form_gives_the_camera_that_was_written(form: str, expected: list[Camera]) -> None:
    check(form, expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(cameras(is_centred=True), min_size=1, max_size=3))
def test_a_trainers_form_gives_the_camera_that_was_written(expected: list[Camera]) -> None:
    check("cameras.json", expected)


def check(form: str, expected: list[Camera]) -> None:
    written = [View(f"images/{number:03}.jpg", camera) for number, camera in enumerate(expected)]
    with TemporaryDirectory() as folder:
        views = read_views(ALL[form](Path(folder), written))
    assert [view.name for view in views] == [view.name for view in written]
    for got, camera in zip([view.camera for view in views], expected, strict=True):
        assert got.world_to_camera == pytest.approx(camera.world_to_camera, abs=1e-9)
        assert got.focal == pytest.approx(camera.focal)
        assert got.centre == pytest.approx(camera.centre)
        assert (got.width, got.height) == (camera.width, camera.height)


def some_views(count: int = 2) -> list[View]:
    """Views of a scene without symmetry, turned about all axes; their principal point is the middle."""
    target = np.array([0.5, 0.2, 0.0])
    eyes = [np.array([2.0, -1.5, -9.0]), np.array([-6.0, -2.0, 5.0])][:count]
    turns = [look_at(eye, target, np.array([0.3, -1.0, 0.1])) for eye in eyes]
    return [View(f"{number}.jpg", Camera(turn, (70, 80), (32, 24), 64, 48)) for number, turn in enumerate(turns)]


def test_each_form_draws_the_same_pictures(tmp_path: Path) -> None:
    views, splats = some_views(), build_splats(300, bands=1)
    expected = list(draw(splats, views, device="cpu"))
    assert all(picture.float().std() > 20 for picture in expected)
    for name, write in ALL.items():
        folder = tmp_path / name
        folder.mkdir()
        for got, picture in zip(draw(splats, read_views(write(folder, views)), device="cpu"), expected, strict=True):
            assert (got.float() - picture.float()).abs().max() <= 1, name


def test_the_first_cameras_are_taken(tmp_path: Path) -> None:
    for write in ALL.values():
        assert [view.name for view in read_views(write(tmp_path, some_views()), 1)] == ["0.jpg"]


def outcome(path: Path) -> int:
    """Return how many cameras are read, 0 if the file is refused by a sentence about it."""
    sentence = ""
    try:
        return len(read_views(path))
    except BadInputError as refusal:
        sentence = str(refusal)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return 0


@pytest.mark.parametrize("form", ALL)
def test_a_file_that_is_cut_off_anywhere_is_refused_or_shorter(form: str, tmp_path: Path) -> None:
    path = ALL[form](tmp_path, some_views())
    for file in files_of(path):
        whole = file.read_bytes()
        counts = []
        for length in range(len(whole)):
            file.write_bytes(whole[:length])
            counts.append(outcome(path))
        file.write_bytes(whole)
        assert max(counts, default=0) <= 2
        if file.suffix != ".txt":  # of text, what is missing may be a name's end, a point or a digit
            assert not any(counts)
        assert counts[0] == 0
    assert outcome(path) == 2


@pytest.mark.parametrize("form", ALL)
def test_a_file_that_is_damaged_anywhere_is_refused_or_read(form: str, tmp_path: Path) -> None:
    path = ALL[form](tmp_path, some_views())
    for file in files_of(path):
        whole = file.read_bytes()
        for place in range(len(whole)):
            for value in (0x00, 0xFF, whole[place] ^ 0x10):
                file.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
                assert outcome(path) <= 2
        file.write_bytes(whole)


@settings(max_examples=200, deadline=None)
@given(form=st.sampled_from(sorted(ALL)), content=st.binary(max_size=200), is_beside=st.booleans())
def test_any_content_is_refused_or_read(form: str, content: bytes, is_beside: bool) -> None:
    with TemporaryDirectory() as folder:
        path = ALL[form](Path(folder), some_views())
        files_of(path)[-1 if is_beside else 0].write_bytes(content)
        outcome(path)


numbers = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
matrices = st.one_of(numbers, st.lists(st.lists(numbers, min_size=4, max_size=4), min_size=4, max_size=4))
FIELDS = ("w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y", "camera_model", "applied_scale")


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), numbers),
    st.one_of(st.just(np.eye(4).tolist()), matrices),
    st.dictionaries(st.sampled_from(("transform", "scale")), matrices),
)
def test_any_field_is_refused_or_read(fields: dict[str, object], matrix: object, frame: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "transforms.json"
        path.write_text(json.dumps({"camera_angle_x": 0.7, "frames": [fields | {"transform_matrix": matrix}]}))
        outcome(path)
        path.with_name("dataparser_transforms.json").write_text(json.dumps(frame))
        outcome(path)


def files_of(path: Path) -> list[Path]:
    """Return the files that a form consists of."""
    return [path, path.with_name(f"cameras{path.suffix}")] if path.stem == "images" else [path]
