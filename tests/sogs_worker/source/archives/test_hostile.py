"""Archives that mean harm, or were harmed: one sentence with the archive's name, exit code 65, nothing left behind."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from archive_builders import pack, tar, tar_file, zip_bytes
from sogs_worker.errors import BadInputError, StorageError
from sogs_worker.source.archives import open_archive

NOISE = hashlib.shake_128().digest(100_000)
SCENE = {"garden.ply": NOISE}


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace bytes that must be there."""
    assert old in data
    return data.replace(old, new)


def in_directory(data: bytes, offset: int, field: str, value: int) -> bytes:
    """Change a field of a ZIP's first central header."""
    changed = bytearray(data)
    struct.pack_into(field, changed, data.index(b"PK\x01\x02") + offset, value)
    return bytes(changed)


def zip_with_kind(mode: int) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        info = zipfile.ZipInfo("garden.ply")
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, b"/etc/passwd")
    return memory.getvalue()


def overlapping_zip() -> bytes:
    """Two entries in the directory for one file's bytes."""
    data = zip_bytes({"a.ply": NOISE, "b.ply": b""})
    second = data.rindex(b"PK\x01\x02")
    return data[: second + 42] + struct.pack("<L", 0) + data[second + 46 :]


def tar_of_kind(kind: bytes) -> bytes:
    return tar(tar_file("garden.ply", type=kind, linkname="/etc/passwd"))


def zip_twice() -> bytes:
    return patched(zip_bytes({"a.ply": b"1", "b.ply": b"2"}), b"b.ply", b"a.ply")


def pax(*records: bytes) -> bytes:
    """Return a tar whose scene has these attributes, well made or not."""
    return tar(tar_file("x", b"".join(records), type=b"x"), tar_file("a.ply", b"1"))


def gzip_bomb() -> bytes:
    header = tarfile.TarInfo("a.ply")
    header.size = 200 << 20
    return gzip.compress(header.tobuf() + bytes(header.size), 1)


def header_with_size(size: int, **fields: object) -> bytes:
    """Return a tar's header that lies."""
    header = tarfile.TarInfo("a.ply")
    header.size = size
    for field, value in fields.items():
        setattr(header, field, value)
    return header.tobuf(tarfile.GNU_FORMAT)


PLAIN_ZIP = zip_bytes(SCENE)
PLAIN_TAR = tar(tar_file("garden.ply", NOISE))
GZIPPED = tar(tar_file("garden.ply", NOISE), gzipped=True)

HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty zip": ("zip", lambda: b"", "is damaged or no .zip archive"),
    "empty tar": ("tar", lambda: b"", "ends in the middle"),
    "no zip": ("zip", lambda: NOISE, "is damaged or no .zip archive"),
    "no tar": ("tar", lambda: NOISE, "is not a tar archive"),
    "no gzip": ("tgz", lambda: b"\x1f\x8b" + NOISE, "is damaged or no .tgz archive"),
    "gzip of no tar": ("tar.gz", lambda: gzip.compress(NOISE), "is not a tar archive"),
    "zip without a file": ("zip", lambda: zip_bytes({}), "is empty"),
    "no scene": ("zip", lambda: zip_bytes({"readme.txt": b""}), "has no scene"),
    "no file": ("tar", tar, "is empty"),
    "zip without its end": ("zip", lambda: PLAIN_ZIP[:50_000], "is damaged or no .zip archive"),
    "zip without its beginning": ("zip", lambda: PLAIN_ZIP[50_000:], "entries that overlap"),
    "tar without its end": ("tar", lambda: PLAIN_TAR[:50_000], "ends in the middle"),
    "tar without end mark": ("tar", lambda: PLAIN_TAR[:-1024], "ends in the middle"),
    "gzip without its end": ("tgz", lambda: GZIPPED[:50_000], "is damaged or no .tgz archive"),
    "gzip with a changed byte": ("tgz", lambda: GZIPPED[:50_000] + b"\0\0" + GZIPPED[50_002:], "is damaged or no"),
    "gzip with a wrong checksum": ("tgz", lambda: GZIPPED[:-8] + bytes(4) + GZIPPED[-4:], "is damaged or no"),
    "tar with a changed header": (
        "tar",
        lambda: tar(tar_file("a.ply", b"1"), patched(tar_file("b.ply"), b"b.ply", b"c.ply")),
        "is damaged",
    ),
    "parent folder in zip": ("zip", lambda: zip_bytes({"../a.ply": b""}), ": ../a.ply leads out of the archive"),
    "parent folder in the middle": ("tar", lambda: tar(tar_file("a/../../b.txt")), "leads out of the archive"),
    "parent folder of Windows": ("tar", lambda: tar(tar_file("a\\..\\..\\b.ply")), "leads out of the archive"),
    "absolute in zip": ("zip", lambda: zip_bytes({"/etc/a.ply": b""}), "leads out of the archive"),
    "absolute in tar": ("tar", lambda: tar(tar_file("/etc/a.ply")), "leads out of the archive"),
    "drive": ("zip", lambda: zip_bytes({"C:\\a.ply": b""}), "leads out of the archive"),
    "parent folder in attributes": ("tar", lambda: pax(b"17 path=../b.ply\n"), "leads out of the archive"),
    "symbolic link in zip": ("zip", lambda: zip_with_kind(0o120777), "garden.ply is a link or a device"),
    "FIFO in zip": ("zip", lambda: zip_with_kind(0o010644), "garden.ply is a link or a device"),
    "symbolic link": ("tar", lambda: tar_of_kind(tarfile.SYMTYPE), "garden.ply is a link"),
    "hard link": ("tar", lambda: tar_of_kind(tarfile.LNKTYPE), "garden.ply is a link"),
    "character device": ("tar", lambda: tar_of_kind(tarfile.CHRTYPE), "garden.ply is no regular file"),
    "block device": ("tar", lambda: tar_of_kind(tarfile.BLKTYPE), "garden.ply is no regular file"),
    "FIFO": ("tar", lambda: tar_of_kind(tarfile.FIFOTYPE), "garden.ply is no regular file"),
    "unknown kind": ("tar", lambda: tar_of_kind(b"Z"), "garden.ply is no regular file"),
    "sparse, GNU": ("tar", lambda: tar_of_kind(tarfile.GNUTYPE_SPARSE), "sparse"),
    "sparse, pax": ("tar", lambda: pax(b"22 GNU.sparse.major=1\n"), "a.ply is a sparse file"),
    "encrypted": ("zip", lambda: in_directory(PLAIN_ZIP, 8, "<H", 1), "garden.ply is encrypted"),
    "bzip2": ("zip", lambda: zip_bytes(SCENE, method=zipfile.ZIP_BZIP2), "compressed by method 12"),
    "LZMA": ("zip", lambda: zip_bytes(SCENE, method=zipfile.ZIP_LZMA), "compressed by method 14"),
    "deflate64": ("zip", lambda: in_directory(PLAIN_ZIP, 10, "<H", 9), "compressed by method 9"),
    "a version of tomorrow": ("zip", lambda: in_directory(PLAIN_ZIP, 6, "<H", 99), "is damaged or no .zip"),
    "bomb in zip": ("zip", lambda: zip_bytes({"a.ply": bytes(70 << 20)}, method=8), "more than any scene has"),
    "bomb in gzip": ("tar.gz", gzip_bomb, "becomes more than 100 times as long"),
    "overlapping entries": ("zip", overlapping_zip, "entries that overlap"),
    "zip in zip": ("zip", lambda: zip_bytes({"a/b.zip": PLAIN_ZIP}), "a/b.zip is an archive in an archive"),
    "tgz beside a scene": ("zip", lambda: zip_bytes(SCENE | {"b.tgz": GZIPPED}), "b.tgz is an archive in an archive"),
    "twice in zip": ("zip", zip_twice, "a.ply is there twice"),
    "twice in tar": ("tar", lambda: tar(tar_file("a.ply"), tar_file("./a.ply")), "a.ply is there twice"),
    "false UTF-8 in zip": (
        "zip",
        lambda: patched(zip_bytes({"grXn.ply": b""} | {"ü": b""}), "ü".encode(), b"\xfc\xfc"),
        "declares names as UTF-8",
    ),
    "Latin-1 in tar": ("tar", lambda: tar(tar_file("gr\udcfcn.ply")), r"'gr\udcfcn.ply' is not UTF-8"),
    "line break in a name": ("tar", lambda: tar(tar_file("a\n.ply")), r"'a\n.ply' is not UTF-8 or has control"),
    "escape in a name": ("zip", lambda: zip_bytes({"\x1b[2J.ply": b""}), r"'\x1b[2J.ply' is not UTF-8 or has"),
    "long name": ("tar", lambda: tar(tar_file("a" * 252 + ".ply")), "more than 255 bytes"),
    "deep name": ("tar", lambda: tar(tar_file("a/" * 500 + "b.ply")), "1,000 with its folders"),
    "endless name": (
        "tar",
        lambda: tar(header_with_size(70_000, type=b"L"), b"a" * 70_144),
        "a name or attributes of 70,000 bytes",
    ),
    "name of 8 GiB": ("tar", lambda: tar(header_with_size(8 << 30, type=b"L")), "a name or attributes of"),
    "negative size": ("tar", lambda: tar(header_with_size(-512)), "sparse or damaged"),
    "size beyond the end": ("tar", lambda: tar(header_with_size(1 << 62)), "ends in the middle"),
    "size in attributes": ("tar", lambda: pax(b"30 size=999999999999999999999\n"), "damaged attributes"),
    "length 0 of an attribute": ("tar", lambda: pax(b"0 path=b.ply\n"), "damaged attributes"),
    "endless digits": ("tar", lambda: pax(b"1" * 60_000), "damaged attributes"),
    "attribute beyond the end": ("tar", lambda: pax(b"999 path=b.ply\n"), "damaged attributes"),
    "directory of 4 GiB": (
        "zip",
        lambda: PLAIN_ZIP[:-10] + struct.pack("<LLH", 2**32 - 2, 0, 0),
        "is damaged or no .zip archive",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_one_sentence(name: str, tmp_path: Path) -> None:
    suffix, build, words = HOSTILE[name]
    path = tmp_path / f"scenes.{suffix}"
    path.write_bytes(build())
    with pytest.raises(BadInputError) as refusal:
        open_archive(path)
    sentence = str(refusal.value)
    assert sentence.startswith(f"{path}: ")
    assert words in sentence
    assert sentence.isprintable()
    assert len(sentence) < 400 + len(str(path))


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_too_many_entries(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("zips", "tars"):
        monkeypatch.setattr(f"sogs_worker.source.archives.{module}.MAX_ENTRIES", 50)
    path = pack(tmp_path, kind, {f"{index}.txt": b"" for index in range(101)})
    with pytest.raises(BadInputError, match="has more than 50 entries"):
        open_archive(path)


def test_links_and_odd_names_elsewhere_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    others = [tar_file("latest", type=tarfile.SYMTYPE, linkname="/"), tar_file("pipe", type=tarfile.FIFOTYPE)]
    path.write_bytes(tar(*others, tar_file("Icon\r"), tar_file("n\udcff.txt", b"x"), tar_file("a.ply", b"1")))
    assert [str(member.name) for member in open_archive(path).scenes] == ["a.ply"]


DAMAGED = {
    "wrong checksum": lambda: patched(PLAIN_ZIP, NOISE[:100], bytes(100)),
    "shorter than declared": lambda: in_directory(in_directory(PLAIN_ZIP, 24, "<L", 100_001), 20, "<L", 100_000),
    "longer than declared": lambda: in_directory(PLAIN_ZIP, 24, "<L", 50),
    "another name": lambda: PLAIN_ZIP.replace(b"garden.ply", b"castle.ply", 1),
    "no local header": lambda: PLAIN_ZIP.replace(b"PK\x03\x04", b"PK\x09\x09", 1),
    "no deflate": lambda: in_directory(PLAIN_ZIP, 10, "<H", 8),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_found_while_unpacking_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    path, folder = tmp_path / "scenes.zip", tmp_path / "out"
    path.write_bytes(DAMAGED[name]())
    folder.mkdir()
    with open_archive(path) as archive, pytest.raises(BadInputError, match=r"scenes\.zip: garden\.ply (is|declares)"):
        archive.extract(archive.scenes[0], folder)
    assert list(folder.iterdir()) == []


def test_a_scene_needs_space(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar(tar_file("a.ply", b"1")))
    with open_archive(path) as archive:
        (member,) = archive.scenes
        huge = type(member)(member.name, 1 << 60, member.entries)
        with pytest.raises(StorageError, match="of scratch space"):
            archive.extract(huge, tmp_path)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr("sogs_worker.source.archives.archive._copy", fail)
    with open_archive(pack(tmp_path, "zip", SCENE)) as archive, pytest.raises(StorageError, match="No space left"):
        archive.extract(archive.scenes[0], folder)
    assert list(folder.iterdir()) == []


def test_a_link_in_the_scratch_folder_is_not_followed(tmp_path: Path) -> None:
    folder, victim = tmp_path / "out", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("whole")
    (folder / "garden.ply").symlink_to(victim)
    with open_archive(pack(tmp_path, "zip", SCENE)) as archive, pytest.raises(StorageError, match="exists"):
        archive.extract(archive.scenes[0], folder)
    assert victim.read_text() == "whole"
    assert (folder / "garden.ply").is_symlink()
