"""The source: what is refused before and after it is moved, and what an archive gives."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import NoReturn

import pytest

from sogs_worker.errors import BadInputError, SourceMissingError, StorageError, UsageError
from sogs_worker.source.fetch import Fetched, fetch, has_space, require_space, unpacking
from sogs_worker.source.objects import find_objects
from sogs_worker.source.search import NoSceneError
from sogs_worker.storage.base import Beginning, Moved, ignore_progress
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.storage.location import Location


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/a.PLY").write_bytes(b"content")
    (tmp_path / "store/a.obj").write_bytes(b"content")
    return LocalStore(tmp_path / "store")


def bring(store: LocalStore, key: str, folder: Path, sha256: str | None = None) -> Fetched:
    (entry,), _ = find_objects(store, Location("pvc", "claim", key))
    return fetch(store, entry, sha256=sha256, folder=folder)


def test_brings_the_file(store: LocalStore, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"content").hexdigest()
    fetched = bring(store, "a.PLY", tmp_path, digest)
    assert (fetched.path.suffix, fetched.path.read_bytes(), fetched.sha256) == (".PLY", b"content", digest)


def test_refuses_another_content(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=f"SHA-256 {hashlib.sha256(b'content').hexdigest()}, not 00"):
        bring(store, "a.PLY", tmp_path, "00")


def test_refuses_other_kinds_of_files_without_moving_them(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"a\.obj is of a kind that cannot be read"):
        bring(store, "a.obj", tmp_path)
    assert not (tmp_path / "a.obj").exists()


@pytest.fixture
def unbundled(store: LocalStore) -> LocalStore:
    """Hold an unbundled scene of three files, and what only looks like one."""
    (store.root / "in/garden").mkdir(parents=True)
    meta = {"means": {"files": ["means_l.webp", "means_u.webp"]}, "sh0": {"files": ["means_l.webp"]}}
    (store.root / "in/garden/meta.json").write_text(json.dumps(meta))
    (store.root / "in/garden/means_l.webp").write_bytes(b"low")
    (store.root / "in/garden/means_u.webp").write_bytes(b"up")
    (store.root / "in/other").mkdir()
    (store.root / "in/other/meta.json").write_text('{"title": "of another program"}')
    return store


@pytest.mark.parametrize("key", ["in/", "in/garden/", "in/garden/meta.json"])
def test_brings_all_files_of_an_unbundled_scene(unbundled: LocalStore, tmp_path: Path, key: str) -> None:
    (tmp_path / "here").mkdir()
    (entry,), _ = find_objects(unbundled, Location("pvc", "claim", key))
    moved: list[int] = []
    fetched = fetch(unbundled, entry, sha256=None, folder=tmp_path / "here", progress=moved.append)
    with unpacking(fetched, tmp_path) as found, found.scenes[0].opened() as file:
        (scene,) = found.scenes
        assert (file.path, scene.output) == (tmp_path / "here/meta.json", PurePosixPath("garden"))
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"meta.json", "means_l.webp", "means_u.webp"}
    assert entry.size_bytes == sum(moved)


def test_an_unbundled_scene_in_the_root_is_named_after_that(unbundled: LocalStore) -> None:
    store = LocalStore(unbundled.root / "in/garden")
    for key in ("", "meta.json"):
        (entry,), _ = find_objects(store, Location("pvc", "claim", key))
        assert entry.output == PurePosixPath("claim")


def test_another_plane_is_another_content(unbundled: LocalStore, tmp_path: Path) -> None:
    digests = set()
    for place, plane in enumerate((b"low", b"LOW")):
        (unbundled.root / "in/garden/means_l.webp").write_bytes(plane)
        folder = tmp_path / str(place)
        folder.mkdir()
        digests.add(bring(unbundled, "in/garden/meta.json", folder).sha256)
    assert len(digests) == 2


def test_names_a_plane_that_is_missing(unbundled: LocalStore, tmp_path: Path) -> None:
    (unbundled.root / "in/garden/means_u.webp").unlink()
    for key in ("in/", "in/garden/meta.json"):
        with pytest.raises(SourceMissingError, match=r"in/garden/means_u\.webp does not exist"):
            bring(unbundled, key, tmp_path)


def test_refuses_a_meta_json_that_is_no_scenes(unbundled: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"in/other/meta\.json is not the meta\.json of an unbundled SOG scene"):
        bring(unbundled, "in/other/meta.json", tmp_path)


def test_refuses_scenes_that_would_be_one(unbundled: LocalStore) -> None:
    inner = unbundled.root / "in/garden/garden"
    inner.mkdir()
    for file in (unbundled.root / "in/garden").glob("*.*"):
        (inner / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UsageError, match=r"meta\.json would both be called garden/meta\.json; choose other"):
        find_objects(unbundled, Location("pvc", "claim", "in/garden/"))


def test_refuses_a_scene_whose_name_is_no_text(store: LocalStore) -> None:
    for name in (b"Icon\r", b"\xff.ply"):
        Path(os.fsdecode(os.fsencode(store.root) + b"/" + name)).write_bytes(b"")
    with pytest.raises(BadInputError, match="is not UTF-8 or has control characters; rename it"):
        find_objects(store, Location("pvc", "claim", ""))


class Changing(LocalStore):
    """A folder in which somebody writes a plane anew while the next is read."""

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> str:
        if key.endswith("means_u.webp"):
            (self.root / "in/garden/means_l.webp").write_bytes(b"another")
        return super().download(key, path, progress)


def test_refuses_an_unbundled_scene_that_changes(unbundled: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"in/garden/meta\.json or a plane of it changed while they were read"):
        bring(Changing(unbundled.root), "in/garden/meta.json", tmp_path)


def test_refuses_what_scratch_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"needs 1,500,016,777,216 bytes .* raise the ephemeral-storage"):
        require_space(tmp_path, 10**12, "s3://scenes/huge.ply")
    assert not has_space(tmp_path, 10**12)
    require_space(tmp_path, 1, "s3://scenes/tiny.ply")


def test_unpacks_one_scene_at_a_time(store: LocalStore, tmp_path: Path) -> None:
    with zipfile.ZipFile(store.root / "many.zip", "w") as archive:
        archive.writestr("x/a.ply", b"one")
        archive.writestr("y/a.ply", b"two!!")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    seen: list[tuple[PurePosixPath, bytes]] = []
    with unpacking(bring(store, "many.zip", tmp_path), folder) as found:
        assert [scene.size_bytes for scene in found.scenes] == [3, 5]
        for scene in found.scenes:
            with scene.opened() as file:
                assert [path.name for path in folder.iterdir()] == ["a.ply"]
                assert file.uri.endswith(("many.zip/x/a.ply", "many.zip/y/a.ply"))
                seen.append((scene.output, file.path.read_bytes()))
    assert seen == [(PurePosixPath("many/x/a"), b"one"), (PurePosixPath("many/y/a"), b"two!!")]
    assert list(folder.iterdir()) == []


def test_says_of_the_object_what_is_wrong_with_an_archive(store: LocalStore, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (store.root / "broken.zip").write_bytes(b"PK no archive")
    fetched = bring(store, "broken.zip", scratch)
    with (
        pytest.raises(BadInputError, match=r"^file://.*/store/broken\.zip: is damaged") as caught,
        unpacking(fetched, tmp_path),
    ):
        pytest.fail("it is open")
    assert str(scratch) not in str(caught.value)


POINTS = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"


class Counting(LocalStore):
    """A folder that notes what is asked of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.peeks: list[tuple[str, int]] = []

    def peek(self, key: str, size_bytes: int) -> Beginning:
        self.peeks.append((key, size_bytes))
        return super().peek(key, size_bytes)

    def stat(self, key: str) -> NoReturn:
        pytest.fail(f"{key} was looked at twice")


