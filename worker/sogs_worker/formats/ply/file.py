"""PLY files of 3D Gaussian splatting: read in any layout, written in the canonical one."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured
from numpy.typing import NDArray

from sogs_worker.encode.origin import centre
from sogs_worker.errors import BadInputError
from sogs_worker.files import reading, replacing
from sogs_worker.formats.bands import describe_dropped
from sogs_worker.formats.blocks import split_rows
from sogs_worker.formats.ply.compressed import is_compressed, read_compressed
from sogs_worker.formats.ply.header import TYPES, Element, Header, Property, build_header, read_header
from sogs_worker.formats.ply.layout import ATTRIBUTES, count_sh_coefficients, locate_attributes
from sogs_worker.formats.ply.model import format_model, parse_model
from sogs_worker.formats.ply.rows import Rows
from sogs_worker.splats import WORLD, Model, Splats

CHUNK_ROWS = 1 << 13
"""Rows converted at once: few enough that a chunk stays in the cache while its columns are picked."""


BATCH_CHUNKS = 128
"""Chunks planned at once: enough for all cores."""

WIDE_TYPES = {"f8", "i4", "u4"}
"""Types with values that float32 has not."""

Table = NDArray[np.floating]
Chunk = Callable[[], Table]
"""Reads and parses some consecutive rows of vertices, (rows, properties), float32 or float64."""


def read_ply(path: Path) -> Splats:
    """Read a scene from a PLY file: ASCII or binary of either byte order, properties in any order and of any type.

    A compressed one, which is known by its properties, is read too. Without the third scale all splats are flat there.

    Other elements and what follows the vertices are ignored. Values are converted to float32, positions after they
    are counted from the scene's origin; those beyond its range become infinite. No more is allocated than the file's
    size allows.

    Raises:
        BadInputError: names the file and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    with reading(path) as file:
        header = read_header(file)
        if is_compressed(header):
            return read_compressed(file, header)
        vertex = header.find("vertex")
        if vertex is None:
            raise BadInputError("the PLY has no element vertex with properties; export the scene as Gaussian splats")
        columns = locate_attributes(vertex)
        if vertex.count == 0:
            raise BadInputError("the PLY declares 0 vertices; export a scene with at least one splat")
        is_text = header.encoding == "ascii"
        is_wide = is_text or any(TYPES[vertex.properties[i].type or ""] in WIDE_TYPES for i in columns["positions"])
        dtype = np.dtype("f8" if is_wide else "f4")
        chunks = _plan_text(file, header, vertex) if is_text else _plan_binary(Rows(file, header, vertex), dtype)
        splats = _gather(chunks, columns, vertex.count, dtype)
        notes = describe_dropped(count_sh_coefficients([each.name for each in vertex.properties]))
        is_flat = len(columns["scales"]) < len(ATTRIBUTES["scales"])
        return replace(splats, notes=notes, model=Model.SURFELS if is_flat else parse_model(header.comments))


def write_ply(path: Path, splats: Splats) -> None:
    """Write a scene as binary little endian PLY in the order of the reference implementation, with normals of 0.

    All properties are float, but x, y and z of a scene far from 0 are double. Surfels have two scales, unless the third
    is not the least of a splat's.
    """
    is_far = splats.origin != WORLD
    is_flat = splats.model is Model.SURFELS and bool((splats.scales[:, 2:] <= splats.scales[:, :2]).all())
    rest = [f"f_rest_{i}" for i in range(3 * splats.shn.shape[1])]
    scales = ATTRIBUTES["scales"][: 2 if is_flat else 3]
    names = ["nx", "ny", "nz", *ATTRIBUTES["sh0"], *rest, "opacity", *scales, *ATTRIBUTES["rotations"]]
    places = [Property(name, "double" if is_far else "float") for name in ATTRIBUTES["positions"]]
    vertex = Element("vertex", len(splats), (*places, *(Property(name, "float") for name in names)))
    with replacing(path) as file:
        file.write(build_header(vertex, comments=format_model(splats.model)))
        for place in split_rows(len(splats)):
            file.write(_build_rows(splats.take(place), is_far=is_far, axes=len(scales)))


