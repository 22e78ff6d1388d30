"""Files that appear whole or not at all, and errors that name the file they speak of."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sogs_worker.errors import BadInputError, NotPermittedError, SourceMissingError, StorageError, WorkerError


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name; rename it to `path` once the block has ended without an error.

    Raises:
        NotPermittedError, StorageError: if the folder cannot be written to; nothing is left behind then.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except PermissionError as error:
        raise NotPermittedError(f"{path}: may not be written; choose another folder or change its mode") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make the folder of an output.

    Raises:
        NotPermittedError, StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise NotPermittedError(f"{folder}: may not be made; choose another folder") from error
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error.strerror or error}; choose another folder") from error


def remove(path: Path) -> None:
    """Remove a file, if there is one.

    Raises:
        NotPermittedError, StorageError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except PermissionError as error:
        raise NotPermittedError(f"{path}: may not be replaced; choose another folder or change its mode") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be replaced: {error.strerror or error}; choose another folder") from error


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put the file's name before faults found in it, once, and turn the system's errors about it into ours."""
    try:
        yield
    except BadInputError as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise type(error)(f"{path}: {error}") from error
    except WorkerError:
        raise
    except FileNotFoundError as error:
        raise SourceMissingError(f"{path}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise BadInputError(f"{path}: is a folder; name a scene file") from error
    except PermissionError as error:
        raise NotPermittedError(f"{path}: may not be read; change its mode or run as its owner") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read at any place of it; see `naming`.

    Raises:
        BadInputError: it is a pipe or a device, which has no such places, and which to open may take for ever.
    """
    with naming(path):
        if not _is_regular(path.stat().st_mode):
            raise BadInputError("is a pipe or a device; copy what it gives to a file, and name that")
        with path.open("rb") as file:
            yield file


def _is_regular(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # a folder's opening is refused in its own words
