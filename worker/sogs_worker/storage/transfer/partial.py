"""A file that is filled range by range, by several threads, and appears when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RANGE_BYTES = 16 << 20


class Partial:
    """The file that becomes `path`, beside it until it is complete."""

    def __init__(self, path: Path, *, size_bytes: int) -> None:
        """Describe it, and its length in the end; nothing is opened yet."""
        self._path = path
        self._data = path.with_name(path.name + ".partial")
        self._size_bytes = size_bytes
        self._fd = -1

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the file; at the end close it, and give it its name, or remove it after an error.

        Raises:
            OSError: the disk is full or may not be written to.
        """
        self._fd = os.open(self._data, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            try:
                if self._size_bytes:
                    os.posix_fallocate(self._fd, 0, self._size_bytes)  # a full disk is noticed before the transfer
                yield
            finally:
                descriptor, self._fd = self._fd, -1  # a thread that was left behind writes to no other file
                os.close(descriptor)
            self._data.replace(self._path)
        finally:
            self._data.unlink(missing_ok=True)

    def write(self, position: int, chunk: memoryview) -> None:
        """Write a chunk at its place. Threads may write at once, each in its range."""
        while chunk:
            written = os.pwrite(self._fd, chunk, position)
            chunk, position = chunk[written:], position + written


def split(size_bytes: int) -> list[range]:
    """Divide so many bytes into ranges of `RANGE_BYTES`, the last one shorter; none for none."""
    starts = range(0, size_bytes, RANGE_BYTES)
    return [range(start, min(start + RANGE_BYTES, size_bytes)) for start in starts]
