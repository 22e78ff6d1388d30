"""A file that is filled range by range: what has arrived outlives the process and serves the next try."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RANGE_BYTES = 16 << 20


class Partial:
    """The file that becomes `path`, with a note of the ranges it has, both beside `path` until it is complete."""

    def __init__(self, path: Path, *, size_bytes: int, etag: str) -> None:
        """Describe it; nothing is opened yet.

        Args:
            path: the file in the end.
            size_bytes: its length.
            etag: the version of the object; what arrived of another is dropped.
        """
        self._path = path
        self._data = path.with_name(path.name + ".partial")
        self._notes = path.with_name(path.name + ".ranges")
        self._size_bytes = size_bytes
        self._version = json.dumps({"etag": etag, "bytes": size_bytes, "range": RANGE_BYTES})
        self._lock = threading.Lock()
        self._fd = -1

    @contextmanager
    def opened(self) -> Iterator[list[range]]:
        """Open the files and give the ranges that are missing; at the end close them, and if all is there, rename.

        Raises:
            OSError: the disk is full or may not be written to.
        """
        missing = self._missing()
        self._fd = os.open(self._data, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if self._size_bytes:
                os.posix_fallocate(self._fd, 0, self._size_bytes)  # a full disk is noticed before the transfer
            yield missing
        finally:
            descriptor, self._fd = self._fd, -1  # a thread that was left behind writes to no other file
            os.close(descriptor)
        self._data.replace(self._path)
        self._notes.unlink()

    def write(self, position: int, chunk: memoryview) -> None:
        """Write a chunk at its place. Threads may write at once, each in its range."""
        while chunk:
            written = os.pwrite(self._fd, chunk, position)
            chunk, position = chunk[written:], position + written

    def note(self, span: range) -> None:
        """Note that a range is complete."""
        with self._lock, self._notes.open("a") as notes:
            notes.write(f"{span.start}\n")

    def _missing(self) -> list[range]:
        spans = split(self._size_bytes)
        try:
            version, *starts = self._notes.read_text().split("\n")[:-1]  # a line without its end was cut off
            if version == self._version and self._data.stat().st_size == self._size_bytes:
                return [span for span in spans if str(span.start) not in set(starts)]
        except (FileNotFoundError, ValueError):
            pass
        self._data.unlink(missing_ok=True)
        self._notes.write_text(self._version + "\n")
        return spans


def split(size_bytes: int) -> list[range]:
    """Divide so many bytes into ranges of `RANGE_BYTES`, the last one shorter; none for none."""
    starts = range(0, size_bytes, RANGE_BYTES)
    return [range(start, min(start + RANGE_BYTES, size_bytes)) for start in starts]
