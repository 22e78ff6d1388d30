"""Tar archives, plain or gzipped: read header by header, without the parts of `tarfile` that believe a header's size.

The headers' fields are parsed by `tarfile`; what follows a header is read here, never more than its limit.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from sogs_worker.errors import BadInputError
from sogs_worker.source.archives.entries import (
    CHUNK_BYTES,
    FREE_RATIO_BYTES,
    MAX_ENTRIES,
    MAX_RATIO,
    Entry,
    parse_name,
    shown,
)

BLOCK_BYTES = tarfile.BLOCKSIZE
GZIP_MAGIC = b"\x1f\x8b"

MAX_EXTENSION_BYTES = 64 << 10
"""Of a long name or of extended attributes, which stand before the header that they belong to."""

PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK = b"x", b"g", b"L", b"K"
EXTENSIONS = (PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK)
LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)
DEVICES = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
EMPTY = (*LINKS, *DEVICES, tarfile.DIRTYPE)
"""Kinds without content, whatever size they declare."""

MAX_DIGITS = 20
"""Of a number in an attribute: 2^64 has as many."""

CUT_OFF = "ends in the middle; copy it again"
TOO_DENSE = f"becomes more than {MAX_RATIO} times as long when it is unpacked; pack it again"


@dataclass(frozen=True)
class _Extension:
    """What the headers before a file's own say of it; None and False: nothing."""

    name: str | None = None
    size_bytes: int | None = None
    is_sparse: bool = False


class TarContainer:
    """An open tar archive; whether it is gzipped is told by its first bytes, since names often lie about that."""

    def __init__(self, file: BinaryIO) -> None:
        """Begin to read `file`, which must be seekable."""
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._gzip = gzip.GzipFile(fileobj=file) if file.read(2) == GZIP_MAGIC else None
        file.seek(0)
        self._stream = cast(BinaryIO, self._gzip or file)
        self._limit = max(FREE_RATIO_BYTES, MAX_RATIO * size_bytes) if self._gzip else size_bytes

    def entries(self) -> Iterator[Entry]:
        """List the files; reads a gzipped archive to its end, which proves its checksum."""
        position, extension = 0, _Extension()
        for _ in range(2 * MAX_ENTRIES):
            header = self._header(position)
            position += BLOCK_BYTES
            if header is None:
                return self._drain()
            if header.type in EXTENSIONS:
                extension = _extend(extension, header.type, self._read(position, header.size))
                position += _padded(header.size)
                continue
            entry = _describe(header, extension, position)
            if header.type != tarfile.DIRTYPE:
                yield entry
            position += 0 if header.type in EMPTY else _padded(entry.size_bytes)
            extension = _Extension()
        raise BadInputError(f"has more than {MAX_ENTRIES:,} entries; pack the scenes only")

    def chunks(self, entry: Entry, chunk_bytes: int = CHUNK_BYTES) -> Generator[bytes]:
        """Read a file; in a gzipped archive that is quick in ascending order only."""
        self._seek(entry.position)
        left = entry.size_bytes
        while left and (chunk := self._stream.read(min(chunk_bytes, left))):
            left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the archive."""
        if self._gzip:
            self._gzip.close()

    def _header(self, position: int) -> tarfile.TarInfo | None:
        """Read the header at `position`; None is the end mark."""
        block = self._read(position, BLOCK_BYTES)
        if not any(block):
            return None
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            what = "is not a tar archive" if position == 0 else "is damaged"
            raise BadInputError(f"{what}; copy it again") from error
        if header.type == tarfile.GNUTYPE_SPARSE or header.size < 0:
            raise BadInputError(f"{shown(header.name)} is a sparse or damaged file; pack it again, without --sparse")
        if header.type in EXTENSIONS and header.size > MAX_EXTENSION_BYTES:
            raise BadInputError(f"has a name or attributes of {header.size:,} bytes; pack the scenes only")
        return header

    def _read(self, position: int, size_bytes: int) -> bytes:
        self._seek(position)
        data = self._stream.read(size_bytes)
        if len(data) < size_bytes:
            raise BadInputError(CUT_OFF)
        return data

    def _seek(self, position: int) -> None:
        if position > self._limit:
            raise BadInputError(TOO_DENSE if self._gzip else CUT_OFF)
        self._stream.seek(position)

    def _drain(self) -> None:
        """Read what follows the end mark: padding, and in a gzipped archive the checksum."""
        while self._gzip and self._stream.read(CHUNK_BYTES):
            self._seek(self._stream.tell())


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES


def _describe(header: tarfile.TarInfo, extension: _Extension, position: int) -> Entry:
    """Join a file's own header with those before it."""
    return Entry(
        name=parse_name(header.name if extension.name is None else extension.name),
        size_bytes=header.size if extension.size_bytes is None else extension.size_bytes,
        position=position,
        obstacle=_obstacle(header.type, extension),
    )


def _obstacle(kind: bytes, extension: _Extension) -> str:
    """Say why a file cannot be unpacked."""
    if extension.is_sparse:
        return "is a sparse file; pack it without --sparse"
    if kind in LINKS:
        return "is a link; pack the file itself"
    if kind not in tarfile.REGULAR_TYPES:
        return "is no regular file; pack the scenes only"
    return ""


def _extend(extension: _Extension, kind: bytes, body: bytes) -> _Extension:
    """Add what a body says of the next file; targets of links and attributes of the whole archive do not matter."""
    if kind == GNU_NAME:
        return replace(extension, name=_text(body.split(b"\0")[0]))
    if kind != PAX:
        return extension
    for key, value in _parse_pax(body):
        if key == b"path":
            extension = replace(extension, name=_text(value))
        elif key == b"size":
            extension = replace(extension, size_bytes=_number(value))
        elif key.startswith(b"GNU.sparse."):
            extension = replace(extension, is_sparse=True)
    return extension


def _parse_pax(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Parse records "length key=value" and a line's end, of which the length counts all (POSIX.1-2001, pax)."""
    position = 0
    while position < len(body) and body[position]:
        digits = body[position : position + MAX_DIGITS].split(b" ")[0]
        begin, end = position + len(digits) + 1, position + _number(digits)
        key, equals, value = body[begin : end - 1].partition(b"=")
        if not begin < end <= len(body) or not equals:
            raise BadInputError("has damaged attributes; pack it again")
        yield key, value
        position = end


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > MAX_DIGITS:
        raise BadInputError("has damaged attributes; pack it again")
    return int(digits)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
