"""The rows of an element in a binary PLY file: found by the header, read a few at a time."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.formats.ply.header import ENCODINGS, Element, Header

NOUNS = {"vertex": "vertices"}


class Rows:
    """The rows of one element; a field of the array that `read` returns is named by its property's position.

    Raises:
        BadInputError: if they cannot be found because of a list, or the file ends before they do. Nothing is read yet.
    """

    def __init__(self, file: BinaryIO, header: Header, element: Element) -> None:
        order = ENCODINGS[header.encoding]
        start = header.size_bytes
        for other in header.before(element):
            _refuse_lists(other)
            start += other.count * np.dtype(other.row_dtype(order)).itemsize
        _refuse_lists(element)
        self.element = element
        self.dtype: np.dtype[Any] = np.dtype(element.row_dtype(order))
        self._file, self._start = file, start
        expected = element.count * self.dtype.itemsize
        got = max(0, os.fstat(file.fileno()).st_size - start)
        if got < expected:
            noun = NOUNS.get(element.name, f"element {element.name}")
            raise BadInputError(
                f"the PLY is truncated: expected {expected:,} bytes of {noun}, got {got:,}; copy it again"
            )

    def read(self, first: int, count: int) -> NDArray[Any]:
        """Read some consecutive rows, a structured array; safe to call from several threads."""
        size = self.dtype.itemsize
        data = os.pread(self._file.fileno(), count * size, self._start + first * size)
        if len(data) < count * size:
            raise BadInputError("the PLY became shorter while it was read; copy it again")
        return np.frombuffer(data, self.dtype)

    def field(self, name: str) -> str:
        """Return the field of the property `name`."""
        for i, each in enumerate(self.element.properties):
            if each.name == name:
                return str(i)
        raise BadInputError(f"element {self.element.name} lacks {name}; export the scene again")


def _refuse_lists(element: Element) -> None:
    if element.has_list:
        raise BadInputError(
            f"element {element.name} has a list, after which nothing can be found; export the scene again"
        )
