"""Accessors: typed columns of a GLB's bytes (glTF 2.0, "Accessors" and "Buffers and Buffer Views")."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.formats.glb.container import Span
from sogs_worker.formats.glb.document import Document, parse_integer, parse_section, shown
from sogs_worker.splats import Floats

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
"""NumPy's name of each componentType."""

FLOAT = 5126
UNSIGNED_BYTE = 5121
TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
MAX_STRIDE = 252
BLOCK = 1 << 16
"""Rows read at once."""


@dataclass(frozen=True)
class Column:
    """Rows of a few numbers, at even distances in the file.

    Attributes:
        count: rows.
        width: numbers a row.
        dtype: of a number.
        normalized: whether integers stand for -1 to 1 or 0 to 1.
        start: where the first row begins in the file.
        stride: bytes from one row to the next.
    """

    count: int
    width: int
    dtype: np.dtype[Any]
    normalized: bool
    start: int
    stride: int


def find_view(document: Document, index: object, body: Span) -> Span:
    """Find the bytes of a buffer view in the file.

    Raises:
        BadInputError: they lie outside of the GLB, in another file, or are compressed.
    """
    view = document.entry("bufferViews", index)
    if extensions := parse_section(view, "extensions"):
        raise BadInputError(
            f"bufferViews[{index}] of the GLB needs {', '.join(extensions)[:80]}, which is not supported;"
            " export it without that compression"
        )
    if parse_integer(view, "buffer") != 0 or "uri" in document.entry("buffers", 0):
        raise BadInputError(f"bufferViews[{index}] lies outside of the GLB; export the scene as one file")
    start, size_bytes = parse_integer(view, "byteOffset", 0), parse_integer(view, "byteLength", least=1)
    if start + size_bytes > body.size_bytes:
        raise BadInputError(
            f"bufferViews[{index}] ends at byte {start + size_bytes:,} of {body.size_bytes:,}; copy the GLB again"
        )
    return Span(body.start + start, size_bytes)


def find_column(document: Document, index: object, width: int, body: Span) -> Column:
    """Find the rows of an accessor in the file.

    Raises:
        BadInputError: it is of another type, has no bytes of its own, or they lie outside of its view.
    """
    accessor = document.entry("accessors", index)
    name = f"accessors[{index}] of the GLB"
    if "sparse" in accessor or "bufferView" not in accessor:
        raise BadInputError(f"{name} is sparse, or its data are compressed in an unknown way; export it plainly")
    if accessor.get("type") != TYPES[width]:
        raise BadInputError(f"{name} must be {TYPES[width]}, got {shown(accessor.get('type'))}; export the scene again")
    if (component := parse_integer(accessor, "componentType")) not in COMPONENTS:
        raise BadInputError(f"{name} has the unknown componentType {shown(component)}; export the scene again")
    dtype = np.dtype(COMPONENTS[component])
    view = find_view(document, accessor["bufferView"], body)
    stride = parse_integer(document.entry("bufferViews", accessor["bufferView"]), "byteStride", width * dtype.itemsize)
    start, count = parse_integer(accessor, "byteOffset", 0), parse_integer(accessor, "count", least=1)
    if not width * dtype.itemsize <= stride <= MAX_STRIDE:
        raise BadInputError(f"{name} has rows {stride:,} bytes apart; export the scene again")
    if (end := start + stride * (count - 1) + width * dtype.itemsize) > view.size_bytes:
        raise BadInputError(f"{name} ends at byte {end:,} of {view.size_bytes:,} of its view; export the scene again")
    return Column(count, width, dtype, accessor.get("normalized") is True, view.start + start, stride)


def read_column(file: BinaryIO, column: Column) -> Floats:
    """Read all rows as (N, width) float32."""
    values = np.empty((column.count, column.width), np.float32)
    for place, rows in _read_rows(file, column):
        values[place] = rows
        if column.normalized and column.dtype.kind in "iu":
            values[place] = np.maximum(values[place] / np.iinfo(column.dtype).max, -1)
    return values


def _read_rows(file: BinaryIO, column: Column) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Read the rows a block at a time, with their place."""
    row_bytes = column.width * column.dtype.itemsize
    for first in range(0, column.count, BLOCK):
        count = min(BLOCK, column.count - first)
        size_bytes = column.stride * (count - 1) + row_bytes
        data = os.pread(file.fileno(), size_bytes, column.start + first * column.stride)
        if len(data) < size_bytes:
            raise BadInputError("the GLB became shorter while it was read; copy it again")
        strides = (column.stride, column.dtype.itemsize)
        yield slice(first, first + count), np.ndarray((count, column.width), column.dtype, data, 0, strides)
