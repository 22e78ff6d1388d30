"""What is a scene in an archive, in which order, and that each comes out as it went in."""

from __future__ import annotations

import io
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_builders import KINDS, PLANES, build_meta, pack, tar, tar_file, zip_bytes
from scenes import DATA
from sogs_worker.errors import BadInputError, NotPermittedError, SourceMissingError
from sogs_worker.source.archives import is_archive, open_archive
from sogs_worker.source.search import NoSceneError, plane_names
from sogs_worker.source.selection import Selection

every_kind = pytest.mark.parametrize("kind", KINDS)

POINTS = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"

UNRELATED = {
    "readme.txt": b"hello",
    "photos/1.jpg": b"\xff\xd8",
    "__MACOSX/garden.ply": b"fork",
    "._garden.ply": b"fork",
    ".cache/old.ply": b"x",
    "dataset/meta.json": b'{"photos": 3}',
    "broken/meta.json": b"{",
    "Icon\r": b"",
}


def names(path: Path) -> list[str]:
    return [str(member.name) for member in open_archive(path).scenes]


@every_kind
def test_scenes_are_found_in_any_folder_in_the_archives_order(kind: str, tmp_path: Path) -> None:
    files = UNRELATED | {"z/b.ply": b"1", "a/c/d.compressed.ply": b"22", "A.PLY": b"333", "./e.sog": b"4"}
    archive = open_archive(pack(tmp_path, kind, files))
    assert [(str(member.name), member.size_bytes) for member in archive.scenes] == [
        ("z/b.ply", 1),
        ("a/c/d.compressed.ply", 2),
        ("A.PLY", 3),
        ("e.sog", 1),
    ]


@every_kind
def test_each_scene_comes_out_as_it_went_in_in_any_order(kind: str, tmp_path: Path) -> None:
    contents = {f"{index}/scene.ply": bytes([index]) * (3_000_000 if index == 1 else index) for index in range(4)}
    with open_archive(pack(tmp_path, kind, contents)) as archive:
        for member in (*archive.scenes, *reversed(archive.scenes)):
            folder = tmp_path / "out"
            folder.mkdir()
            path = archive.extract(member, folder)
            assert path == folder / "scene.ply"
            assert path.read_bytes() == contents[str(member.name)]
            path.unlink()
            folder.rmdir()


@every_kind
@pytest.mark.parametrize("meta_is_last", [False, True])
def test_an_unbundled_scene_is_its_meta_json_and_the_files_it_names(
    kind: str, meta_is_last: bool, tmp_path: Path
) -> None:
    planes = {f"garden/{name}": name.encode() for name in PLANES}
    meta = {"garden/meta.json": build_meta()}
    files = (planes | meta if meta_is_last else meta | planes) | {"garden/photo.webp": b"no", "sh0.webp": b"no"}
    with open_archive(pack(tmp_path, kind, files)) as archive:
        (member,) = archive.scenes
        folder = tmp_path / "out"
        folder.mkdir()
        assert archive.extract(member, folder) == folder / "meta.json"
    assert member.name == PurePosixPath("garden/meta.json")
    assert member.size_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "meta.json": build_meta(),
        **{name: name.encode() for name in PLANES},
    }


def test_a_missing_plane_is_left_to_the_reader(tmp_path: Path) -> None:
    (member,) = open_archive(pack(tmp_path, "zip", {"meta.json": build_meta(), "sh0.webp": b"x"})).scenes
    assert [str(entry.name) for entry in member.entries] == ["meta.json", "sh0.webp"]


def test_planes_outside_of_the_scenes_folder_are_not_taken() -> None:
    meta = b'{"means": {"files": ["../a.webp", "/b.webp", "c.webp", 7, ".", ""]}, "count": 1}'
    assert plane_names(meta) == ["c.webp"]
    assert plane_names(b"[" * 100_000) is None


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_of_every_tar_format(tar_format: int, tmp_path: Path) -> None:
    name = "/".join(["folder" * 6] * 4 + ["scene.ply"])
    path = tmp_path / "long.tar"
    path.write_bytes(tar(tar_file(name, b"long", tar_format=tar_format), tar_file("b.ply", b"short")))
    assert names(path) == [name, "b.ply"]


