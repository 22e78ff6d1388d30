"""The contract of a store: objects under keys, each complete or absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Moved = Callable[[int], None]
"""Called with the bytes moved since the last call, possibly from several threads."""


def ignore_progress(_moved_bytes: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class StoredObject:
    """What a store says about an object.

    Attributes:
        size_bytes: its length.
        sha256: hexadecimal digest of its content, None where the store was never told.
    """

    size_bytes: int
    sha256: str | None


class Store(Protocol):
    """A bucket or a folder. Every method raises a `WorkerError` whose sentence names the object and the remedy."""

    def uri(self, key: str) -> str:
        """Name the object at `key` for people and manifests."""

    def stat(self, key: str) -> StoredObject:
        """Describe the object at `key`; SourceMissingError where there is none."""

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> None:
        """Copy the object at `key` to the file `path`, complete or not at all."""

    def upload(
        self, path: Path, key: str, *, sha256: str, content_type: str, progress: Moved = ignore_progress
    ) -> None:
        """Publish the file `path` at `key`, over what is there, and check that it arrived; nobody sees half of it.

        Args:
            path: the file.
            key: where to.
            sha256: hexadecimal digest of the file, kept with the object.
            content_type: its media type.
            progress: told of the bytes sent.
        """

    def check_upload(self, key: str) -> None:
        """Raise what an upload to `key` would, as far as that can be known without publishing anything."""

    def delete(self, key: str) -> None:
        """Remove the object at `key`; no error where there is none."""

    def abort_uploads(self, key: str) -> None:
        """Remove what interrupted uploads to `key` left behind; the object itself stays."""
