"""Zstandard by the system's own library, which Debian's base image has: Python has none before 3.14."""

from __future__ import annotations

import ctypes
from functools import cache

from sogs_worker.errors import BadInputError, ConfigurationError

LIBRARY = "libzstd.so.1"


def decompress_zstd(data: bytes, size_bytes: int) -> bytes:
    """Decompress to exactly `size_bytes`, which are all that is ever written.

    Raises:
        BadInputError: if the data are damaged, or are more or less when decompressed.
        ConfigurationError: if the library is not installed.
    """
    library = _load()
    target = ctypes.create_string_buffer(size_bytes)
    got = library.ZSTD_decompress(target, size_bytes, data, len(data))
    if library.ZSTD_isError(got) or got != size_bytes:
        raise BadInputError(f"a Zstandard stream of {len(data):,} bytes is damaged; copy the file again")
    return target.raw


@cache
def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise ConfigurationError(
            f"{LIBRARY} is not installed, which SPZ version 4 needs; install it, or write the scene as SPZ version 3"
        ) from error
    library.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_isError.argtypes = [ctypes.c_size_t]
    return library
