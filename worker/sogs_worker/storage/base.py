"""The contract of a store: objects under keys, each complete or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from sogs_worker.errors import StorageError, UsageError

Moved = Callable[[int], None]
"""Called with the bytes moved since the last call, possibly from several threads."""

METADATA_BYTES = 1800
"""Names and values together: S3 takes 2 KB, of which the stores keep a digest and a token."""

RESERVED_METADATA = frozenset({"sha256", "upload"})
"""Names of metadata that the stores write themselves."""


HIDDEN = ".splats"
"""Name of a folder for what is not published yet; a store of files removes one that becomes empty."""


def ignore_progress(_moved_bytes: int) -> None:
    """Report nothing."""


class ConflictError(StorageError):
    """A conditional upload lost: the key does not hold what the condition says. A try of the same is in vain."""


@dataclass(frozen=True)
class IfAbsent:
    """The condition that the key is free: create, never replace."""


@dataclass(frozen=True)
class IfMatch:
    """The condition that the key still holds the version that was seen.

    Attributes:
        etag: of the `StoredObject` that was seen.
    """

    etag: str


Condition = IfAbsent | IfMatch


@dataclass(frozen=True)
class StoredObject:
    """What a store says about an object.

    Attributes:
        size_bytes: its length.
        sha256: hexadecimal digest of its content, None where the store was never told.
        etag: names this version of the object; compared, never read.
        metadata: what its uploader said of it, names in lower case.
    """

    size_bytes: int
    sha256: str | None
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class ListedObject(NamedTuple):
    """An object in a listing."""

    key: str
    size_bytes: int


class Beginning(NamedTuple):
    """What `ReadableStore.peek` gives: the first bytes of an object, and what the store says of it."""

    content: bytes
    object: StoredObject


class Receipt(NamedTuple):
    """What an upload came to.

    Attributes:
        etag: the version that was written.
        is_verified: whether the store itself compared the content with the digest; if not, only a download can.
    """

    etag: str
    is_verified: bool


class ReadableStore(Protocol):
    """Something with objects. Every method raises a `WorkerError` whose sentence names the object and the remedy."""

    def uri(self, key: str) -> str:
        """Name the object at `key` for people and manifests."""

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Give the objects whose keys begin with `prefix`, ascending by the UTF-8 of their keys."""

    def stat(self, key: str) -> StoredObject:
        """Describe the object at `key`; SourceMissingError where there is none."""

    def peek(self, key: str, size_bytes: int) -> Beginning:
        """Read the first bytes of the object at `key`, so many or all that it has; a bucket takes one request for it.

        Args:
            key: of the object; SourceMissingError where there is none.
            size_bytes: 1 or more.
        """

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> str:
        """Copy the object at `key` to the file `path`, complete and of one version, or not at all.

        Returns:
            The ETag of that version.
        """


class WritableStore(ReadableStore, Protocol):
    """Something that takes objects too."""

    def upload(
        self,
        path: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        condition: Condition | None = None,
        progress: Moved = ignore_progress,
    ) -> Receipt:
        """Publish the file `path` at `key` and check that it arrived; nobody sees half of it.

        Args:
            path: the file.
            key: where to.
            sha256: hexadecimal digest of the file, kept with the object.
            content_type: its media type.
            metadata: kept with the object; ASCII, names in lower case, see `check_metadata`.
            condition: what must hold in the moment of publishing; None: what is there is replaced.
            progress: told of the bytes sent.

        Raises:
            ConflictError: the condition does not hold; what is there stays.
        """

    def check_upload(self, key: str) -> None:
        """Raise what an upload to `key` would, as far as that can be known without publishing anything."""

    def check_keys(self, keys: Iterable[str]) -> None:
        """Refuse keys that cannot all be objects of this store at once; UsageError names one."""

    def delete(self, key: str) -> None:
        """Remove the object at `key`; no error where there is none."""


class Store(WritableStore, Protocol):
    """A bucket or a folder that a run publishes in."""

    def copy(self, source_key: str, key: str, *, condition: Condition | None = None) -> None:
        """Copy an object with its metadata within the store, without moving it through this machine.

        Raises:
            ConflictError: the condition on `key` does not hold.
        """

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove all these objects; on an error the others are removed all the same."""

    def abort_uploads(self, key: str) -> None:
        """Remove what interrupted uploads to `key` left behind, or to all keys below one that ends in a slash.

        The objects themselves stay.
        """


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Refuse metadata that some store would lose or change.

    Raises:
        UsageError: a reserved name, upper case, anything but printable ASCII, or more than `METADATA_BYTES`.
    """
    for name, value in metadata.items():
        text = name + value
        if name in RESERVED_METADATA or name != name.lower() or not (text.isascii() and text.isprintable()):
            raise UsageError(f"the metadata {name!r} cannot be stored; use printable ASCII and a name of lower case")
    if sum(len(name) + len(value) for name, value in metadata.items()) > METADATA_BYTES:
        raise UsageError(f"the metadata {', '.join(metadata)} is over {METADATA_BYTES} bytes; store a digest of it")
    return dict(metadata)
