"""A scene that is measured is looked at from where it was trained, if its trainer has left the cameras beside it."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sogs_worker.cli.main import main
from sogs_worker.evaluate import View, evaluate_files, sample_views
from sogs_worker.evaluate.views import orbit_views
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.source.cameras import camera_keys
from splat_builders import build_splats

SIDE = 64


def trainers_camera(view: View, side: int = SIDE) -> dict[str, Any]:
    """Write a view down as trainers do, with another size."""
    matrix = view.camera.world_to_camera
    focal = side * view.camera.focal[0] / view.camera.width
    return {
        "img_name": view.name,
        "position": [float(each) for each in view.camera.position],
        "rotation": matrix[:3, :3].T.tolist(),
        **{"fx": focal, "fy": focal, "width": side, "height": side},
    }


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "garden" / "point_cloud" / "iteration_30000" / "point_cloud.ply"
    path.parent.mkdir(parents=True)
    write_ply(path, build_splats(60, bands=0))
    return path


def measure(scene: Path, capsys: pytest.CaptureFixture[str]) -> tuple[float, str]:
    """Compress a scene; return its PSNR and what was said beside the result."""
    target = scene.parents[3] / "garden.sog"
    options = ("--device", "cpu", "--quality", "fast", "--psnr", "--json", "--quiet", "--overwrite")
    assert main(["compress", *options, str(scene), str(target)]) == 0
    output = capsys.readouterr().out
    return json.loads(output)["psnr"], " ".join(json.loads(output)["notes"])


@pytest.mark.parametrize("above", [0, 2], ids=["beside the scene", "beside the trainer's folder"])
def test_its_own_cameras_judge_a_scene(above: int, scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    around, notes = measure(scene, capsys)
    assert notes == ""
    cameras = scene.parents[above] / "cameras.json"
    cameras.write_text(json.dumps([trainers_camera(view) for view in orbit_views(read_ply(scene), 3)]))
    own, notes = measure(scene, capsys)
    expected = evaluate_files(scene, scene.parents[3] / "garden.sog", cameras=cameras, count=None, device="cpu")
    assert own == pytest.approx(expected["psnr"], abs=0.006)
    assert own != around
    assert notes == ""


@pytest.mark.parametrize("suffix", ["zip", "tar", "tgz"])
@pytest.mark.parametrize("is_last", [False, True], ids=["before the scenes", "after them"])
def test_an_archives_cameras_judge_its_scenes(
    suffix: str, is_last: bool, scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = scene.parents[2]
    shutil.copytree(scene.parent, scene.parents[1] / "iteration_7000")
    views = orbit_views(read_ply(scene), 3)
    (run / "cameras.json").write_text(json.dumps([trainers_camera(view) for view in views]))
    own, _ = measure(scene, capsys)
    names = ["point_cloud", "cameras.json"] if is_last else ["cameras.json", "point_cloud"]
    packed = pack(tmp_path / f"run.{suffix}", run, names)
    options = ("--device", "cpu", "--quality", "fast", "--psnr", "--json", "--quiet")
    assert main(["compress", *options, str(packed), f"{tmp_path}/out/"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(record["psnr"], record["notes"]) for record in records] == [(own, [])] * 2


def test_an_archives_cameras_of_no_use_are_left_aside(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    around, _ = measure(scene, capsys)
    run = scene.parents[2]
    (run / "cameras.json").write_text(json.dumps([trainers_camera(view) for view in orbit_views(read_ply(scene), 3)]))
    packed = pack(tmp_path / "run.zip", run, ["point_cloud", "cameras.json"])
    with zipfile.ZipFile(packed) as archive:
        info = archive.getinfo("cameras.json")
    content = bytearray(packed.read_bytes())
    content[info.header_offset + 60] ^= 0xFF  # its checksum is wrong now
    packed.write_bytes(content)
    options = ("--device", "cpu", "--quality", "fast", "--psnr", "--json", "--quiet")
    assert main(["compress", *options, str(packed), f"{tmp_path}/out/"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["psnr"] == around
    (note,) = record["notes"]
    assert "the cameras.json beside it is of no use, so it was judged from around: not a JSON file" in note


def pack(path: Path, folder: Path, names: Sequence[str]) -> Path:
    """Pack files and folders in this order."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                for file in sorted([folder / name, *(folder / name).rglob("*")]):
                    archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
            for name in names:
                archive.add(folder / name, name)
    return path


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "expected a list of at least one camera"),
        ("not JSON", "not a JSON file"),
        ('[{"id": 0}]', "camera 0: world_to_camera must be"),
        (None, "every view of it is black"),
    ],
)
def test_cameras_of_no_use_are_named_and_left_aside(
    content: str | None, reason: str, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    around, _ = measure(scene, capsys)
    away = trainers_camera(orbit_views(read_ply(scene), 1)[0]) | {"rotation": np.diag([-1.0, 1.0, -1.0]).tolist()}
    away["position"] = [0.0, 0.0, -1e4]
    (scene.parent / "cameras.json").write_text(json.dumps([away]) if content is None else content)
    again, notes = measure(scene, capsys)
    assert again == around
    assert f"the cameras.json beside it is of no use, so it was judged from around: {reason}" in notes


def test_no_more_is_read_than_cameras_have(
    scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sogs_worker.source.cameras.MAX_BYTES", 100)
    (scene.parent / "cameras.json").write_text(json.dumps([trainers_camera(orbit_views(read_ply(scene), 1)[0])]))
    assert "is of no use, so it was judged from around: not a JSON file" in measure(scene, capsys)[1]


def test_a_few_cameras_of_many_are_taken_evenly_and_made_smaller(tmp_path: Path) -> None:
    view = orbit_views(build_splats(10, bands=0), 1)[0]
    large = trainers_camera(view, 4000) | {"height": 2000}
    (tmp_path / "cameras.json").write_text(json.dumps([large | {"img_name": str(number)} for number in range(80)]))
    sampled, others = sample_views(tmp_path / "cameras.json")
    assert [each.name for each in others] == [str(number) for number in range(80) if number % 10]
    assert {(each.camera.width, each.camera.height) for each in others} == {(4000, 2000)}
    assert [each.name for each in sampled] == [str(number) for number in range(0, 80, 10)]
    assert {(each.camera.width, each.camera.height) for each in sampled} == {(1024, 512)}
    assert sampled[0].camera.focal[0] / 1024 == pytest.approx(large["fx"] / 4000)


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("a.ply", ["cameras.json"]),
        ("x/a.ply", ["x/cameras.json"]),
        ("point_cloud/iteration_7/point_cloud.ply", ["point_cloud/iteration_7/cameras.json", "cameras.json"]),
        ("m/point_cloud/iteration_7/point_cloud.ply", ["m/point_cloud/iteration_7/cameras.json", "m/cameras.json"]),
        ("m/point_cloud/iteration_7/other.ply", ["m/point_cloud/iteration_7/cameras.json"]),
        ("m/a.ply?X-Amz-Signature=a/b", []),
    ],
)
def test_where_cameras_may_be(key: str, keys: list[str]) -> None:
    assert list(camera_keys(key, key)) == keys


def test_a_file_that_is_named_is_one_of_its_folder() -> None:
    path = "/runs/m/point_cloud/iteration_7/point_cloud.ply"
    assert list(camera_keys("point_cloud.ply", path)) == ["cameras.json", "../../cameras.json"]
