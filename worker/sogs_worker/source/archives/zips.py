"""ZIP archives: their directory, read with suspicion.

Names and fields: APPNOTE.TXT of PKWARE, 4.4.4 (bit 11), 4.6.9 (Info-ZIP's Unicode path) and appendix D.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from typing import IO, BinaryIO, cast

from sogs_worker.errors import BadInputError
from sogs_worker.source.archives.entries import CHUNK_BYTES, FREE_RATIO_BYTES, MAX_ENTRIES, MAX_RATIO, Entry, parse_name

MAX_DIRECTORY_BYTES = 8 << 20
"""Room for `MAX_ENTRIES` names of usual length."""

LOCAL_HEADER_BYTES = 30
ENCRYPTED = 0x1
IS_UTF8 = 0x800
UNICODE_PATH = 0x7075
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ZipContainer:
    """An open ZIP archive."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the directory.

        Raises:
            BadInputError: it is too long, contradicts itself, or declares names as UTF-8 that are not.
        """
        try:
            self._archive = zipfile.ZipFile(cast(IO[bytes], _BoundedReads(file)))
        except UnicodeDecodeError as error:
            raise BadInputError("declares names as UTF-8 that are not; pack it again") from error
        self._infos = self._archive.infolist()
        if len(self._infos) > MAX_ENTRIES:
            raise _too_many_entries()
        _check_overlaps(self._infos, self._archive.start_dir)

    def entries(self) -> Iterator[Entry]:
        """List the files, folders left out."""
        for position, info in enumerate(self._infos):
            text = _decode_name(info)
            name = parse_name(text)
            if not text.endswith("/"):
                yield Entry(name, info.file_size, position, _obstacle(info))

    def chunks(self, entry: Entry, chunk_bytes: int = CHUNK_BYTES) -> Generator[bytes]:
        """Read a file; its checksum is compared at its end."""
        with self._archive.open(self._infos[entry.position]) as stream:
            while chunk := stream.read(chunk_bytes):
                yield chunk

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


class _BoundedReads:
    """Stands before a file: `zipfile` reads a directory in one piece, as long as it claims to be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise _too_many_entries()
        return self._file.read(size)


def _too_many_entries() -> BadInputError:
    return BadInputError(f"has more than {MAX_ENTRIES:,} entries; pack the scenes only")


def _check_overlaps(infos: list[zipfile.ZipInfo], end: int) -> None:
    """Refuse entries that share bytes: so the bytes of the archive bound what all entries together can become."""
    limits = [*sorted(info.header_offset for info in infos), end][1:]
    for info, limit in zip(sorted(infos, key=lambda info: info.header_offset), limits, strict=True):
        if info.header_offset < 0 or info.header_offset + LOCAL_HEADER_BYTES + info.compress_size > limit:
            raise BadInputError("has entries that overlap, as no packer makes them; pack it again")


def _decode_name(info: zipfile.ZipInfo) -> str:
    """Read a name in the encoding that is declared, in UTF-8 if it can be that, and else in the format's own, cp437.

    Packers of macOS write UTF-8 without saying so. Every byte is a character of cp437, so that no name is refused here:
    a name of another encoding is readable as little as it was, and only those of scenes matter.
    """
    if info.flag_bits & IS_UTF8:
        return info.orig_filename
    raw = info.orig_filename.encode("cp437")  # as `zipfile` has decoded it
    declared = _unicode_path(info.extra, raw)
    try:
        return (raw if declared is None else declared).decode()
    except UnicodeDecodeError:
        return info.orig_filename


def _unicode_path(extra: bytes, raw: bytes) -> bytes | None:
    """Find the name that Info-ZIP's extra field says in UTF-8; it holds while the checksum is that of the name."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == UNICODE_PATH and body[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return body[5:]
    return None


def _obstacle(info: zipfile.ZipInfo) -> str:
    """Say why an entry cannot be unpacked."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device; pack the file itself"
    if info.flag_bits & ENCRYPTED:
        return "is encrypted; pack it without a password"
    if info.compress_type not in METHODS:
        return f"is compressed by method {info.compress_type}; pack it with deflate"
    if info.file_size > max(FREE_RATIO_BYTES, MAX_RATIO * info.compress_size):
        return f"declares {info.file_size:,} bytes in {info.compress_size:,}, more than any scene has; pack it again"
    return ""
