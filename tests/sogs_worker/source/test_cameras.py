"""Where the files of cameras may lie, and their way to scratch from each kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.web import Web, make_identity, running_web
from sogs_worker.source.cameras import CameraFiles, companions, fetch_cameras, find_cameras
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.local.files import LocalFiles
from sogs_worker.storage.local.store import LocalStore

FILES = {
    "m/transforms.json": b"a",
    "m/dataparser_transforms.json": b"b",
    "n/sparse/0/images.bin": b"c",
    "n/sparse/0/cameras.bin": b"d",
    "n/sparse/0/images.txt": b"e",
    "n/dataparser_transforms.json": b"f",
    "o/sparse/images.txt": b"g",
    "p/sparse/0/cameras.bin": b"h",
    "q/cameras.json/folder": b"i",
}


@pytest.mark.parametrize(
    ("key", "folders"),
    [
        ("a.ply", [""]),
        ("x/a.ply", ["x/"]),
        ("point_cloud/iteration_7/point_cloud.ply", ["point_cloud/iteration_7/", ""]),
        ("m/point_cloud/iteration_7/point_cloud.ply", ["m/point_cloud/iteration_7/", "m/"]),
        ("m/point_cloud/iteration_7/other.ply", ["m/point_cloud/iteration_7/"]),
        ("m/a.ply?X-Amz-Signature=a/b", []),
    ],
)
def test_where_cameras_may_be(key: str, folders: list[str]) -> None:
    """A trainer's list first, then nerfstudio's file, then COLMAP's; each beside the scene, then above it."""
    models = [f"{model}/{{}}.{suffix}" for model in ("sparse/0", "sparse") for suffix in ("bin", "txt")]
    frame = "dataparser_transforms.json"
    assert list(find_cameras(key, key)) == [
        *[CameraFiles(f"{folder}cameras.json") for folder in folders],
        *[CameraFiles(f"{folder}transforms.json", (f"{folder}{frame}",)) for folder in folders],
        *[
            CameraFiles(folder + model.format("images"), (folder + model.format("cameras"), f"{folder}{frame}"))
            for folder in folders
            for model in models
        ],
    ]


def test_a_file_that_is_named_is_one_of_its_folder() -> None:
    path = "/runs/m/point_cloud/iteration_7/point_cloud.ply"
    found = [files.main for files in find_cameras("point_cloud.ply", path)]
    assert found[:4] == ["cameras.json", "../../cameras.json", "transforms.json", "../../transforms.json"]
    assert "../../sparse/0/images.bin" in found


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("m/cameras.json", ()),
        ("m/transforms_train.json", ("m/dataparser_transforms.json",)),
        ("m/sparse/0/images.bin", ("m/sparse/0/cameras.bin", "m/sparse/0/dataparser_transforms.json")),
        ("images.txt", ("cameras.txt", "dataparser_transforms.json")),
    ],
)
def test_what_a_file_of_cameras_may_need(key: str, keys: tuple[str, ...]) -> None:
    assert companions(key) == keys


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    with running_web(folder, *make_identity(folder)) as running:
        running.files.content.update({f"/{key}": content for key, content in FILES.items()})
        yield running


@pytest.fixture(params=["files", "volume", "web"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ReadableStore:
    if request.param == "web":
        served: Web = request.getfixturevalue("web")
        return served.store(query="")
    root = tmp_path / "there"
    for key, content in FILES.items():
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(content)
    return LocalFiles(root) if request.param == "files" else LocalStore(root)


@pytest.mark.parametrize(
    ("scene", "main", "contents"),
    [
        ("m/a.ply", "transforms.json", {"transforms.json": b"a", "dataparser_transforms.json": b"b"}),
        ("m/point_cloud/iteration_7/point_cloud.ply", "transforms.json", {"transforms.json": b"a"}),
        ("n/a.ply", "images.bin", {"images.bin": b"c", "cameras.bin": b"d", "dataparser_transforms.json": b"f"}),
        ("o/a.ply", "images.txt", {"images.txt": b"g"}),
        ("p/a.ply", None, {}),
        ("q/a.ply", None, {}),
        ("a.ply", None, {}),
    ],
)
def test_the_files_of_one_form_are_fetched(
    store: ReadableStore, scene: str, main: str | None, contents: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "scratch").mkdir()
    found = fetch_cameras(store, scene, tmp_path / "scratch")
    assert (found.name if found else None) == main
    if found:
        fetched = {path.name: path.read_bytes() for path in found.parent.iterdir()}
        assert contents.items() <= fetched.items()


def test_one_that_is_too_long_is_empty(store: ReadableStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sogs_worker.source.cameras.MAX_BYTES", 0)
    found = fetch_cameras(store, "n/a.ply", tmp_path)
    assert found is not None
    assert found.read_bytes() == b"c"
    assert found.with_name("cameras.bin").read_bytes() == b""
    monkeypatch.setattr("sogs_worker.source.cameras.SCRATCH_SHARE", 0.0)
    found = fetch_cameras(store, "n/a.ply", tmp_path)
    assert found is not None
    assert found.read_bytes() == b""
