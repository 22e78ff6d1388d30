"""One object of a store into a file: by parallel ranges of one version, or as one stream where there are no ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sogs_worker.storage.base import Moved
from sogs_worker.storage.transfer.parallel import map_in_threads
from sogs_worker.storage.transfer.partial import Partial, split
from sogs_worker.storage.transfer.retry import Budget

THREADS = 8
BUFFER_BYTES = 1 << 18
"""Read at once: all that a thread holds of the object. It fits the processor's cache."""


class Body(Protocol):
    """The bytes of an answer."""

    def read(self, size_bytes: int, /) -> bytes:
        """Give the next bytes, none at the end; an end before the announced length is an error."""


def read_beginning(body: Body, size_bytes: int) -> bytes:
    """Read so many bytes, fewer if the body has no more; one `read` alone may break off without an error."""
    content = b""
    while len(content) < size_bytes and (chunk := body.read(size_bytes - len(content))):
        content += chunk
    return content


@dataclass(frozen=True)
class Transfer:
    """What is to be downloaded.

    Attributes:
        open_body: asks for a range of the object; refuses an answer of another version or length.
        size_bytes: the object's length.
        budget: of the operation.
        progress: told of the bytes that are there, each once.
    """

    open_body: Callable[[range], Body]
    size_bytes: int
    budget: Budget
    progress: Moved

    def by_ranges(self, path: Path) -> None:
        """Fill the file; where a range breaks off, it goes on from there."""
        partial = Partial(path, size_bytes=self.size_bytes)
        with partial.opened():
            map_in_threads(lambda span: self._fetch(span, partial), split(self.size_bytes), THREADS)

    def as_stream(self, path: Path) -> None:
        """Fill the file from one answer; where it breaks off, from the start again."""
        partial = Partial(path, size_bytes=self.size_bytes)
        seen = 0

        def attempt() -> None:
            nonlocal seen
            for end in self._copy(range(self.size_bytes), partial):
                if end > seen:
                    self._report(end - seen)
                    seen = end

        with partial.opened():
            self.budget.run(attempt)

    def _fetch(self, span: range, partial: Partial) -> None:
        """Fetch a range; where it breaks off, it goes on from there."""
        position = span.start

        def attempt() -> None:
            nonlocal position
            for end in self._copy(range(position, span.stop), partial):
                self._report(end - position)
                position = end

        self.budget.run(attempt)

    def _copy(self, span: range, partial: Partial) -> Iterator[int]:
        """Write what is sent of a range, and tell after each chunk where it ended."""
        position = span.start
        body = self.open_body(span)
        while chunk := body.read(BUFFER_BYTES):
            partial.write(position, memoryview(chunk))
            position += len(chunk)
            yield position

    def _report(self, new_bytes: int) -> None:
        self.progress(new_bytes)
        self.budget.renew()
