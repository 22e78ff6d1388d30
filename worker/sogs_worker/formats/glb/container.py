"""The container of binary glTF: a header, a chunk of JSON and one of bytes (glTF 2.0, "GLB File Format")."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from sogs_worker.errors import BadInputError
from sogs_worker.formats.glb.document import Document

MAGIC = b"glTF"
VERSION = 2
HEADER = struct.Struct("<4sII")
CHUNK = struct.Struct("<I4s")
JSON = b"JSON"
BYTES = b"BIN\0"

MAX_BYTES = 2**32 - 1
MAX_DOCUMENT_BYTES = 1 << 24
"""Of the JSON: that of splats has some kilobytes."""


@dataclass(frozen=True)
class Span:
    """Consecutive bytes of a file."""

    start: int
    size_bytes: int


def read_container(file: BinaryIO) -> tuple[Document, Span]:
    """Read the JSON and find the bytes, of which a file may have none.

    Raises:
        BadInputError: without the file's name; if it is no GLB, cut off, or its JSON is none.
    """
    size_bytes = os.fstat(file.fileno()).st_size
    header = file.read(HEADER.size)
    if len(header) < HEADER.size or not header.startswith(MAGIC):
        raise BadInputError("not a GLB file: it does not begin with glTF; export the scene as binary glTF")
    _, version, declared = HEADER.unpack(header)
    if version != VERSION:
        raise BadInputError(f"binary glTF version {version} cannot be read; export the scene as version {VERSION}")
    if declared > size_bytes:
        raise BadInputError(f"the GLB is cut off after {size_bytes:,} of {declared:,} bytes; copy it again")
    document = _find_chunk(file, JSON, declared)
    if document is None or document.size_bytes > MAX_DOCUMENT_BYTES:
        raise BadInputError(
            f"the GLB does not begin with JSON of at most {MAX_DOCUMENT_BYTES:,} bytes; export it again"
        )
    file.seek(document.start)
    parsed = _parse(file.read(document.size_bytes))
    file.seek(document.start + document.size_bytes)
    return parsed, _find_chunk(file, BYTES, declared) or Span(0, 0)


def _find_chunk(file: BinaryIO, kind: bytes, end: int) -> Span | None:
    """Return the chunk that begins here, if it is of that kind."""
    head = file.read(CHUNK.size)
    if len(head) < CHUNK.size or file.tell() > end:
        return None
    size_bytes, found = CHUNK.unpack(head)
    if file.tell() + size_bytes > end:
        raise BadInputError(f"a chunk of the GLB ends at byte {file.tell() + size_bytes:,} of {end:,}; copy it again")
    return Span(file.tell(), size_bytes) if found == kind else None


def _parse(data: bytes) -> Document:
    try:
        root = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInputError("the GLB's JSON is not valid; export the scene again") from error
    return Document(root)


def build_head(document: dict[str, Any], size_bytes: int) -> bytes:
    """Return all that comes before so many bytes, a multiple of 4.

    Raises:
        BadInputError: if the file would be larger than its header can say.
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = HEADER.size + CHUNK.size + len(text) + CHUNK.size + size_bytes
    if total > MAX_BYTES:
        raise BadInputError(f"the GLB would be {total:,} bytes, but {MAX_BYTES:,} is the limit; split the scene")
    return (
        HEADER.pack(MAGIC, VERSION, total)
        + CHUNK.pack(len(text), JSON)
        + text
        + CHUNK.pack(size_bytes, BYTES)
    )  # fmt: skip