def _build_rows(splats: Splats, *, is_far: bool, axes: int) -> bytes:
    """Return the rows of some splats."""
    places = splats.world_positions().astype("<f8") if is_far else splats.positions.astype("<f4")
    coefficients = 3 * splats.shn.shape[1]
    rows = np.zeros((len(splats), 11 + coefficients + axes), "<f4")
    rows[:, 3:6] = splats.sh0
    rows[:, 6 : 6 + coefficients] = splats.shn.transpose(0, 2, 1).reshape(len(splats), -1)
    rows[:, 6 + coefficients] = splats.opacities
    rows[:, 7 + coefficients : -4] = splats.scales[:, :axes]
    rows[:, -4:] = splats.rotations
    return np.concatenate([np.ascontiguousarray(each).view(np.uint8) for each in (places, rows)], axis=1).tobytes()


def _plan_binary(rows: Rows, dtype: np.dtype[Any]) -> Iterator[Chunk]:
    """Return, for each chunk of the vertices' rows, a function that reads it."""
    count = rows.element.count
    starts = range(0, count, CHUNK_ROWS)
    return (partial(_read_rows, rows, first, min(CHUNK_ROWS, count - first), dtype) for first in starts)


def _read_rows(rows: Rows, first: int, count: int, dtype: np.dtype[Any]) -> Table:
    table = rows.read(first, count)
    types = {rows.dtype[name] for name in rows.dtype.names or ()}
    if len(types) > 1:
        return structured_to_unstructured(table, dtype)
    return table.view(types.pop()).reshape(count, -1).astype(dtype, copy=False)


def _plan_text(file: BinaryIO, header: Header, vertex: Element) -> Iterator[Chunk]:
    """Skip to the vertices' lines; return, for each chunk of them, a function that parses it."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    least = 2 * vertex.count * len(vertex.properties) - 1
    if left < least:
        raise BadInputError(f"the PLY is truncated: expected at least {least:,} bytes of vertices, got {left:,}")
    text = file if header.line_end == b"\n" else io.BytesIO(file.read().replace(header.line_end, b"\n"))
    lines = (line for line in text if line.strip())
    for _ in itertools.islice(lines, min(left, sum(each.count for each in header.before(vertex)))):
        pass
    return _parse_lines(lines, vertex)


def _parse_lines(lines: Iterator[bytes], vertex: Element) -> Iterator[Chunk]:
    for first in range(0, vertex.count, CHUNK_ROWS):
        wanted = min(CHUNK_ROWS, vertex.count - first)
        chunk = list(itertools.islice(lines, wanted))
        if len(chunk) < wanted:
            raise BadInputError(f"the PLY is truncated: expected {vertex.count:,} vertices, got {first + len(chunk):,}")
        yield partial(_parse_rows, chunk, len(vertex.properties), first)


def _parse_rows(lines: list[bytes], properties: int, first: int) -> Table:
    fault = (
        f"one of vertices {first:,} to {first + len(lines) - 1:,} is not {properties} numbers; export the scene again"
    )
    try:
        rows = np.loadtxt(lines, comments=None, ndmin=2, encoding="latin-1")
    except ValueError as error:
        raise BadInputError(fault) from error
    if rows.shape[1] != properties:
        raise BadInputError(fault)
    return rows


def _gather(chunks: Iterator[Chunk], columns: dict[str, list[int]], count: int, dtype: np.dtype[Any]) -> Splats:
    """Copy the columns of each attribute out of chunks of rows of `dtype`, several chunks at a time."""
    arrays: dict[str, Any] = {
        name: np.empty((count, len(each)), np.float32) for name, each in columns.items() if name != "positions"
    }
    positions = np.empty((count, 3), dtype)

    def copy(place: int, chunk: Chunk) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            wide = chunk()
            rows = wide.astype(np.float32, copy=False)
        here = slice(place * CHUNK_ROWS, place * CHUNK_ROWS + len(rows))
        wide.take(columns["positions"], axis=1, out=positions[here], mode="clip")
        for name, values in arrays.items():
            rows.take(columns[name], axis=1, out=values[here], mode="clip")

    numbered = enumerate(chunks)
    with ThreadPoolExecutor() as threads:
        # A batch at a time: the lines of a text file are in memory from when their chunk is planned.
        while batch := list(itertools.islice(numbered, BATCH_CHUNKS)):
            list(threads.map(copy, *zip(*batch, strict=True)))
    if arrays["scales"].shape[1] < len(ATTRIBUTES["scales"]):
        arrays["scales"] = np.pad(arrays["scales"], ((0, 0), (0, 1)), constant_values=-np.inf)
    arrays["opacities"] = arrays["opacities"][:, 0]
    arrays["shn"] = arrays["shn"].reshape(count, -1, 3) if columns["shn"] else np.empty((count, 0, 3), np.float32)
    arrays["positions"], origin = centre(positions, arrays["scales"])
    return Splats(**arrays, origin=origin)
