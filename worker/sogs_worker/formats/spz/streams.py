"""The container of SPZ: a header, and the attributes' bytes one after the other, compressed.

Versions 1 to 3 are one gzip stream of everything, version 4 a plain header, a table and a Zstandard stream an attribute
(README.md of Niantic's spz, "File Format"). A stream of version 1 to 3 that something has unpacked is read too.
Extensions follow the header of version 4, and the attributes of earlier ones.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from sogs_worker.errors import BadInputError
from sogs_worker.formats.bands import MOST_BANDS, count_coefficients
from sogs_worker.formats.plausible import refuse_implausible
from sogs_worker.formats.spz.zstd import decompress_zstd

MAGIC = b"NGSP"
GZIP_MAGIC = b"\x1f\x8b"
HEADER = struct.Struct("<4sIIBBBB")
TABLE_PLACE = struct.Struct("<I12x")
TABLE_ENTRY = struct.Struct("<QQ")
ZSTD_VERSION = 4
ANTIALIASED = 1
HAS_EXTENSIONS = 2
MAX_EXTENSION_BYTES = 1 << 20
MAX_FRACTION_BITS = 24

ReadStream = Callable[[int], bytes]
"""Returns the next attribute, which must have the given number of bytes."""

ReadExtensions = Callable[[], bytes]
"""Returns the extensions' records, once all attributes are read."""


@dataclass(frozen=True)
class Header:
    """What the file declares.

    Attributes:
        version: 1 to 4.
        count: splats, at least 1.
        bands: SH bands, 0 to 4.
        fraction_bits: binary digits of a coordinate after the point.
        is_antialiased: whether it was trained to be drawn so.
        has_extensions: whether more than the attributes is stored.
        streams: how many of version 4's there are.
    """

    version: int
    count: int
    bands: int
    fraction_bits: int
    is_antialiased: bool
    has_extensions: bool
    streams: int


Opened = Iterator[tuple[Header, ReadStream, ReadExtensions]]


@contextmanager
def opened_streams(file: BinaryIO) -> Opened:
    """Read the header and give what reads the attributes in their order; at the end of the block nothing may be left.

    Raises:
        BadInputError: without the file's name; if it is no SPZ, of an unknown version, damaged, or claims more splats
            than it can hold.
    """
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(len(MAGIC) + 1)
    file.seek(0)
    try:
        if start.startswith(GZIP_MAGIC):
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield from _open_plain(stream, size_bytes)
        elif start in {MAGIC + bytes([version]) for version in range(1, ZSTD_VERSION)}:
            yield from _open_plain(file, size_bytes)
        elif start.startswith(MAGIC):
            yield from _open_zstd(file, size_bytes)
        else:
            raise BadInputError("not an SPZ file: it begins neither with NGSP nor as gzip; export the scene again")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInputError("the SPZ's gzip stream is damaged or cut off; copy the file again") from error


def _parse_header(data: bytes, size_bytes: int, versions: range) -> Header:
    if len(data) < HEADER.size:
        raise BadInputError(f"the SPZ header is cut off after {len(data)} of {HEADER.size} bytes; copy the file again")
    magic, version, count, bands, fraction_bits, flags, streams = HEADER.unpack(data)
    if magic != MAGIC:
        raise BadInputError("not an SPZ file: its header does not begin with NGSP; export the scene again")
    if version == ZSTD_VERSION and version not in versions:
        raise BadInputError("an SPZ of version 4 is packed into gzip; unpack it with gunzip, and name what that gives")
    if version not in versions:
        raise BadInputError(f"SPZ version {version} cannot be read; expected version 1 to 4")
    if bands > MOST_BANDS:
        raise BadInputError(f"the SPZ has {bands} SH bands, but at most {MOST_BANDS} can be read; export it with fewer")
    if fraction_bits > MAX_FRACTION_BITS:
        raise BadInputError(f"the SPZ's coordinates have {fraction_bits} fractional bits of 24; export the scene again")
    if count == 0:
        raise BadInputError("the SPZ declares 0 splats; export a scene with at least one")
    refuse_implausible(count, count_coefficients(bands), size_bytes)
    is_antialiased, has_extensions = bool(flags & ANTIALIASED), bool(flags & HAS_EXTENSIONS)
    return Header(version, count, bands, fraction_bits, is_antialiased, has_extensions, streams)


def _open_plain(stream: BinaryIO | gzip.GzipFile, size_bytes: int) -> Opened:
    header = _parse_header(stream.read(HEADER.size), size_bytes, range(1, ZSTD_VERSION))

    def read(expected: int) -> bytes:
        data = stream.read(expected)
        if len(data) < expected:
            raise BadInputError(f"an attribute has {len(data):,} of {expected:,} bytes; copy the SPZ again")
        return data

    yield header, read, lambda: stream.read(MAX_EXTENSION_BYTES) if header.has_extensions else b""
    if stream.read(1):  # which checks gzip's checksum too
        raise BadInputError("the SPZ goes on after its last splat: its header is wrong; export the scene again")


def _open_zstd(file: BinaryIO, size_bytes: int) -> Opened:
    header = _parse_header(file.read(HEADER.size), size_bytes, range(ZSTD_VERSION, ZSTD_VERSION + 1))
    place = file.read(TABLE_PLACE.size)
    table_start = TABLE_PLACE.unpack(place)[0] if len(place) == TABLE_PLACE.size else 0
    streams_start = table_start + header.streams * TABLE_ENTRY.size
    if table_start < HEADER.size + TABLE_PLACE.size or streams_start > size_bytes:
        raise BadInputError("the SPZ's table of streams lies outside of the file; copy it again")
    extensions = file.read(min(table_start - file.tell(), MAX_EXTENSION_BYTES)) if header.has_extensions else b""
    file.seek(table_start)
    table = list(TABLE_ENTRY.iter_unpack(file.read(streams_start - table_start)))
    if streams_start + sum(compressed for compressed, _ in table) != size_bytes:
        raise BadInputError("the SPZ's streams do not end where the file does; copy it again")
    sizes = iter(table)

    def read(expected: int) -> bytes:
        compressed, declared = next(sizes, (0, 0))
        if declared != expected:
            raise BadInputError(f"an SPZ stream declares {declared:,} bytes, expected {expected:,}; export it again")
        return decompress_zstd(file.read(compressed), expected)

    yield header, read, lambda: extensions
    if next(sizes, None):
        raise BadInputError(f"the SPZ has {header.streams} streams, more than it has attributes; export it again")
