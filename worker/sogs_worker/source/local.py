"""Scenes of this machine: files, folders of files, and archives among them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from sogs_worker.errors import BadInputError, NotPermittedError, SourceMissingError, StorageError, WorkerError
from sogs_worker.naming import META, Origin
from sogs_worker.source.archives.archive import Archive, open_archive
from sogs_worker.source.archives.entries import check_name
from sogs_worker.source.archives.members import MAX_META_BYTES, Member, is_archive, is_hidden, is_scene, plane_names


@dataclass(frozen=True)
class LocalScene:
    """A scene that can be read here, perhaps after unpacking it.

    Attributes:
        path: its file, or the archive that it is in.
        origin: where it was found, seen from the folder or file that was named.
        size_bytes: of its files, unpacked.
        archive, member: where to unpack it from; None for a file.
    """

    path: Path
    origin: Origin
    size_bytes: int
    archive: Archive | None = None
    member: Member | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path / self.member.name if self.member else self.path)


def find_scenes(inputs: Sequence[Path], output: Path | None = None) -> tuple[list[LocalScene], list[WorkerError]]:
    """Find the scenes of inputs, in the order of the inputs, a folder's sorted by path, an archive's in its own.

    Args:
        inputs: scenes, archives, and folders, which are searched to their depths.
        output: a folder in one of these that is not searched, since it takes what is made of them.

    Returns:
        The scenes, and what is wrong with the inputs and archives that give none.
    """
    scenes: list[LocalScene] = []
    faults: list[WorkerError] = []
    for each in inputs:
        try:
            base = each if each.is_dir() else each.parent
            files = list(_search(each, output)) if each.is_dir() else [each]
            if not files:
                raise BadInputError(f"{each}: no scene is in this folder; name a folder or file that has some")
        except WorkerError as error:
            faults.append(error)
            continue
        for file in files:
            try:
                scenes += _open(file, base)
            except WorkerError as error:
                faults.append(error)
    return scenes, faults


def _search(folder: Path, output: Path | None) -> Iterator[Path]:
    """Yield the scenes and archives below a folder."""
    kept_out = output.resolve() if output else None
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if Path(parent, name).resolve() != kept_out)
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not is_hidden(PurePosixPath(path.relative_to(folder))) and _is_source(path):
                yield path


def _refuse(error: OSError) -> NoReturn:
    raise NotPermittedError(f"{error.filename}: cannot be searched: {error.strerror}; change its mode") from error


def _is_source(path: Path) -> bool:
    return is_scene(path.name) or is_archive(path.name) or (path.name == META and _planes(path) is not None)


def _open(path: Path, base: Path) -> list[LocalScene]:
    """Return the one scene of a file, or those of an archive."""
    file, folder = PurePosixPath(path.relative_to(base)), base.resolve().name
    check_name(file)
    if not is_archive(path.name):
        return [LocalScene(path, Origin(file, None, folder), _size_bytes(path))]
    archive = open_archive(path)
    return [
        LocalScene(path, Origin(file, member.name, folder), member.size_bytes, archive, member)
        for member in archive.scenes
    ]


def _size_bytes(path: Path) -> int:
    """Return the length of a scene's files."""
    planes = (_planes(path) or []) if path.name == META else []
    try:
        return path.stat().st_size + sum((path.parent / name).stat().st_size for name in planes)
    except FileNotFoundError as error:
        raise SourceMissingError(f"{error.filename}: no such file; check the path") from error
    except PermissionError as error:
        raise NotPermittedError(f"{error.filename}: may not be read; change its mode") from error
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be read: {error.strerror}; check the path") from error


def _planes(meta: Path) -> list[str] | None:
    """Return the files that a meta.json names; None if it is not a scene's, or cannot be read."""
    try:
        return plane_names(meta.read_bytes()) if meta.stat().st_size <= MAX_META_BYTES else None
    except OSError:
        return None
