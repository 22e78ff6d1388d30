"""A scene that is measured is looked at from where it was trained, if its trainer has left the cameras beside it."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camera_files import write_colmap, write_colmap_text, write_transforms
from s3_server import S3Server
from sogs_worker.cli.main import main
from sogs_worker.evaluate import View, evaluate_files, sample_views
from sogs_worker.evaluate.views import orbit_views
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.render.camera import look_at
from sogs_worker.scenes.make import read_cameras
from sogs_worker.source.fetch import SceneFile
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
        (None, "only 0 of 1 cameras see the scene"),
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


def colmap(write: Callable[..., Path], model: str) -> Callable[[Path, Sequence[View]], Path]:
    return lambda folder, views: write(folder / model, views)


FORMS: dict[str, Callable[[Path, Sequence[View]], Path]] = {
    "transforms.json": lambda folder, views: write_transforms(folder / "transforms.json", views),
    "sparse/0, binary": colmap(write_colmap, "sparse/0"),
    "sparse/0, text": colmap(write_colmap_text, "sparse/0"),
    "sparse": colmap(write_colmap, "sparse"),
}


def small_views(scene: Path) -> list[View]:
    """Three views of a scene, as `trainers_camera` has them."""
    return [
        replace(view, camera=view.camera.resized(SIDE, SIDE), name=f"{number}.jpg")
        for number, view in enumerate(orbit_views(read_ply(scene), 3))
    ]


@pytest.mark.parametrize("above", [0, 2], ids=["beside the scene", "beside the trainer's folder"])
@pytest.mark.parametrize("form", FORMS)
def test_cameras_of_other_forms_judge_a_scene(
    form: str, above: int, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    around, _ = measure(scene, capsys)
    cameras = FORMS[form](scene.parents[above], small_views(scene))
    own, notes = measure(scene, capsys)
    expected = evaluate_files(scene, scene.parents[3] / "garden.sog", cameras=cameras, count=None, device="cpu")
    assert own == pytest.approx(expected["psnr"], abs=0.006)
    assert own != around
    assert notes == ""


def test_a_trainers_list_goes_first_then_nerfstudios(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, views = scene.parents[2], small_views(scene)
    around, _ = measure(scene, capsys)
    values = []
    for part, write in enumerate((colmap(write_colmap, "sparse/0"), FORMS["transforms.json"])):
        write(folder, views[part : part + 1])
        values.append(measure(scene, capsys)[0])
    (folder / "cameras.json").write_text(json.dumps([trainers_camera(views[2])]))
    values.append(measure(scene, capsys)[0])
    assert len({around, *values}) == 4


@pytest.mark.parametrize("suffix", ["zip", "tar", "tgz"])
@pytest.mark.parametrize("is_last", [False, True], ids=["before the scenes", "after them"])
@pytest.mark.parametrize("form", ["transforms.json", "sparse/0, binary"])
def test_an_archives_cameras_of_other_forms_judge_its_scenes(
    form: str, suffix: str, is_last: bool, scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = scene.parents[2]
    shutil.copytree(scene.parent, scene.parents[1] / "iteration_7000")
    name = FORMS[form](run, small_views(scene)).relative_to(run).parts[0]
    own, _ = measure(scene, capsys)
    names = ["point_cloud", name] if is_last else [name, "point_cloud"]
    records = compress_packed(pack(tmp_path / f"run.{suffix}", run, names), capsys)
    assert [(record["psnr"], record["notes"]) for record in records] == [(own, [])] * 2


def test_an_archives_scenes_have_their_own_cameras(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [scene.parents[2], tmp_path / "all" / "other"]
    shutil.copytree(runs[0], runs[1])
    shutil.copytree(runs[0], tmp_path / "all" / "bare")
    values = []
    for run, form, part in zip(runs, ("sparse", "transforms.json"), (0, 1), strict=True):
        FORMS[form](run, small_views(scene)[part : part + 1])
        values.append(measure(run / scene.relative_to(runs[0]), capsys)[0])
    shutil.copytree(runs[0], tmp_path / "all" / "garden")
    packed = pack(tmp_path / "all.tgz", tmp_path / "all", ["garden", "bare", "other"])
    records = compress_packed(packed, capsys)
    assert len({record["psnr"] for record in records}) == 3
    assert [records[0]["psnr"], records[2]["psnr"]] == values
    assert not any(record["notes"] for record in records)


def test_images_that_are_too_long_are_left_aside(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    around, _ = measure(scene, capsys)
    FORMS["sparse"](scene.parents[2], small_views(scene))
    packed = pack(tmp_path / "run.zip", scene.parents[2], ["sparse", "point_cloud"])
    monkeypatch.setattr("sogs_worker.source.cameras.MAX_IMAGES_BYTES", 100)
    again, notes = measure(scene, capsys)
    (record,) = compress_packed(packed, capsys)
    assert again == record["psnr"] == around
    for note in (notes, *record["notes"]):
        assert "the images.bin beside it is of no use, so it was judged from around: ends in the middle" in note


def test_cameras_of_another_frame_are_left_aside(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    around, _ = measure(scene, capsys)
    views = small_views(scene)
    for view in views:
        view.camera.world_to_camera[:3, 3] += 100
    FORMS["sparse/0, text"](scene.parent, views)
    again, notes = measure(scene, capsys)
    assert again == around
    assert (
        "the images.txt beside it is of no use, so it was judged from around: only 0 of 3 cameras see the scene"
        in notes
    )


def test_cameras_go_to_the_frame_that_nerfstudio_trained_in(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, views = measure_own(scene, capsys), small_views(scene)
    turn = look_at(np.array([1.0, 2.0, -3.0]), np.array([0.5, 0.0, 0.0]))
    for view in views:  # to where they are once the frame has turned and shrunk their world
        matrix = view.camera.world_to_camera
        position = turn[:3, :3].T @ (view.camera.position / 0.05 - turn[:3, 3])
        matrix[:3, :3] = matrix[:3, :3] @ turn[:3, :3]
        matrix[:3, 3] = -matrix[:3, :3] @ position
    FORMS["transforms.json"](scene.parents[2], views)
    assert "cameras see the scene" in measure(scene, capsys)[1]
    frame = {"transform": turn[:3].tolist(), "scale": 0.05}
    (scene.parents[2] / "dataparser_transforms.json").write_text(json.dumps(frame))
    assert measure(scene, capsys) == (own, "")


def test_splats_are_fitted_to_pictures_from_the_cameras_that_judge_nothing(scene: Path) -> None:
    views = orbit_views(read_ply(scene), 12)
    cameras = write_transforms(scene.with_name("transforms.json"), views)
    given, notes = read_cameras(SceneFile(scene, "garden", cameras))
    assert notes == []
    judging = {view.name for view in sample_views(cameras)[0]}
    assert [camera.position for camera in given] == [
        pytest.approx(view.camera.position) for view in views if view.name not in judging
    ]
    assert read_cameras(SceneFile(scene, "garden")) == ([], [])


def test_splats_are_fitted_to_no_pictures_of_another_frame(scene: Path) -> None:
    views = small_views(scene)
    for view in views:
        view.camera.world_to_camera[:3, 3] += 100
    cameras = write_colmap(scene.parent / "sparse", views)
    given, (note,) = read_cameras(SceneFile(scene, "garden", cameras))
    assert given == []
    assert note.startswith("the images.bin beside it is of no use, so splats were fitted to pictures from around: only")


def measure_own(scene: Path, capsys: pytest.CaptureFixture[str]) -> float:
    """Return the PSNR by the cameras of `small_views`; leave none there."""
    path = FORMS["transforms.json"](scene.parent, small_views(scene))
    own, _ = measure(scene, capsys)
    path.unlink()
    return own


@pytest.mark.parametrize("form", ["transforms.json", "sparse/0, binary", "sparse"])
def test_cameras_in_a_bucket_judge_its_scenes(
    form: str,
    scene: Path,
    s3: S3Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket, run = s3.new_bucket(), scene.parents[2]
    environment = {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.admin.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.admin.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    FORMS[form](run, small_views(scene))
    own, _ = measure(scene, capsys)
    for file in (path for path in run.rglob("*") if path.is_file()):
        s3.client().put_object(Bucket=bucket, Key=f"runs/{file.relative_to(run)}", Body=file.read_bytes())
    (record,) = compress_packed(f"s3://{bucket}/runs/", capsys, tmp_path)
    assert (record["psnr"], record["notes"]) == (own, [])


def compress_packed(
    source: Path | str, capsys: pytest.CaptureFixture[str], folder: Path | None = None
) -> list[dict[str, Any]]:
    """Compress all scenes of an archive or a bucket, measured; return their records."""
    target = f"{folder or Path(source).parent}/out/"
    options = ("--device", "cpu", "--quality", "fast", "--psnr", "--json", "--quiet", "--overwrite")
    assert main(["compress", *options, str(source), target]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
