"""ZIP archives: their directory, read with suspicion."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from sogs_worker.errors import BadInputError
from sogs_worker.source.archives.entries import CHUNK_BYTES, FREE_RATIO_BYTES, MAX_ENTRIES, MAX_RATIO, Entry, parse_name

MAX_DIRECTORY_BYTES = 8 << 20
"""Room for `MAX_ENTRIES` names of usual length."""

LOCAL_HEADER_BYTES = 30
ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ZipContainer:
    """An open ZIP archive."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the directory.

        Raises:
            BadInputError: it is too long, contradicts itself, or has names in another encoding.
        """
        try:
            # Packers of macOS write UTF-8 without saying so; of other encodings nobody can tell which.
            self._archive = zipfile.ZipFile(cast(IO[bytes], _BoundedReads(file)), metadata_encoding="utf-8")
        except UnicodeDecodeError as error:
            raise BadInputError("has names that are not UTF-8; pack it again with UTF-8 names") from error
        self._infos = self._archive.infolist()
        if len(self._infos) > MAX_ENTRIES:
            raise _too_many_entries()
        _check_overlaps(self._infos, self._archive.start_dir)

    def entries(self) -> Iterator[Entry]:
        """List the files, folders left out."""
        for position, info in enumerate(self._infos):
            name = parse_name(info.filename)
            if not info.filename.endswith("/"):
                yield Entry(name, info.file_size, position, _obstacle(info))

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """Read a file; its checksum is compared at its end."""
        with self._archive.open(self._infos[entry.position]) as stream:
            while chunk := stream.read(CHUNK_BYTES):
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
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in ordered[1:]), end]
    for info, limit in zip(ordered, ends, strict=True):
        if info.header_offset < 0 or info.header_offset + LOCAL_HEADER_BYTES + info.compress_size > limit:
            raise BadInputError("has entries that overlap, as no packer makes them; pack it again")


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
