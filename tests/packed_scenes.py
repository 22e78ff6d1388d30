"""Packed scene files written from the formats' published layouts with `struct`, sharing nothing with the readers.

Every packer takes integers or raw floats as the format stores them, so that a test says what each of them means.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import zstandard
from PIL import Image

SPZ_SH = (0, 3, 8, 15, 24)
CHUNK_NAMES = [
    f"{end}_{part}{axis}" for part, axes in (("", "xyz"), ("scale_", "xyz"), ("", "rgb")) for end in ("min", "max")
    for axis in axes
]  # fmt: skip


def draw_bytes(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8).tobytes()


def pack_spz_body(count: int, *, version: int, bands: int, seed: int = 0) -> list[bytes]:
    """Positions, alphas, colours, scales, rotations, SH, with random bits."""
    widths = [6 if version == 1 else 9, 1, 3, 3, 3 if version < 3 else 4, 3 * SPZ_SH[bands]]
    parts = [draw_bytes(count * width, seed + i) for i, width in enumerate(widths)]
    if version == 1:
        parts[0] = np.random.default_rng(seed).normal(size=3 * count).astype("<f2").tobytes()
    return parts


def pack_spz_header(count: int, *, version: int, bands: int, flags: int = 0, fraction_bits: int = 12) -> bytes:
    return struct.pack("<IIIBBBB", 0x5053474E, version, count, bands, fraction_bits, flags, 0)


def pack_spz(count: int = 5, *, version: int = 2, bands: int = 1, flags: int = 0, tail: bytes = b"") -> bytes:
    """Versions 1 to 3."""
    header = pack_spz_header(count, version=version, bands=bands, flags=flags)
    return gzip.compress(header + b"".join(pack_spz_body(count, version=version, bands=bands)) + tail, mtime=0)


def pack_spz4(
    count: int = 5,
    *,
    bands: int = 1,
    flags: int = 0,
    extension: bytes = b"",
    change: Callable[[list[list[int]]], object] | None = None,
) -> bytes:
    """Version 4; `change` alters the table of [compressed, uncompressed] sizes."""
    parts = [part for part in pack_spz_body(count, version=4, bands=bands) if part]
    packed = [compress_zstd(part) for part in parts]
    table = [[len(small), len(part)] for small, part in zip(packed, parts, strict=True)]
    if change:
        change(table)
    start = 32 + len(extension)
    header = struct.pack(
        "<IIIBBBBI12x", 0x5053474E, 4, count, bands, 12, flags | 2 * bool(extension), len(parts), start
    )  # fmt: skip
    return header + extension + b"".join(struct.pack("<QQ", *sizes) for sizes in table) + b"".join(packed)


def compress_zstd(data: bytes) -> bytes:
    """One frame, which says how long its content is."""
    return zstandard.compress(data)


def pack_splat(rows: Sequence[tuple[float, ...]]) -> bytes:
    """Position, three standard deviations, r g b a, w x y z of each splat."""
    return b"".join(struct.pack("<6f8B", *row[:6], *(int(each) for each in row[6:])) for row in rows)


def draw_splat_rows(count: int, seed: int = 0) -> list[tuple[float, ...]]:
    rng = np.random.default_rng(seed)
    unit = rng.normal(size=(count, 4))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    columns = [rng.normal(size=(count, 3)), np.exp(rng.normal(size=(count, 3)) - 4), rng.integers(0, 256, (count, 4))]
    return [tuple(row) for row in np.concatenate([*columns, np.floor(unit * 127 + 128)], axis=1).tolist()]


def pack_compressed_ply(
    count: int = 300,
    *,
    bands: int = 1,
    colours: bool = True,
    order: str = "little",
    chunks: int | None = None,
    harmonics: int | None = None,
) -> bytes:
    """Random words within random bounds."""
    sign = "<" if order == "little" else ">"
    names = CHUNK_NAMES if colours else CHUNK_NAMES[:12]
    groups = -(-count // 256) if chunks is None else chunks
    rng = np.random.default_rng(0)
    low, high = rng.normal(size=(2, groups, len(names) // 2)).astype("f4")
    bounds = np.concatenate([np.concatenate([low[:, i : i + 3], high[:, i : i + 3]], 1) for i in (0, 3, 6)], axis=1)
    words = rng.integers(0, 1 << 32, (count, 4), np.uint32)
    sh_count = count if harmonics is None else harmonics
    width = 3 * SPZ_SH[bands]
    lines = ["ply", f"format binary_{order}_endian 1.0", f"element chunk {groups}"]
    lines += [*(f"property float {name}" for name in names), f"element vertex {count}"]
    lines += [f"property uint packed_{name}" for name in ("position", "rotation", "scale", "color")]
    if bands:
        lines += [f"element sh {sh_count}", *(f"property uchar f_rest_{i}" for i in range(width))]
    header = "\n".join([*lines, "end_header", ""]).encode()
    body = bounds[:, : len(names)].astype(f"{sign}f4").tobytes() + words.astype(f"{sign}u4").tobytes()
    return header + body + draw_bytes(sh_count * width)


def build_sog_v1(count: int = 100, *, bands: int = 2, entries: int = 64) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The metadata and the planes of an unbundled scene of version 1."""
    side = int(np.sqrt(count))
    rng = np.random.default_rng(0)

    def plane(height: int, width: int, channels: int, low: int = 0) -> np.ndarray:
        pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
        if channels == 4 and low:
            pixels[..., 3] = rng.integers(low, 256, (height, width), np.uint8)
        return pixels

    pixels = {
        "means_l.webp": plane(side, side, 3),
        "means_u.webp": plane(side, side, 3),
        "scales.webp": plane(side, side, 3),
        "quats.webp": plane(side, side, 4, 252),
        "sh0.webp": plane(side, side, 4),
    }
    meta: dict[str, Any] = {
        "means": {"shape": [side * side, 3], "mins": [-1, -2, -3], "maxs": [1.5, 2, 3]},
        "scales": {"shape": [side * side, 3], "mins": [-9, -8, -7], "maxs": [-3, -2, -1]},
        "quats": {"shape": [side * side, 4], "encoding": "quaternion_packed"},
        "sh0": {"shape": [side * side, 1, 4], "mins": [-1, -2, -3, -6], "maxs": [3, 2, 1, 8]},
    }
    if bands:
        coefficients = SPZ_SH[bands]
        labels = np.zeros((side, side, 3), np.uint8)
        labels[..., 0] = rng.integers(0, min(entries, 256), (side, side))
        pixels |= {"shN_centroids.webp": plane(entries // 64, 64 * coefficients, 3), "shN_labels.webp": labels}
        meta["shN"] = {"shape": [side * side, 3 * coefficients], "mins": -2.5, "maxs": 1.5, "quantization": 8}
    for name, section in meta.items():
        section["files"] = [file for file in pixels if file.startswith(name)]
    return meta, {name: encode_webp(values) for name, values in pixels.items()}


def encode_webp(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, exact=True, quality=0)
    return file.getvalue()


def dump(meta: dict[str, Any]) -> bytes:
    return json.dumps(meta).encode()


KSPLAT_KINDS = (("3f", "3f", "4f", "f"), ("3H", "3e", "4e", "e"), ("3H", "3e", "4e", "B"))
"""By compression level: `struct`'s letters of a position, scale, rotation and coefficient."""


def pack_ksplat(
    sections: Sequence[tuple[Sequence[Sequence[float]], Sequence[int]]],
    *,
    level: int = 1,
    bands: int = 0,
    full: int = 0,
    bucket_size: int = 0,
    block: float = 5,
    harmonics: tuple[float, float] = (-2, 3),
) -> bytes:
    """Sections of rows and lengths of partial buckets; bucket b's centre is (b, 2 b, 3 b).

    A row has position, scale, rotation w x y z, r g b a, coefficients.
    """
    position, scale, rotation, harmonic = KSPLAT_KINDS[level]
    row_format = f"<{position}{scale}{rotation}4B{3 * SPZ_SH[bands]}{harmonic}"
    heads, bodies = [], []
    for rows, lengths in sections:
        partial, full = (lengths, full) if level else ([], 0)
        buckets = full + len(partial)
        body = b""
        if level:
            centres = [struct.pack("<3f", b, 2 * b, 3 * b) for b in range(buckets)]
            body = struct.pack(f"<{len(partial)}I", *partial) + b"".join(centres)
        for row in rows:
            is_float = [letter in "fe" for letter in _letters(row_format)]
            body += struct.pack(
                row_format, *(value if real else int(value) for value, real in zip(row, is_float, strict=True))
            )
        counts = (len(rows), len(rows), bucket_size, buckets) if level else (len(rows), len(rows), 0, 0)
        head = struct.pack("<4IfHxxII2IH", *counts, block, 12 if level else 0, 0, len(body), full, len(partial), bands)
        heads.append(head.ljust(1024, b"\0"))
        bodies.append(body)
    count = sum(len(rows) for rows, _ in sections)
    file = struct.pack(
        "<BBxx4IHxx3f2f", 0, 1, len(sections), len(sections), count, count, level, 0, 0, 0, *harmonics
    )  # fmt: skip
    return file.ljust(4096, b"\0") + b"".join(heads) + b"".join(bodies)


def _letters(row_format: str) -> str:
    """Write out `struct`'s repetitions."""
    return "".join(letter * int(times or 1) for times, letter in re.findall(r"(\d*)([a-zA-Z])", row_format)
                   if times != "0")  # fmt: skip


def draw_ksplat(count: int = 40, *, level: int = 1, bands: int = 1, seed: int = 0) -> bytes:
    """Two sections of random rows, in a full bucket and two others."""
    rng = np.random.default_rng(seed)

    def rows() -> list[list[float]]:
        unit = rng.normal(size=(count, 4))
        position = rng.normal(size=(count, 3)) if level == 0 else rng.integers(0, 1 << 16, (count, 3))
        coefficients = 3 * SPZ_SH[bands]
        harmonics = (
            rng.integers(0, 256, (count, coefficients)) if level == 2 else rng.normal(size=(count, coefficients))
        )
        parts = [position, np.exp(rng.normal(size=(count, 3)) - 4), unit, rng.integers(0, 256, (count, 4)), harmonics]
        return [list(row) for row in np.concatenate(parts, axis=1).tolist()]

    buckets = [count // 4, count - count // 4 - count // 2]
    return pack_ksplat([(rows(), buckets), (rows(), buckets)], level=level, bands=bands, full=1, bucket_size=count // 2)


GLB_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
GLB_COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
GLB_PREFIX = "KHR_gaussian_splatting:"


def pack_glb(document: Any, body: bytes = b"") -> bytes:
    """A GLB of a JSON document, or of the bytes given in its place."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body += bytes(-len(body) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def build_glb(
    columns: Mapping[str, np.ndarray], extensions: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], bytes]:
    """The document and the bytes of one primitive; integers but those of SCALE are normalized."""
    document: dict[str, Any] = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "accessors": [], "bufferViews": [],
    }  # fmt: skip
    body = b""
    attributes = {}
    for name, values in columns.items():
        attributes[name] = len(attributes)
        data = values.tobytes()
        document["bufferViews"].append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data)})
        document["accessors"].append({
            "bufferView": attributes[name], "componentType": GLB_COMPONENTS[values.dtype.str[1:]],
            "count": len(values), "type": GLB_TYPES[values.shape[1]],
            "normalized": values.dtype.kind in "iu" and not name.endswith("SCALE"),
        })  # fmt: skip
        body += data + bytes(-len(data) % 4)
    splats = {"KHR_gaussian_splatting": {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}}
    document["meshes"] = [
        {
            "primitives": [
                {"attributes": attributes, "mode": 0, "extensions": splats if extensions is None else extensions}
            ]
        }
    ]
    document["buffers"] = [{"byteLength": len(body)}]
    return document, body


def draw_glb_columns(count: int = 5, *, bands: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """Random attributes, floats all of them."""
    rng = np.random.default_rng(seed)
    rotations = rng.normal(size=(count, 4))
    columns = {
        "POSITION": rng.normal(size=(count, 3)),
        f"{GLB_PREFIX}ROTATION": rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        f"{GLB_PREFIX}SCALE": np.exp(rng.normal(size=(count, 3)) - 4),
        f"{GLB_PREFIX}OPACITY": rng.uniform(0.1, 0.9, (count, 1)),
    }
    for degree in range(bands + 1):
        for each in range(2 * degree + 1):
            columns[f"{GLB_PREFIX}SH_DEGREE_{degree}_COEF_{each}"] = rng.normal(size=(count, 3))
    return {name: values.astype("<f4") for name, values in columns.items()}


def pack_spz_glb(spz: bytes, extension: str = "KHR_gaussian_splatting_compression_spz_2") -> bytes:
    """An SPZ file in a GLB, under one of the names of its drafts, with accessors that have no bytes."""
    within = {extension: {"bufferView": 0}}
    document, _ = build_glb(
        {}, within if extension.startswith("KHR_spz") else {"KHR_gaussian_splatting": {"extensions": within}}
    )
    document["accessors"] = [{"componentType": 5126, "count": 5, "type": "VEC3"}]
    document["meshes"][0]["primitives"][0]["attributes"] = {"POSITION": 0}
    document["bufferViews"] = [{"buffer": 0, "byteLength": len(spz)}]
    document["buffers"] = [{"byteLength": len(spz)}]
    document["extensionsRequired"] = [extension, "KHR_materials_unlit"]
    return pack_glb(document, spz)
