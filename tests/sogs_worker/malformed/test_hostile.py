"""Small files made to do harm: each is refused within seconds and without much memory, whatever it claims."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sogs_worker
from packed_scenes import (
    build_glb,
    build_sog_v1,
    compress_zstd,
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
    pack_spz_header,
)
from splat_builders import NAMES

MEBIBYTE = 1 << 20
MOST_MEMORY = 512 * MEBIBYTE
MOST_SECONDS = 5
HUGE = 2**31
FLOODED = 1_190_000
"""Splats without SH that a small SPZ may just claim."""

MEASURE = """
import json, re, sys, time
from pathlib import Path
from sogs_worker import engines
from sogs_worker.scenes import compress
from sogs_worker.cli.main import main

def memory(field):
    return 1024 * int(re.search(field + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

for path in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")
    before, started = memory("VmRSS"), time.monotonic()
    code = main(["compress", "--device", "cpu", path, path + ".out.sog"])
    print(json.dumps([path, code, memory("VmHWM") - before, time.monotonic() - started]))
"""


def ply(encoding: str, count: int, properties: list[str], body: bytes) -> bytes:
    lines = ["ply", f"format {encoding} 1.0", f"element vertex {count}"]
    return "\n".join([*lines, *(f"property {each}" for each in properties), "end_header", ""]).encode() + body


def sog(meta: dict[str, Any], planes: dict[str, bytes], extra: dict[str, int] | None = None) -> bytes:
    """Make a bundle; `extra` are files of so many zeros, deflated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in {"meta.json": dump(meta), **planes}.items():
            if name not in (extra or {}):
                archive.writestr(name, data)
        for name, size in (extra or {}).items():
            with archive.open(name, "w") as file:
                for _ in range(size // MEBIBYTE):
                    file.write(bytes(MEBIBYTE))
    return buffer.getvalue()


def sog_v1(spoil: Callable[[dict[str, Any], dict[str, bytes]], object], **extra: int) -> bytes:
    meta, planes = build_sog_v1(64, bands=1)
    spoil(meta, planes)
    return sog(meta, planes, {name.replace("__", "."): size for name, size in extra.items()})


def one_colour(width: int, height: int) -> bytes:
    """A whole lossless WebP image of any size in 38 bytes: five prefix codes of one symbol take no bits a pixel."""
    bits, length = 0, 0
    fields = [(width - 1, 14), (height - 1, 14), (1, 1), (0, 3), (0, 3), *[(0b001, 3), (0, 1)] * 4, (0b001, 3), (0, 1)]
    for value, size in fields:
        bits |= value << length
        length += size
    data = b"\x2f" + bits.to_bytes(-(-length // 8), "little")
    data += bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", 12 + len(data)) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data


def zeros_of_spz(count: int, splats: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as stream:
        stream.write(pack_spz_header(count, version=2, bands=0))
        for _ in range(0, splats, FLOODED):
            stream.write(bytes(19 * FLOODED))
    return buffer.getvalue()


def zstd_bomb() -> bytes:
    """A stream that declares what the count needs, and is a thousand times that."""
    parts = [compress_zstd(bytes(256 * MEBIBYTE)), *(compress_zstd(bytes(5 * width)) for width in (1, 3, 3, 4))]
    table = b"".join(
        struct.pack("<QQ", len(part), 5 * width) for part, width in zip(parts, (9, 1, 3, 3, 4), strict=True)
    )
    return struct.pack("<IIIBBBBI12x", 0x5053474E, 4, 5, 0, 12, 0, 5, 32) + table + b"".join(parts)


def with_number(data: bytes, place: int, number: int) -> bytes:
    return data[:place] + struct.pack("<I", number) + data[place + 4 :]


def glb(spoil: Callable[[dict[str, Any]], object], count: int = 5) -> bytes:
    document, body = build_glb(
        {name: rows.repeat(count // 5, 0) for name, rows in draw_glb_columns(5, bands=0).items()}
    )
    spoil(document)
    return pack_glb(document, body)


FLOATS = [f"float {name}" for name in NAMES]
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "claims.ply": (lambda: ply("binary_little_endian", HUGE, FLOATS, bytes(560)), "truncated"),
    "claims-text.ply": (lambda: ply("ascii", HUGE, FLOATS, b"1 " * 14), "truncated"),
    "list.ply": (lambda: ply("ascii", HUGE, [*FLOATS, "list uchar int around"], b"1 " * 15), "around is a list"),
    "noise.ply": (lambda: b"plx\n" + bytes(1000), "not a PLY file"),
    "long-lines.ply": (lambda: ply("ascii", 2, FLOATS, b"1" * 4 * MEBIBYTE), "vertices"),
    "many-digits.ply": (lambda: b"ply\nelement vertex " + b"9" * 100_000, "bad PLY header line"),
    "claims.compressed.ply": (
        lambda: pack_compressed_ply().replace(b"vertex 300", b"vertex 2147483648"), "truncated",
    ),
    "truncated.compressed.ply": (lambda: pack_compressed_ply()[:-1], "truncated"),
    "list.compressed.ply": (
        lambda: pack_compressed_ply().replace(b"uint packed_color", b"list uchar uint packed_color"), "has a list",
    ),
    "truncated.splat": (lambda: pack_splat(draw_splat_rows(9))[:-1], "287 bytes"),
    "trailing.splat": (lambda: pack_splat(draw_splat_rows(9)) + b"tail", "292 bytes"),
    "page.splat": (lambda: b"<html><body>no such file, sorry</body></html>\n".ljust(4096), "not a .splat file"),
    "claims.spz": (lambda: zeros_of_spz(HUGE, 0), "claims 2,147,483,648 splats"),
    "claims-4.spz": (lambda: struct.pack("<IIIBBBBI12x", 0x5053474E, 4, HUGE, 3, 12, 0, 6, 32) + bytes(96), "claims"),
    "bomb.spz": (lambda: zeros_of_spz(5, 30_000_000), "goes on after its last splat"),
    "flood.spz": (lambda: zeros_of_spz(FLOODED, 3 * FLOODED), "goes on after its last splat"),
    "bomb-4.spz": (zstd_bomb, "is damaged"),
    "truncated.spz": (lambda: pack_spz()[:-1], "damaged or cut off"),
    "trailing.spz": (lambda: pack_spz() + b"tail", "damaged or cut off"),
    "trailing-4.spz": (lambda: pack_spz4() + b"tail", "do not end where the file does"),
    "noise.spz": (lambda: b"NGSQ" + bytes(1000), "not an SPZ file"),
    "version.spz": (lambda: pack_spz(version=9), "version 9"),
    "claims.ksplat": (lambda: with_number(draw_ksplat(), 4096 + 4, HUGE), "cut off: a section ends at byte"),
    "sections.ksplat": (lambda: with_number(draw_ksplat(), 4, HUGE), "declares 2,147,483,648 sections"),
    "buckets.ksplat": (lambda: with_number(draw_ksplat(), 4096 + 32, HUGE), "have no centres"),
    "centres.ksplat": (lambda: with_number(draw_ksplat(), 4096 + 12, HUGE), "cut off: a section ends at byte"),
    "noise.ksplat": (lambda: b"\1" + bytes(9000), "version 1.0"),
    "claims.glb": (lambda: glb(lambda document: document["accessors"][0].update(count=HUGE)), "of its view"),
    "instances.glb": (
        lambda: glb(lambda document: document.update(
            nodes=[{"mesh": 0}] * 1000, scenes=[{"nodes": list(range(1000))}]), 20_000), "claims",
    ),
    "nodes.glb": (
        lambda: glb(lambda document: document.update(
            nodes=[{"mesh": 0, "children": [1 + each]} for each in range(100_000)] + [{}])), "has 100,001 nodes",
    ),
    "deep.glb": (lambda: pack_glb(b'{"nodes":' + b"[" * 4_000_000), "JSON is not valid"),
    "claims-spz.glb": (lambda: pack_spz_glb(zeros_of_spz(HUGE, 0)), "claims 2,147,483,648 splats"),
    "bomb-spz.glb": (lambda: pack_spz_glb(zeros_of_spz(5, 30_000_000)), "goes on after its last splat"),
    "claims.sog": (lambda: sog_v1(lambda meta, _: meta["means"].update(shape=[HUGE, 3])), "claims"),
    "flood.sog": (
        lambda: sog_v1(lambda meta, _: (meta["means"].update(shape=[1_100_000, 3]), meta.pop("shN"))), "fewer than",
    ),
    "bomb-plane.sog": (lambda: sog_v1(lambda *_: None, sh0__webp=600 * MEBIBYTE), "is the limit"),
    "bomb-meta.sog": (lambda: sog_v1(lambda *_: None, meta__json=600 * MEBIBYTE), "is the limit"),
    "huge-plane.sog": (
        lambda: sog_v1(lambda _, planes: planes.update({"sh0.webp": one_colour(16383, 16383)})), "16383 x 16383",
    ),
    "huge-palette.sog": (
        lambda: sog_v1(lambda _, planes: planes.update({"shN_centroids.webp": one_colour(192, 16383)})), "192 x 16383",
    ),
    "palette.sog": (
        lambda: sog({"version": 2, "count": 1, **{
            name: {"mins": [0] * 3, "maxs": [0] * 3, "codebook": [0] * 256, "count": 70_000, "bands": 3,
                   "files": ["a.webp"] * (2 if name in ("means", "shN") else 1)}
            for name in ("means", "scales", "quats", "sh0", "shN")}}, {}),
        "shN.count must be 1 to 65536, got 70000",
    ),
    "version.sog": (lambda: sog({"version": 9}, {}), "SOG version 9"),
    "truncated.sog": (lambda: sog_v1(lambda *_: None)[:-30], "not a ZIP archive"),
    "noise.sog": (lambda: bytes(1000), "not a ZIP archive"),
}  # fmt: skip


def test_each_is_refused_soon_and_with_little_memory(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in HOSTILE]
    for path in paths:
        path.write_bytes(HOSTILE[path.name][0]())
        assert path.stat().st_size <= 4.1 * MEBIBYTE
    environment = {**os.environ, "PYTHONPATH": str(Path(sogs_worker.__file__).parents[1])}
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    sentences = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    measured = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [path for path, *_ in measured] == [str(path) for path in paths]
    assert len(sentences) == len(paths), ended.stderr
    for path, sentence, (_, code, memory, seconds) in zip(paths, sentences, measured, strict=True):
        assert f"{path}: " in sentence, path.name
        assert HOSTILE[path.name][1] in sentence, sentence
        assert code == 65, path.name
        assert memory < MOST_MEMORY, f"{path.name}: {memory / MEBIBYTE:.0f} MiB"
        assert seconds < MOST_SECONDS, f"{path.name}: {seconds:.1f} s"
    assert sorted(tmp_path.iterdir()) == sorted(paths)


@pytest.mark.parametrize(("width", "height"), [(3, 5), (100, 1)])
def test_the_image_of_one_colour_is_an_image(width: int, height: int) -> None:
    from sogs_worker.formats.sog.webp import decode_plane

    assert decode_plane(one_colour(width, height)).shape == (height, width, 4)