def test_a_prefix_of_a_trainer_has_its_scenes_and_says_what_is_none(tmp_path: Path) -> None:
    files = {"input.ply": POINTS, "cameras.json": b"[]", "point_cloud/7/a.ply": b"x", "b.spz": b"x", "empty.ply": b""}
    files |= {"lod/lod-meta.json": b'{"filenames": ["0_0.sog"]}', "lod/0_0.sog": b"x", "images.zip": b"x"}
    for name, content in files.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    store = Counting(tmp_path)
    objects, passed_over = find_objects(store, Location("pvc", "claim", "model/"))
    keys = ["b.spz", "empty.ply", "images.zip", "point_cloud/7/a.ply"]
    assert [entry.key for entry in objects] == [f"model/{key}" for key in keys]
    assert [each.name.removeprefix(store.uri("")) for each in passed_over] == [
        "model/input.ply",
        "model/lod/lod-meta.json",
    ]
    # A look at what a name does not tell, and none at the rest; what it says of a scene need not be asked again.
    assert [key for key, _ in sorted(store.peeks)] == [
        "model/input.ply",
        "model/lod/lod-meta.json",
        "model/point_cloud/7/a.ply",
    ]
    assert [entry.etag is not None for entry in objects] == [False, False, False, True]


def test_a_prefix_without_a_scene_says_what_it_has(store: LocalStore) -> None:
    (store.root / "a.PLY").write_bytes(POINTS)
    (store.root / "z.ply").write_bytes(POINTS)
    words = r"^pvc://store/ has no scene and no archive \(pvc://store/a\.PLY is a PLY of points .*, and 1 more"
    with pytest.raises(SourceMissingError, match=words):
        find_objects(LocalStore(store.root, "pvc://store/"), Location("pvc", "store", ""))


def test_points_that_were_named_are_refused_without_moving_them(store: LocalStore, tmp_path: Path) -> None:
    (store.root / "a.PLY").write_bytes(POINTS)
    with pytest.raises(BadInputError, match=r"a\.PLY is a PLY of points or a mesh, without splats; name a scene"):
        bring(store, "a.PLY", tmp_path)
    assert not (tmp_path / "a.PLY").exists()


def test_an_archive_says_what_is_passed_over_in_it(store: LocalStore, tmp_path: Path) -> None:
    with zipfile.ZipFile(store.root / "many.zip", "w") as archive:
        archive.writestr("a.ply", b"one")
        archive.writestr("mesh.ply", POINTS)
    (tmp_path / "unpacked").mkdir()
    with unpacking(bring(store, "many.zip", tmp_path), tmp_path / "unpacked") as found:
        assert len(found.scenes) == 1
        assert [each.name for each in found.passed_over] == [f"{store.uri('many.zip')}/mesh.ply"]


def test_an_archive_without_a_scene_is_told_from_a_broken_one(store: LocalStore, tmp_path: Path) -> None:
    with zipfile.ZipFile(store.root / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"x")
    fetched = bring(store, "photos.zip", tmp_path)
    words = r"^file://.*/photos\.zip: has no scene; see"
    with pytest.raises(NoSceneError, match=words), unpacking(fetched, tmp_path):
        pytest.fail("it is open")
