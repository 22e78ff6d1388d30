"""Standard input and output in the place of a file: `-`. Both go by scratch, as no stream can be read twice."""

from __future__ import annotations

import gzip
import shutil
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sogs_worker.errors import BadInputError, UsageError
from sogs_worker.formats.found import EMPTY, GLB, GZIP, HEAD_BYTES, JSON, PLY, SPZ, TAR, ZIP, Kind, find_kind
from sogs_worker.naming import BUNDLE_SUFFIX, META
from sogs_worker.storage.local.files import LocalFiles

STREAM = "-"
STANDARD_INPUT, STANDARD_OUTPUT = "standard input", "standard output"

SUFFIXES = {PLY: ".ply", SPZ: ".spz", GLB: ".glb", TAR: ".tar"}
KSPLAT = b"\0\1\0\0"
"""Version 0.1 and padding; as a coordinate, with which a .splat begins, next to nothing."""

BLOCK_BYTES = 1 << 20


class Stream(LocalFiles):
    """A folder of scratch that holds what came by standard input, or what is to go to standard output."""

    def __init__(self, folder: Path, name: str) -> None:
        """Begin.

        Args:
            folder: of scratch.
            name: what people call its file.
        """
        super().__init__(folder)
        self._name = name

    def uri(self, _key: str) -> str:
        """Name the stream."""
        return self._name


def name_output(output: str) -> str:
    """Name an output for people."""
    return STANDARD_OUTPUT if output == STREAM else output


def results_stream(output: str) -> TextIO:
    """Return where a command says what it did: not where the result itself goes."""
    return sys.stderr if output == STREAM else sys.stdout


def require_output(output: str) -> None:
    """Refuse standard output, if it is named, where it is closed or a terminal."""
    if output == STREAM and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageError("standard output is a terminal or closed; redirect it to a file or a pipe")


def require_one_stream(inputs: Sequence[str]) -> None:
    """Refuse to read standard input twice."""
    if inputs.count(STREAM) > 1:
        raise UsageError("standard input can be read only once; name a file in place of one -")


def receive(folder: Path) -> Path:
    """Copy standard input to a new file, whose suffix is that of its format.

    Raises:
        UsageError: it is closed or a terminal.
        BadInputError: its first bytes are of no scene and no archive.
    """
    path = receive_any(folder)
    return path.rename(path.with_suffix(_suffix_of(path)))


def receive_any(folder: Path) -> Path:
    """Copy standard input to a new file, whatever it is.

    Raises:
        UsageError: it is closed or a terminal.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("standard input is a terminal or closed; redirect a file to it, or name one")
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, BLOCK_BYTES)
    return path


def send(path: Path) -> None:
    """Copy a file to standard output."""
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer, BLOCK_BYTES)
    sys.stdout.buffer.flush()


def _suffix_of(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    kind = find_kind(head)
    if kind in SUFFIXES:
        return SUFFIXES[kind]
    if kind == ZIP:
        return BUNDLE_SUFFIX if _is_bundle(path) else ".zip"
    if kind == GZIP:
        return _packed_suffix(path)
    if kind is None and head.startswith(KSPLAT):
        return ".ksplat"
    raise BadInputError(f"{STANDARD_INPUT}: {_flaw(kind)}")


def _is_bundle(path: Path) -> bool:
    """Tell a bundle from an archive of scenes; a damaged archive, of which only a bundle's reader says more, is one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return META in archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return True


def _packed_suffix(path: Path) -> str:
    """Tell an SPZ of the older versions, which are packed as a whole, from an archive."""
    try:
        with gzip.open(path) as file:
            head = file.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return ".spz"
    return ".tar.gz" if find_kind(head) == TAR else ".spz"


def _flaw(kind: Kind | None) -> str:
    if kind is None:
        return "its first bytes tell no format, as those of a .splat do not; name a file"
    if kind == EMPTY:
        return "is empty; check what is to write to it"
    if kind == JSON:
        return "is JSON, and the files of a scene beside it cannot come this way; name its meta.json"
    return f"is {kind.name}, not a scene; {kind.remedy}"
