"""Which scenes a run has, and what is said of files that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.scenes import Scene, format_count, open_scene, open_scenes, parse_count

Writer = Callable[..., Path]


def test_a_scene_is_described_by_its_header_and_what_lies_beside_it(scene: Scene) -> None:
    assert (scene.name, scene.splats) == ("garden", 8)
    assert scene.cameras == scene.path.with_name("cameras.json")
    assert scene.size_bytes == scene.path.stat().st_size


def test_named_cameras_go_before_those_beside_it(scene: Scene, tmp_path: Path) -> None:
    cameras = tmp_path / "others.json"
    with pytest.raises(BenchmarkError, match=rf"^{cameras}: no file of cameras is there; check the path$"):
        open_scene(scene.path, cameras)
    cameras.write_text("[]")
    assert open_scene(scene.path, cameras).cameras == cameras


def test_a_file_with_a_name_of_its_own_keeps_it(tmp_path: Path, write_columns: Writer) -> None:
    scene = open_scene(write_columns(tmp_path / "bonsai.ply", np.zeros((1, 4))))
    assert (scene.name, scene.cameras) == ("bonsai", None)


def test_the_smallest_scene_comes_first(tmp_path: Path, write_columns: Writer) -> None:
    paths = [write_columns(tmp_path / f"{count}.ply", np.zeros((count, 4))) for count in (30, 10, 20)]
    assert [scene.splats for scene in open_scenes(paths)] == [10, 20, 30]


def test_two_scenes_of_one_name_are_refused(tmp_path: Path, write_columns: Writer) -> None:
    paths = [write_columns(tmp_path / folder / "room.ply", np.zeros((1, 4))) for folder in ("a", "b")]
    with pytest.raises(BenchmarkError, match="room: two scenes have this name; rename one file"):
        open_scenes(paths)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "No such file or directory; check the path"),
        (b"GIF89a", "not a PLY file"),
        (b"ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nend_header\n", "has no vertices"),
    ],
    ids=["missing", "no PLY", "empty"],
)
def test_what_is_no_scene_is_one_sentence_that_names_it(content: bytes | None, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "scene.ply"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=fault) as raised:
        open_scene(path)
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize(("text", "count"), [("30000", 30_000), ("30k", 30_000), ("1.5M", 1_500_000), ("10m", 10**7)])
def test_counts_are_read(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "0", "-3k", "many", "1e6", "0.1"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(BenchmarkError, match="not a number of splats"):
        parse_count(text)


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999"), (1000, "1k"), (30_000, "30k"), (1_500_000, "1.5m"), (10**7, "10m")]
)
def test_counts_are_written_short(count: int, text: str) -> None:
    assert format_count(count) == text
