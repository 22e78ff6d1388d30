"""The first stage: objects of the source, complete and as announced, in scratch."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from sogs_worker.errors import BadInputError, StorageError
from sogs_worker.naming import take_suffix
from sogs_worker.source.archives import Member, open_archive
from sogs_worker.source.names import PATHS, FoundFile, Pattern, name_scenes_of
from sogs_worker.source.objects import SourceObject
from sogs_worker.source.search import PassedOver, plane_names
from sogs_worker.source.selection import ALL, Selection
from sogs_worker.storage.base import Moved, ReadableStore, ignore_progress
from sogs_worker.storage.local.files import LocalFiles
from sogs_worker.storage.transfer.integrity import digest_file

SPACE_PER_SOURCE_BYTE = 1.5
"""Scratch has to hold the source, its bundles and the copy of a bundle that may be read back."""
SPACE_AT_LEAST_BYTES = 16 << 20

DOWNLOAD_SHARE = 0.8
"""Part of the stage `read` that the download takes; parsing takes the rest."""


@dataclass(frozen=True)
class Fetched:
    """An object of the source in scratch.

    Attributes:
        path: the file, of an unbundled scene its meta.json.
        uri: of the object, for messages.
        sha256: hexadecimal digest of the file, or of the unbundled scene's files; empty if nobody wants to know.
        origin: the object, in the version that was downloaded.
        cameras: the main file of those that it was trained from, see `fetch_cameras`.
    """

    path: Path
    uri: str
    sha256: str
    origin: SourceObject
    cameras: Path | None = None


@dataclass(frozen=True)
class SceneFile:
    """One scene in scratch.

    Attributes:
        path: the file, of an unbundled scene its meta.json.
        uri: where it came from, for messages.
        cameras: the main file of those that it was trained from; None if there is none.
    """

    path: Path
    uri: str
    cameras: Path | None = None


@dataclass(frozen=True)
class Scene:
    """A scene that an object is, or that an archive holds.

    Attributes:
        uri: where it came from, for messages.
        content: names its content: the file's digest; of a part of an archive, the archive's and the part's name.
        output: name of its output without suffix, relative to the destination.
        size_bytes: of its files, unpacked.
        opened: gives its file for a block; what is unpacked for it goes with the block.
    """

    uri: str
    content: str
    output: PurePosixPath
    size_bytes: int
    opened: Callable[[], AbstractContextManager[SceneFile]]


@dataclass(frozen=True)
class Unpacked:
    """What an object holds: its scenes, and what in an archive only looks like one."""

    scenes: list[Scene]
    passed_over: list[PassedOver] = field(default_factory=list)


def fetch(
    store: ReadableStore,
    origin: SourceObject,
    *,
    sha256: str | None,
    folder: Path,
    is_known_by_content: bool = True,
    progress: Moved = ignore_progress,
) -> Fetched:
    """Download an object, or all of an unbundled scene, and check it.

    Args:
        store: where it is.
        origin: the object.
        sha256: what its content must be; None: anything.
        folder: where it goes, under its own name.
        is_known_by_content: whether to compute the digest where nothing is to be compared with it.
        progress: told of the bytes.

    Raises:
        BadInputError: another content than announced.
        StorageError: there is no space for it.
    """
    uri = store.uri(origin.key)
    require_space(folder, moved_bytes(store, origin), uri)
    path = folder / PurePosixPath(origin.key).name
    origin = replace(origin, etag=download(store, origin, path, progress))
    if not (sha256 or is_known_by_content):
        return Fetched(path, uri, "", origin)
    got = digest_folder(folder) if origin.is_unbundled else digest_file(path)
    if sha256 and got != sha256:
        raise BadInputError(
            f"{uri} has the SHA-256 {got}, not {sha256}; upload the right file or correct spec.source.sha256"
        )
    return Fetched(path, uri, got, origin)


def download(store: ReadableStore, origin: SourceObject, path: Path, progress: Moved = ignore_progress) -> str:
    """Copy an object to `path`, and the planes of an unbundled scene beside it; return the object's version.

    Raises:
        StorageError: the files of an unbundled scene are not of one moment: they would decode, but to something else.
    """
    etag = store.download(origin.key, path, progress)
    if not origin.is_unbundled:
        return etag
    planes = {plane: path.with_name(PurePosixPath(plane).name) for plane in origin.planes}
    versions = {plane: store.download(plane, copy, progress) for plane, copy in planes.items()} | {origin.key: etag}
    named = set(plane_names(path.read_bytes()) or [])
    if named != {copy.name for copy in planes.values()} or any(
        store.stat(key).etag != version for key, version in versions.items()
    ):
        raise StorageError(f"{store.uri(origin.key)} or a plane of it changed while they were read; run it again")
    return etag


def digest_folder(folder: Path) -> str:
    """Return a hexadecimal SHA-256 of the names and contents of a folder's files."""
    lines = [f"{digest_file(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@contextmanager
def unpacking(
    fetched: Fetched, folder: Path, *, selection: Selection = ALL, names: Pattern = PATHS, with_cameras: bool = False
) -> Iterator[Unpacked]:
    """Give the scenes that an object holds; those of an archive are unpacked one at a time.

    Args:
        fetched: the object.
        folder: takes the files of an archive's scene.
        selection: what is taken of the source.
        names: how outputs are named.
        with_cameras: whether to unpack those that an archive's scene was trained from.

    Raises:
        BadInputError: the archive is damaged; a NoSceneError, if it has no scene. Names the object.
        UsageError: see `name_scenes_of`.
    """
    origin, uri = fetched.origin, fetched.uri
    if not origin.is_archive:
        file = SceneFile(fetched.path, uri, fetched.cameras)
        yield Unpacked([Scene(uri, fetched.sha256, origin.output, origin.size_bytes, lambda: nullcontext(file))])
        return
    with speaking_of(fetched):
        archive = open_archive(fetched.path, selection.inside(origin.below))
    name = fetched.path.name
    home = take_suffix(unquote(name) if uri.startswith("https://") else name)
    found_files = [FoundFile(member.name, home, f"{uri}/{member.name}") for member in archive.scenes]
    outputs = name_scenes_of(origin.output, found_files, names)

    def scene_of(member: Member, name: PurePosixPath) -> Scene:
        named = f"{uri}/{member.name}"

        @contextmanager
        def opened() -> Iterator[SceneFile]:
            try:
                with speaking_of(fetched):
                    cameras = archive.extract_cameras(member, folder.parent) if with_cameras else None
                    path = archive.extract(member, folder)
                yield SceneFile(path, named, cameras)
            finally:
                for file in folder.iterdir():
                    file.unlink()

        return Scene(named, f"{fetched.sha256} {member.name}", name, member.size_bytes, opened)

    passed_over = [replace(each, name=f"{uri}/{each.name}") for each in archive.passed_over]
    with archive:
        yield Unpacked([scene_of(*each) for each in zip(archive.scenes, outputs, strict=True)], passed_over)


@contextmanager
def speaking_of(fetched: Fetched) -> Iterator[None]:
    """Say of the object what is wrong with its copy."""
    try:
        yield
    except BadInputError as error:
        raise type(error)(str(error).replace(str(fetched.path), fetched.uri)) from error


def has_space(folder: Path, source_bytes: int) -> bool:
    """Say whether there is space for a source and what is made of it."""
    return shutil.disk_usage(folder).free >= needed_bytes(source_bytes)


def require_space(folder: Path, source_bytes: int, uri: str) -> None:
    """Refuse a source that scratch cannot hold."""
    if not has_space(folder, source_bytes):
        raise StorageError(
            f"{uri} needs {needed_bytes(source_bytes):,} bytes of scratch space and"
            f" {shutil.disk_usage(folder).free:,} are free; raise the ephemeral-storage of spec.resources or use a node"
            " with more disk"
        )


def needed_bytes(source_bytes: int) -> int:
    """Return what a source and all that is made of it take."""
    return int(source_bytes * SPACE_PER_SOURCE_BYTE) + SPACE_AT_LEAST_BYTES


def moved_bytes(store: ReadableStore, origin: SourceObject) -> int:
    """Return what a copy of an object takes: nothing where it is read from where it lies."""
    return 0 if isinstance(store, LocalFiles) else origin.size_bytes
