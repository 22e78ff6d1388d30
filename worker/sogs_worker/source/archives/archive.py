"""Archives as their users see them: a list of scenes, and one scene at a time on disk."""

from __future__ import annotations

import gzip
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import BinaryIO

from sogs_worker.errors import BadInputError, StorageError
from sogs_worker.files import reading
from sogs_worker.source.archives.entries import Container, Entry, shown
from sogs_worker.source.archives.members import Member, select_members
from sogs_worker.source.archives.tars import TarContainer
from sogs_worker.source.archives.zips import ZipContainer
from sogs_worker.source.cameras import is_acceptable
from sogs_worker.source.search import NoSceneError, PassedOver, is_ply, summarize
from sogs_worker.source.selection import ALL, Selection

DAMAGE = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What the libraries raise over bytes that contradict each other."""


def open_archive(path: Path, selection: Selection = ALL) -> Archive:
    """Open an archive of the kind that its name says, and list its scenes that are taken.

    Raises:
        BadInputError: it is damaged or hostile; a NoSceneError, if it has no scene.
        SourceMissingError, NotPermittedError, StorageError: it cannot be read.
    """
    with _opened(path) as container:
        members, passed_over = select_members(container.entries(), partial(_beginning, container), selection)
        if not members:
            found = summarize(passed_over)
            wanted = f" that {selection}" if selection else ""
            raise NoSceneError(f"has no scene{wanted}{found}; see docs/formats.md for the files that are scenes")
    return Archive(path, tuple(members), tuple(passed_over))


def _beginning(container: Container, entry: Entry, size_bytes: int) -> bytes:
    """Read the first bytes of a file; none of a damaged PLY, which is told when that one scene is unpacked."""
    with closing(container.chunks(entry, size_bytes)) as chunks:
        try:
            return next(chunks, b"")
        except DAMAGE:
            if is_ply(entry.name.name):
                return b""
            raise


class Archive:
    """An archive whose scenes are known. Use it in a `with` block to unpack them, best in their order.

    Attributes:
        path: the archive.
        scenes: its scenes, in its order; at least one.
        passed_over: what only looks like a scene.
    """

    def __init__(self, path: Path, scenes: tuple[Member, ...], passed_over: tuple[PassedOver, ...]) -> None:
        self.path = path
        self.scenes = scenes
        self.passed_over = passed_over
        self._stack = ExitStack()
        self._container: Container | None = None
        self._cameras: tuple[Entry, ...] = ()
        self._cameras_folder: Path | None = None

    def __enter__(self) -> Archive:
        """Open the file."""
        self._container = self._stack.enter_context(_opened(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._container, self._cameras, self._cameras_folder = None, (), None
        self._stack.close()

    def extract(self, member: Member, folder: Path) -> Path:
        """Unpack a scene.

        Args:
            member: one of `scenes`.
            folder: where its files go, without the folders of the archive; has none of their names yet.

        Returns:
            The file to read it from: `folder` and the last part of `member.name`.

        Raises:
            BadInputError: the archive is damaged.
            StorageError: `folder` has no room for it. Nothing of the scene is left there after any error.
        """
        container = self._entered()
        _require_space(f"{self.path}: {shown(str(member.name))}", member.size_bytes, folder)
        with ExitStack() as undo:
            for entry in sorted(member.entries, key=lambda each: each.position):
                target = folder / entry.name.name
                # Exclusive: follows no link and replaces nothing, whoever else writes to the folder.
                with _unpacking(self.path, entry), target.open("xb") as file:
                    undo.callback(target.unlink)
                    _copy(container, entry, file)
            undo.pop_all()
        return folder / member.name.name

    def extract_cameras(self, member: Member, scratch: Path) -> Path | None:
        """Unpack the cameras that a scene was trained from, best before it; None if there are none.

        Several scenes in a row that have the same are spared the way back through a gzipped archive: what is unpacked
        stays until there are others, or the archive is closed.

        Args:
            member: one of `scenes`.
            scratch: takes a folder for them.

        Returns:
            The main one of their files. One that is damaged or too long is empty: whoever reads it says that it is of
            no use.
        """
        container = self._entered()
        if not member.cameras:
            return None
        if self._cameras_folder is None:
            temporary = TemporaryDirectory(prefix="cameras-", dir=scratch)
            self._cameras_folder = Path(self._stack.enter_context(temporary))
        if self._cameras != member.cameras:
            for file in self._cameras_folder.iterdir():
                file.unlink()
            for entry in sorted(member.cameras, key=lambda each: each.position):
                with _unpacking(self.path, entry):
                    _copy_acceptable(container, entry, self._cameras_folder / entry.name.name)
            self._cameras = member.cameras
        return self._cameras_folder / member.cameras[0].name.name

    def _entered(self) -> Container:
        if self._container is None:
            raise RuntimeError("an archive must be entered before it is unpacked")
        return self._container


@contextmanager
def _opened(path: Path) -> Iterator[Container]:
    """Open an archive; faults found in the block name it."""
    with reading(path) as file:
        try:
            with closing(ZipContainer(file) if path.suffix.lower() == ".zip" else TarContainer(file)) as container:
                yield container
        except BadInputError:
            raise
        except DAMAGE as error:
            raise BadInputError(f"is damaged or no {path.suffix} archive; copy it again") from error


@contextmanager
def _unpacking(path: Path, entry: Entry) -> Iterator[None]:
    """Name the file that is being unpacked in faults."""
    name = shown(str(entry.name))
    try:
        yield
    except BadInputError as error:
        raise BadInputError(f"{path}: {name} {error}") from error
    except DAMAGE as error:
        raise BadInputError(f"{path}: {name} is damaged; copy the archive again") from error
    except OSError as error:
        raise StorageError(
            f"{path}: {name} cannot be unpacked: {error.strerror or error}; check the scratch folder's volume"
        ) from error


def _copy(container: Container, entry: Entry, file: BinaryIO) -> None:
    """Write a file's content, which must be as long as it was declared."""
    written_bytes = sum(file.write(chunk) for chunk in container.chunks(entry))
    if written_bytes != entry.size_bytes:
        raise BadInputError(f"declares {entry.size_bytes:,} bytes and has {written_bytes:,}; copy the archive again")


def _copy_acceptable(container: Container, entry: Entry, path: Path) -> None:
    """Write the content of a file of cameras, nothing of one that is damaged or too long."""
    with path.open("xb") as file:
        if is_acceptable(path, entry.size_bytes):
            try:
                _copy(container, entry, file)
            except (BadInputError, *DAMAGE):
                file.truncate(0)


def _require_space(name: str, size_bytes: int, folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < size_bytes:
        raise StorageError(
            f"{name} needs {size_bytes:,} bytes of scratch space and {folder} has {free_bytes:,};"
            " make room or use a greater volume"
        )
