"""What an archive's directory says of its files, and which names are fit to be used."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from sogs_worker.errors import BadInputError

MAX_ENTRIES = 50_000
"""An archive of scenes has dozens; a million empty entries would cost the reader's memory and minutes."""

MAX_RATIO = 100
"""Bytes that one compressed byte may become: scenes have 1 to 5, bombs 1000."""

FREE_RATIO_BYTES = 64 << 20
"""Up to here any ratio is harmless."""

MAX_PART_BYTES = 255
"""Of a file's name, by the file systems."""

MAX_NAME_BYTES = 1000
"""Of a whole path: S3 keys have at most 1024 bytes, of which the destination needs some."""

CHUNK_BYTES = 1 << 20
SHOWN_CHARACTERS = 100


@dataclass(frozen=True)
class Entry:
    """A file of an archive.

    Attributes:
        name: its path, always relative and without `..`.
        size_bytes: of its content, as declared.
        position: where the container finds it again; ascends in the archive's order.
        obstacle: why it cannot be unpacked, to be read after its name; empty if it can.
    """

    name: PurePosixPath
    size_bytes: int
    position: int
    obstacle: str = ""


class Container(Protocol):
    """An open archive of one format. Faults are `BadInputError` without the archive's name, or the library's own."""

    def entries(self) -> Iterator[Entry]:
        """List the files in the archive's order; `chunks` may be called in between."""
        ...

    def chunks(self, entry: Entry, chunk_bytes: int = CHUNK_BYTES) -> Generator[bytes]:
        """Read a file without an obstacle piece by piece: at most its `size_bytes`, less if it is damaged."""
        ...

    def close(self) -> None:
        """Close the archive, not the file that it was opened on."""
        ...


def parse_name(text: str) -> PurePosixPath:
    r"""Parse a name. Some old packers write `\` for `/`.

    Raises:
        BadInputError: it would lead out of the folder that the archive is unpacked to.
    """
    slashed = text.replace("\\", "/")
    path = PurePosixPath(slashed)
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", slashed):
        raise BadInputError(f"{shown(text)} leads out of the archive; pack it again with relative names")
    return path


def check_name(name: PurePosixPath) -> None:
    """Refuse a name that no output could have.

    Raises:
        BadInputError: it is too long, not UTF-8, or has control characters.
    """
    if fault := find_fault(name):
        raise BadInputError(f"{shown(str(name))} {fault}; rename it")


def find_fault(name: PurePosixPath) -> str:
    """Say why no output can have a name, to be read after it; empty if one can."""
    text = str(name)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return "is not UTF-8 or has control characters"
    if len(text.encode()) > MAX_NAME_BYTES or any(len(part.encode()) > MAX_PART_BYTES for part in name.parts):
        return f"has a name of more than {MAX_PART_BYTES} bytes, or of {MAX_NAME_BYTES:,} with its folders"
    return ""


def shown(text: str) -> str:
    """Write a name so that any terminal and log can take it."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return cut if cut.isprintable() else ascii(cut)
