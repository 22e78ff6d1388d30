"""Zstandard, which Python has only from 3.14 on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import zstandard

from sogs_worker.errors import BadInputError

UNKNOWN = -1

LEVEL = 12
"""What Niantic's own library compresses with."""


def compress_zstd(file: BinaryIO, pieces: Iterable[bytes], size_bytes: int) -> int:
    """Write pieces, which together have `size_bytes`, as one frame; return how many bytes that takes."""
    start = file.tell()
    with zstandard.ZstdCompressor(level=LEVEL).stream_writer(file, size=size_bytes, closefd=False) as stream:
        for piece in pieces:
            stream.write(piece)
    return file.tell() - start


def decompress_zstd(data: bytes, size_bytes: int) -> bytes:
    """Decompress to exactly `size_bytes`, which are all that is ever allocated.

    Raises:
        BadInputError: if the data are damaged, or are more or less when decompressed.
    """
    try:
        # A declared size is what the library allocates, whatever it is told to allow.
        if zstandard.frame_content_size(data) in (size_bytes, UNKNOWN):
            found = zstandard.ZstdDecompressor().decompress(data, max_output_size=size_bytes)
            if len(found) == size_bytes:
                return found
    except zstandard.ZstdError:
        pass
    raise BadInputError(f"a Zstandard stream of {len(data):,} bytes is damaged; copy the file again")
