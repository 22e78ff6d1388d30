"""SOG, versions 1 and 2: quantised scenes as planes and metadata, in a bundle or as files of a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from sogs_worker.encode.palette import Palette
from sogs_worker.encode.positions import Means
from sogs_worker.encode.quantized import Coded, QuantizedSplats, dequantize
from sogs_worker.errors import BadInputError
from sogs_worker.files import naming, reading, remove, replacing
from sogs_worker.formats.plausible import refuse_implausible
from sogs_worker.formats.sog.attributes import read_attribute, read_labels, read_plane, read_rotations, read_steps
from sogs_worker.formats.sog.bundle import Files, FolderFiles, ZipFiles, write_bundle
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.meta import MAX_PALETTE, Meta, PaletteMeta, parse_meta
from sogs_worker.formats.sog.meta_fields import FILES, parse_document, shown
from sogs_worker.formats.sog.meta_fields import MAX_BYTES as MAX_META_BYTES
from sogs_worker.formats.sog.planes import PALETTE_ROW, read_palette_entries
from sogs_worker.formats.sog.version1 import MetaV1, decode_v1, parse_meta_v1, read_v1
from sogs_worker.naming import META
from sogs_worker.splats import Splats

UNBUNDLED = ".json"
"""Suffix of a path that means an unbundled scene: its metadata, beside which the planes lie."""

AnyMeta = Meta | MetaV1


def write_sog(path: Path, scene: EncodedScene) -> None:
    """Write the bundle; `path` appears only when it is whole."""
    with replacing(path) as file:
        write_bundle(file, {META: scene.meta.to_json(), **scene.images})


def write_unbundled(path: Path, scene: EncodedScene) -> None:
    """Write the planes beside `path` and the metadata to it; `path` is there only with the planes that belong to it.

    All bytes are written before an earlier scene's metadata go. Then the files take their names, the metadata last;
    planes that the earlier scene had and this one has not go too.
    """
    planes = {path.with_name(name): data for name, data in scene.images.items()}
    with replacing(path) as file, ExitStack() as written:
        file.write(scene.meta.to_json())
        for plane, data in planes.items():
            written.enter_context(replacing(plane)).write(data)
        remove(path)
        for stale in {path.with_name(name) for names in FILES.values() for name in names} - planes.keys():
            remove(stale)


def read_sog(path: Path) -> Splats:
    """Read a scene of version 1 or 2 from a bundle, or from the meta.json of an unbundled one.

    Raises:
        BadInputError: names the file and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    with _opened(path) as (meta, files), np.errstate(over="ignore", invalid="ignore"):
        return dequantize(_lift(meta, files)) if isinstance(meta, Meta) else read_v1(meta, files)


def count_splats(path: Path) -> int:
    """Decode all planes of a scene and count its splats, without the float32 values that the planes stand for.

    Raises:
        BadInputError: see `read_sog`, which refuses the same scenes.
    """
    with _opened(path) as (meta, files):
        return len(_lift(meta, files) if isinstance(meta, Meta) else decode_v1(meta, files).steps)


def read_quantized(path: Path) -> QuantizedSplats:
    """Read a scene of version 2 as `read_sog` does, but leave it quantised."""
    with _opened(path) as (meta, files):
        if isinstance(meta, Meta):
            return _lift(meta, files)
        raise BadInputError("SOG version 1 has no codebooks; compress the scene to version 2 first")


def read_meta(path: Path) -> tuple[AnyMeta, dict[str, int]]:
    """Read the metadata of a bundle or of an unbundled scene, and how many bytes each of its files takes."""
    with _opened(path) as (meta, files):
        meta_name = path.name if path.suffix.lower() == UNBUNDLED else META
        return meta, {name: files.size_bytes(name) for name in [meta_name, *meta.file_names]}


@contextmanager
def _opened(path: Path) -> Iterator[tuple[AnyMeta, Files]]:
    with reading(path) as file:
        if path.suffix.lower() == UNBUNDLED:
            files: Files = FolderFiles(path.parent)
            data = file.read(MAX_META_BYTES + 1)
            _refuse_other_json(data)
            meta = _parse(data)
            stored_bytes = sum(files.size_bytes(name) for name in meta.file_names)
        else:
            files = ZipFiles(file)
            meta = _parse(files.read(META))
            stored_bytes = file.seek(0, os.SEEK_END)
        refuse_implausible(meta.count, meta.coefficients, stored_bytes)
        yield meta, files


def _refuse_other_json(data: bytes) -> None:
    """Refuse what has nothing of a scene's metadata, such as a trainer's cameras; what has some of it is parsed."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(document, dict) and not {"version", *FILES}.isdisjoint(document):
        return
    what = f"an object with {shown([*document])}" if isinstance(document, dict) else f"a {type(document).__name__}"
    raise BadInputError(f"is JSON, but not the metadata of a SOG scene: it is {what}; name a scene or its meta.json")


def _parse(data: bytes) -> AnyMeta:
    if len(data) > MAX_META_BYTES:
        raise BadInputError(f"meta.json has more than {MAX_META_BYTES:,} bytes; write the bundle again")
    document = parse_document(data)
    return parse_meta_v1(document) if "version" not in document else parse_meta(document)


def _lift(meta: Meta, files: Files) -> QuantizedSplats:
    """Read the planes and take the attributes out of them."""
    sh0 = read_attribute(files, meta.files["sh0"][0], meta.count)
    return QuantizedSplats(
        means=Means(read_steps(files, meta.files["means"], meta.count), meta.mins, meta.maxs),
        rotations=read_rotations(files, meta.files["quats"][0], meta.count),
        scales=Coded(read_attribute(files, meta.files["scales"][0], meta.count)[:, :3], meta.scales),
        sh0=Coded(sh0[:, :3], meta.sh0),
        alphas=sh0[:, 3],
        palette=_lift_palette(meta, meta.palette, files) if meta.palette else None,
        model=meta.model,
    )


def _lift_palette(meta: Meta, palette: PaletteMeta, files: Files) -> Palette:
    centroids, labels = meta.files["shN"]
    plane = read_plane(files, centroids, (palette.count or MAX_PALETTE) * meta.coefficients)
    count = palette.count or min(len(plane) * PALETTE_ROW, MAX_PALETTE)
    indices = read_labels(files, labels, meta.count)
    if indices.max() >= count:
        raise BadInputError(
            f"{labels}: label {indices.max()} is out of range; the palette has {count} entries; write it again"
        )
    with naming(centroids):
        entries = read_palette_entries(plane, count, meta.coefficients)
    return Palette(entries, palette.codebook, indices)
