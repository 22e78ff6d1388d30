"""SOG version 2: quantised scenes as planes and metadata, in a bundle; and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.palette import Palette
from sogs_worker.encode.positions import Means
from sogs_worker.encode.quantized import Coded, QuantizedSplats, dequantize
from sogs_worker.encode.rotation import MODE
from sogs_worker.errors import BadInputError
from sogs_worker.formats.bundle import Files, FolderFiles, ZipFiles, write_bundle
from sogs_worker.formats.layout import EncodedScene
from sogs_worker.formats.meta import Meta, PaletteMeta, parse_meta
from sogs_worker.formats.output import naming, replacing
from sogs_worker.formats.planes import read_palette_entries, read_texels
from sogs_worker.formats.webp import decode_webp
from sogs_worker.splats import SH_COEFFICIENTS, Splats

META = "meta.json"

UNBUNDLED = ".json"
"""Suffix of a path that means an unbundled scene: its metadata, beside which the planes lie."""

Bytes = NDArray[np.uint8]


def write_sog(path: Path, scene: EncodedScene) -> None:
    """Write the bundle; `path` appears only when it is whole."""
    with replacing(path) as file:
        write_bundle(file, {META: scene.meta.to_json(), **scene.images})


def read_sog(path: Path) -> Splats:
    """Read a scene from a bundle, or from the meta.json of an unbundled one.

    Raises:
        BadInputError: names the file and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    return dequantize(read_quantized(path))


def read_quantized(path: Path) -> QuantizedSplats:
    """Read a scene as `read_sog` does, but leave it quantised."""
    with _opened(path) as (meta, files):
        return _lift(meta, files)


def read_meta(path: Path) -> tuple[Meta, dict[str, int]]:
    """Read the metadata of a bundle or of an unbundled scene, and how many bytes each of its files takes."""
    with _opened(path) as (meta, files):
        meta_name = path.name if path.suffix == UNBUNDLED else META
        return meta, {name: files.size_bytes(name) for name in [meta_name, *meta.file_names]}


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Meta, Files]]:
    with naming(path), path.open("rb") as file:
        if path.suffix == UNBUNDLED:
            yield parse_meta(file.read()), FolderFiles(path.parent)
        else:
            files = ZipFiles(file)
            yield parse_meta(files.read(META)), files


def _lift(meta: Meta, files: Files) -> QuantizedSplats:
    """Read the planes and take the attributes out of them."""
    low, high = (_texels(files, name, meta.count)[:, :3] for name in meta.files["means"])
    rotations = _texels(files, meta.files["quats"][0], meta.count)
    if (modes := rotations[:, 3]).min() < MODE:
        raise BadInputError(f"{meta.files['quats'][0]}: alpha must be 252 to 255, got {modes.min()}")
    sh0 = _texels(files, meta.files["sh0"][0], meta.count)
    return QuantizedSplats(
        means=Means(low + (high.astype(np.uint16) << 8), meta.mins, meta.maxs),
        rotations=rotations,
        scales=Coded(_texels(files, meta.files["scales"][0], meta.count)[:, :3], meta.scales),
        sh0=Coded(sh0[:, :3], meta.sh0),
        alphas=sh0[:, 3],
        palette=_lift_palette(meta, meta.palette, files) if meta.palette else None,
    )


def _lift_palette(meta: Meta, palette: PaletteMeta, files: Files) -> Palette:
    centroids, labels = meta.files["shN"]
    pairs = _texels(files, labels, meta.count).astype(np.uint16)
    indices = pairs[:, 0] + (pairs[:, 1] << 8)
    if indices.max() >= palette.count:
        raise BadInputError(f"{labels}: label {indices.max()} is out of range; the palette has {palette.count} entries")
    data = files.read(centroids)
    with naming(centroids):
        entries = read_palette_entries(decode_webp(data), palette.count, SH_COEFFICIENTS[palette.bands])
    return Palette(entries, palette.codebook, indices)


def _texels(files: Files, name: str, count: int) -> Bytes:
    data = files.read(name)
    with naming(name):
        return read_texels(decode_webp(data), count)