def test_attributes_of_one_file_do_not_become_the_next_ones(tmp_path: Path) -> None:
    attributes = {"path": "grün.ply", "size": "5", "LIBARCHIVE.xattr.note": "x=y"}
    path = tmp_path / "pax.tar"
    path.write_bytes(tar(tar_file("g.ply", b"12345", pax_headers=attributes), tar_file("b.ply", b"1")))
    assert [(str(member.name), member.size_bytes) for member in open_archive(path).scenes] == [
        ("grün.ply", 5),
        ("b.ply", 1),
    ]


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("name", ["a.tar", "a.tgz"])
def test_whether_a_tar_is_gzipped_is_told_by_its_content(gzipped: bool, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(tar(tar_file("a.ply", b"x"), gzipped=gzipped))
    assert names(tmp_path / name) == ["a.ply"]


def test_backslashes_of_old_packers_are_folders(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_bytes({"scenes\\garden.ply": b"x"}))
    assert names(tmp_path / "a.zip") == ["scenes/garden.ply"]


def test_a_zip_with_something_before_it(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"#!/bin/sh\n" + zip_bytes({"garden.ply": b"x"}))
    assert names(tmp_path / "a.zip") == ["garden.ply"]


def zip_of_raw_name(raw: bytes, extra: bytes = b"") -> bytes:
    """Return a ZIP whose scene has a name of these bytes, in no declared encoding, and an extra field."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        info = zipfile.ZipInfo("x" * len(raw))
        info.extra = extra
        archive.writestr(info, b"content")
        archive.writestr("garden.ply", b"x")
    return memory.getvalue().replace(b"x" * len(raw), raw)


def unicode_path(name: str, raw: bytes, *, version: int = 1, checksum: int | None = None) -> bytes:
    """Return Info-ZIP's extra field behind one of another kind."""
    crc = zlib.crc32(raw) if checksum is None else checksum
    body = struct.pack("<BL", version, crc) + name.encode()
    return struct.pack("<HH", 0x9999, 1) + b"?" + struct.pack("<HH", 0x7075, len(body)) + body


GBK = "说明.ply".encode("gbk")


@pytest.mark.parametrize(
    ("raw", "extra", "expected"),
    [
        ("grün.ply".encode(), b"", "grün.ply"),
        ("grün.ply".encode("cp437"), b"", "grün.ply"),
        (GBK, b"", GBK.decode("cp437")),
        (GBK, unicode_path("说明.ply", GBK), "说明.ply"),
        (b"plain.ply", unicode_path("说明.ply", b"plain.ply"), "说明.ply"),
        (GBK, unicode_path("old.ply", GBK, checksum=7), GBK.decode("cp437")),
        (GBK, unicode_path("new.ply", GBK, version=2), GBK.decode("cp437")),
    ],
    ids=["UTF-8", "cp437", "GBK", "declared", "declared, ASCII", "of another name", "of another version"],
)
def test_names_of_a_zip_in_the_encodings_that_packers_use(
    raw: bytes, extra: bytes, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zip_of_raw_name(raw, extra))
    with open_archive(path) as archive:
        first, second = archive.scenes
        (tmp_path / "out").mkdir()
        assert archive.extract(first, tmp_path / "out").read_bytes() == b"content"
    assert [str(first.name), str(second.name)] == [expected, "garden.ply"]


@given(st.binary(min_size=1, max_size=20).filter(lambda raw: not set(raw) & set(b"/\\:")))
def test_no_name_of_another_file_hides_the_scenes_of_a_zip(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.zip")
        path.write_bytes(zip_of_raw_name(raw + b".txt"))
        assert names(path) == ["garden.ply"]


def test_a_zip_of_a_report(tmp_path: Path) -> None:
    path = DATA / "reports" / "10a_zip_gbk_readme.zip"
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the files made after bug reports")
    with open_archive(path) as archive:
        (scene,) = archive.scenes
        assert archive.extract(scene, tmp_path).read_bytes().startswith(b"ply")


@pytest.mark.parametrize("name", ["a.zip", "a.ZIP", "b/a.tar", "a.tar.gz", "a.tgz"])
def test_is_archive(name: str) -> None:
    assert is_archive(name)


@pytest.mark.parametrize("name", ["zip", "a.gz", "a.ply", "a.zip.ply", "a.tar.bz2"])
def test_is_no_archive(name: str) -> None:
    assert not is_archive(name)


def test_it_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match=r"none\.zip: no such file"):
        open_archive(tmp_path / "none.zip")


def test_it_must_be_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    path = pack(tmp_path, "zip", {"a.ply": b""})
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(NotPermittedError, match="may not be read"):
        open_archive(path)


@every_kind
def test_only_what_is_taken_is_looked_at(kind: str, tmp_path: Path) -> None:
    files = {"a/x.ply": b"1", "a/inner.zip": b"2", "b/x.ply": POINTS, "b/x.spz": b"3", "lod/0.sog": b"4"}
    files |= {"lod/lod-meta.json": b'{"filenames": ["0.sog"]}', "c/meta.json": build_meta(), "c/d/meta.json": b"{"}
    path = pack(tmp_path, kind, files)
    archive = open_archive(path, Selection(exclude=("**/*.zip", "b/*.ply")))
    assert [str(member.name) for member in archive.scenes] == ["a/x.ply", "b/x.spz", "c/meta.json"]
    assert [each.name for each in archive.passed_over] == ["lod/lod-meta.json"]
    archive = open_archive(path, Selection(include=("*/meta.json",)))
    assert [str(member.name) for member in archive.scenes] == ["c/meta.json"]
    with pytest.raises(BadInputError, match=r"a/inner\.zip is an archive in an archive"):
        open_archive(path, Selection(include=("a/**",)))
    with pytest.raises(NoSceneError, match=r"has no scene that matches spec\.source\.include \*\.ply; see docs"):
        open_archive(path, Selection(include=("*.ply",)))


def test_a_link_that_is_not_taken_is_in_nobodys_way(tmp_path: Path) -> None:
    link = tar_file("b.ply", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    path = tmp_path / "links.tar"
    path.write_bytes(tar(tar_file("a.ply", b"1"), link))
    with pytest.raises(BadInputError, match=r"b\.ply is a link"):
        open_archive(path)
    assert [str(member.name) for member in open_archive(path, Selection(exclude=("b.*",))).scenes] == ["a.ply"]
