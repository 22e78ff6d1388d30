"""Damaged files of every format: they are read, or refused in one sentence; no other error, no warning, no hang.

A few hundred examples each; `FUZZ_EXAMPLES=100000` looks longer. What that found is in `FOUND`.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from packed_scenes import (
    build_glb,
    build_sog_v1,
    draw_glb_columns,
    draw_ksplat,
    draw_splat_rows,
    dump,
    pack_compressed_ply,
    pack_glb,
    pack_splat,
    pack_spz,
    pack_spz4,
    pack_spz_glb,
)
from sogs_worker.cli.inspect import format_description, inspect_file
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.layout import EncodedScene
from splat_builders import build_splats

IS_LONG = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))

Write = Callable[[Path, bytes], Path]
"""Writes a file of damaged bytes, and what belongs to it, into a folder."""


def as_file(suffix: str, wrap: Callable[[bytes], bytes] = bytes) -> Write:
    def write(folder: Path, data: bytes) -> Path:
        path = folder / f"scene{suffix}"
        path.write_bytes(wrap(data))
        return path

    return write


def binary_ply() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_ply(Path(folder) / "a.ply", build_splats(3, bands=1))
        return (Path(folder) / "a.ply").read_bytes()


def text_ply() -> bytes:
    head, _, _ = binary_ply().partition(b"end_header\n")
    rows = "\n".join(" ".join(str(column / 8) for column in range(26)) for _ in range(3))
    return head.replace(b"binary_little_endian", b"ascii") + b"end_header\n" + rows.encode()


@cache
def bundle() -> EncodedScene:
    return native.encode(build_splats(70, bands=1), parameters=Parameters(quality="fast"), device="cpu")


def zip_files(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def in_bundle(name: str) -> Write:
    """Put the damaged bytes in place of one of a bundle's files."""
    return as_file(
        ".sog", lambda data: zip_files({"meta.json": bundle().meta.to_json(), **bundle().images, name: data})
    )


def beside_planes(name: str) -> Write:
    """Put them in place of a file of an unbundled scene of version 1."""

    def write(folder: Path, data: bytes) -> Path:
        meta, planes = build_sog_v1(64, bands=1)
        for each, content in {"meta.json": dump(meta), **planes, name: data}.items():
            (folder / each).write_bytes(content)
        return folder / "meta.json"

    return write


def headers_of_ksplat(data: bytes) -> bytes:
    """Return what is in the headers of a file with two sections; the rest of their 4096 and 1024 bytes is padding."""
    return b"".join(data[start : start + 44] for start in (0, 4096, 5120))


def with_headers(data: bytes, headers: bytes) -> bytes:
    headers = headers.ljust(132, b"\0")
    return (
        headers[:44] + data[44:4096] + headers[44:88] + data[4140:5120] + headers[88:132] + data[5164:]
    )  # fmt: skip


