"""Whatever a file is and however it is called, it is read or refused as what it is."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packed_scenes import draw_splat_rows, pack_compressed_ply, pack_splat, pack_spz, pack_spz4
from sogs_worker.errors import BadInputError, SourceMissingError
from sogs_worker.formats import READERS, read_scene
from sogs_worker.formats.found import HEAD_BYTES, find_kind
from sogs_worker.formats.ply.file import write_ply
from splat_builders import build_splats


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("scene.ply"))
    return buffer.getvalue()


def image(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, kind)
    return buffer.getvalue()


POINTER = b"version https://git-lfs.example/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"

KINDS: dict[str, tuple[Callable[[], bytes], str, tuple[str, ...]]] = {
    "empty": (lambda: b"", "an empty file", ()),
    "zeros": (lambda: bytes(4096), "nothing but zeros", (".splat",)),
    "ply": (pack_compressed_ply, "a PLY file", (".ply",)),
    "ply of Mac": (lambda: b"ply\rformat ascii 1.0\rend_header\r", "a PLY file", (".ply",)),
    "spz": (pack_spz, "packed by gzip", (".spz",)),
    "spz 4": (pack_spz4, "an SPZ file", (".spz",)),
    "zip": (lambda: zipped(scene__ply=b"ply\n"), "a ZIP archive", (".sog",)),
    "empty zip": (zipped, "a ZIP archive", (".sog",)),
    "gzip": (lambda: gzip.compress(b"ply\n" + bytes(99)), "packed by gzip", (".spz",)),
    "tar": (tarred, "a tar archive", ()),
    "pointer": (lambda: POINTER, "a Git LFS pointer", ()),
    "page": (lambda: b"\n<!DOCTYPE html>\n<html><body>not found", "a web page", ()),
    "error": (lambda: b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "an XML document", ()),
    "cameras": (lambda: json.dumps([{"id": 0}] * 99).encode(), "JSON", (".json",)),
    "settings": (lambda: b"\xef\xbb\xbf{}", "JSON", (".json",)),
    "text": (lambda: "Szene für später\n".encode() * 40, "text", (".bin", "")),
    "webp": (lambda: image("WEBP"), "a WebP image", ()),
    "png": (lambda: image("PNG"), "a PNG image", ()),
    "jpeg": (lambda: image("JPEG"), "a JPEG image", ()),
    "glb": (lambda: b"glTF\x02\0\0\0" + bytes(99), "a binary glTF", (".glb",)),
    "splat": (lambda: pack_splat(draw_splat_rows(40)), "", tuple(READERS)),
}
"""Bytes, what they are called, and as which suffixes they may be given to the reader."""


@pytest.mark.parametrize("suffix", [*READERS, ".bin", ""])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_under_every_name(kind: str, suffix: str, tmp_path: Path) -> None:
    build, name, suffixes = KINDS[kind]
    path = tmp_path / f"scene{suffix}"
    path.write_bytes(build())
    try:
        assert len(read_scene(path)) > 0
        said = ""
    except BadInputError as error:
        said = str(error)
    if suffix not in suffixes and name:
        assert said.startswith(f"{path}: is {name}")
        assert "; " in said
    assert said == "" or said.startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", [*READERS, ".bin", ".zip", ""])
def test_a_file_that_is_not_there_is_missing_whatever_it_is_called(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match="no such file"):
        read_scene(tmp_path / f"none{suffix}")


@settings(max_examples=100)
@given(seed=st.integers(0, 10**6))
def test_a_splat_file_is_hardly_ever_taken_for_something_else(seed: int) -> None:
    assert find_kind(pack_splat(draw_splat_rows(20, seed))[:HEAD_BYTES]) is None


@settings(max_examples=300)
@given(data=st.binary(max_size=600), suffix=st.sampled_from([*READERS]))
def test_any_bytes_are_read_or_refused_once(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(data)
    said = ""
    try:
        read_scene(path)
    except BadInputError as error:
        said = str(error)
    assert said == "" or (said.startswith(f"{path}: ") and "\n" not in said)


def test_a_scene_is_no_other_kind(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.PLY", build_splats(3))
    assert len(read_scene(tmp_path / "a.PLY")) == 3


@pytest.mark.parametrize(
    ("files", "words"),
    [({"scene__ply": b"ply\n"}, "as SOG bundles have"), ({"lod-meta__json": b"{}"}, "holds a streamed SOG")],
)
def test_an_archive_that_is_no_bundle_is_told_apart(files: dict[str, bytes], words: str, tmp_path: Path) -> None:
    path = tmp_path / "scene.sog"
    path.write_bytes(zipped(**files))
    with pytest.raises(BadInputError, match=words):
        read_scene(path)