def as_png(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.save(buffer, "PNG")
    return buffer.getvalue()


TARGETS: dict[str, tuple[Callable[[], bytes], Write]] = {
    "ply": (binary_ply, as_file(".ply")),
    "ply-text": (text_ply, as_file(".ply")),
    "compressed-ply": (lambda: pack_compressed_ply(5), as_file(".compressed.ply")),
    "splat": (lambda: pack_splat(draw_splat_rows(3)), as_file(".splat")),
    "spz": (pack_spz, as_file(".spz")),
    **{
        f"spz-{version}": (lambda version=version: gzip.decompress(pack_spz(version=version)),
                           as_file(".spz", lambda data: gzip.compress(data, 1)))
        for version in (1, 2, 3)
    },
    "spz-4": (pack_spz4, as_file(".spz")),
    **{f"ksplat-{level}": (lambda level=level: draw_ksplat(4, level=level), as_file(".ksplat")) for level in range(3)},
    "ksplat-headers": (lambda: headers_of_ksplat(draw_ksplat(4)),
                       as_file(".ksplat", lambda data: with_headers(draw_ksplat(4), data))),
    "glb": (lambda: pack_glb(*build_glb(draw_glb_columns(3))), as_file(".glb")),
    "glb-document": (lambda: dump(build_glb(draw_glb_columns(3))[0]),
                     as_file(".glb", lambda data: pack_glb(data, build_glb(draw_glb_columns(3))[1]))),
    "glb-spz": (lambda: pack_spz_glb(pack_spz4()), as_file(".glb")),
    "sog": (lambda: zip_files({"meta.json": bundle().meta.to_json(), **bundle().images}), as_file(".sog")),
    "sog-meta": (lambda: bundle().meta.to_json(), in_bundle("meta.json")),
    "sog-plane": (lambda: bundle().images["sh0.webp"], in_bundle("sh0.webp")),
    "sog-palette": (lambda: bundle().images["shN_centroids.webp"], in_bundle("shN_centroids.webp")),
    "sog-png": (lambda: as_png(bundle().images["sh0.webp"]), in_bundle("sh0.webp")),
    "sog-1-meta": (lambda: dump(build_sog_v1(64, bands=1)[0]), beside_planes("meta.json")),
    "sog-1-plane": (lambda: build_sog_v1(64, bands=1)[1]["quats.webp"], beside_planes("quats.webp")),
}  # fmt: skip


def name_is_no_utf8() -> bytes:
    data = bytearray(TARGETS["sog"][0]())
    data[7] |= 8  # the flag that says that it is
    data[30] = 0x80
    return bytes(data)


FOUND = {"name of a bundle's file is no UTF-8": ("sog", name_is_no_utf8)}
"""Files that something other than a refusal came out of: the target, and what builds the damaged bytes."""

NUMBERS = [b"0", b"-1", b"99999999999", b"1e39", b"NaN", b"null", b"[]", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\n"]


@st.composite
def damages(draw: st.DrawFn, data: bytes) -> bytes:
    """Flip, cut, insert, duplicate and replace bytes, most of them near the ends, where headers and directories are."""
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        last = max(0, len(damaged) - 1)
        place = draw(st.integers(0, min(last, 64)) | st.integers(0, last) | st.integers(max(0, last - 500), last))
        length = draw(st.integers(0, 8) | st.integers(0, last - place))
        match draw(st.sampled_from(["flip", "set", "cut", "insert", "duplicate", "number", "end"])):
            case "flip" if damaged:
                damaged[place] ^= 1 << draw(st.integers(0, 7))
            case "set":
                damaged[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del damaged[place : place + length]
            case "insert":
                damaged[place:place] = draw(st.binary(max_size=8))
            case "duplicate":
                damaged[place:place] = damaged[place : place + length]
            case "number":
                new = draw(st.sampled_from(NUMBERS))
                damaged[place : place + len(new)] = new
            case "end":
                del damaged[place:]
    return bytes(damaged)


def check(target: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = TARGETS[target][1](Path(folder), data)
        refusal = inspect_or_refuse(path)
        assert refusal is None or (refusal.startswith(f"{path}: ") and "\n" not in refusal), refusal


def inspect_or_refuse(path: Path) -> str | None:
    """Return the refusal, if the file is refused."""
    try:
        description = inspect_file(path)
    except BadInputError as error:
        return str(error)
    json.dumps(description, allow_nan=False)
    format_description(description)
    return None


@pytest.mark.parametrize("target", TARGETS)
def test_a_damaged_file_is_read_or_refused(target: str) -> None:
    seed = TARGETS[target][0]()
    check(target, seed)

    @settings(max_examples=EXAMPLES, deadline=5000, suppress_health_check=list(HealthCheck), derandomize=not IS_LONG)
    @given(damages(seed))
    def search(data: bytes) -> None:
        check(target, data)

    search()


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_found(name: str) -> None:
    target, build = FOUND[name]
    check(target, build())
