"""What a file is by its first bytes, for who named it to be something else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sogs_worker.errors import BadInputError
from sogs_worker.files import reading

HEAD_BYTES = 512
TAR_MAGIC = slice(257, 262)


@dataclass(frozen=True)
class Kind:
    """A kind of file: what people call it, and what to do with one that should have been a scene."""

    name: str
    remedy: str


UNPACK = "unpack it, and name what was in it"
CONVERT = "name a scene"

EMPTY = Kind("an empty file", "copy it again from where it was made")
ZEROS = Kind("nothing but zeros at its beginning", "copy it again from where it was made")
PLY = Kind("a PLY file", "let its name end in .ply")
SPZ = Kind("an SPZ file", "let its name end in .spz")
ZIP = Kind("a ZIP archive", "let its name end in .sog if it is a bundle, or in .zip if it holds scenes")
GLB = Kind("a binary glTF", "let its name end in .glb")
GZIP = Kind("packed by gzip", UNPACK)
JSON = Kind("JSON", CONVERT)
POINTER = Kind("a Git LFS pointer, which stands for a file that was not fetched", "fetch it with `git lfs pull`")
PAGE = Kind("a web page", "download the file itself, not the page that shows it")
XML = Kind("an XML document, such as servers answer errors with", "read it, and download the file again")
TAR = Kind("a tar archive", "let its name end in .tar")
TEXT = Kind("text", CONVERT)

BEGINNINGS = {
    b"ply\n": PLY,
    b"ply\r": PLY,
    b"NGSP": SPZ,
    b"PK\x03\x04": ZIP,
    b"PK\x05\x06": ZIP,
    b"\x1f\x8b\x08": GZIP,
    b"glTF": GLB,
    b"\x28\xb5\x2f\xfd": Kind("packed by Zstandard", UNPACK),
    b"7z\xbc\xaf\x27\x1c": Kind("a 7-Zip archive", UNPACK),
    b"Rar!\x1a\x07": Kind("a RAR archive", UNPACK),
    b"\x89PNG\r\n\x1a\n": Kind("a PNG image", CONVERT),
    b"\xff\xd8\xff\xe0": Kind("a JPEG image", CONVERT),
    b"%PDF-": Kind("a PDF document", CONVERT),
}
"""Binary files, by what they begin with; no fewer than three bytes, as a .splat may begin with any."""

WORDS = {
    b"version https://git-lfs": POINTER,
    b"<!doctype html": PAGE,
    b"<html": PAGE,
    b"<": XML,
    b"{": JSON,
    b"[": JSON,
    b"": TEXT,
}
"""Texts, by their beginnings in small letters, the first that fits."""

EXPECTED = {
    ".ply": ("a PLY file", {PLY}),
    ".spz": ("an SPZ file", {SPZ, GZIP}),
    ".splat": ("a .splat file", {ZEROS}),
    ".ksplat": ("a .ksplat file", set()),
    ".glb": ("a binary glTF", {GLB}),
    ".sog": ("a ZIP archive, as a SOG bundle is", {ZIP}),
    ".json": ("the metadata of a SOG scene", {JSON}),
}
"""What a file of that suffix is called, and which kinds it may seem to be."""


def refuse_other_kinds(path: Path) -> None:
    """Refuse a file that is known to be something else than its suffix says; what nobody knows is left to the reader.

    Raises:
        BadInputError: names the file, what it is and what to do.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    expected, kinds = EXPECTED.get(path.suffix.lower(), ("a scene that can be read", {TEXT}))
    with reading(path) as file:
        kind = find_kind(file.read(HEAD_BYTES))
        if kind is not None and kind not in kinds:
            raise BadInputError(f"is {kind.name}, not {expected}; {kind.remedy}")


def find_kind(head: bytes) -> Kind | None:
    """Tell the kind of a file by its first `HEAD_BYTES`; None if it is not known."""
    if not head:
        return EMPTY
    for beginning, kind in BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("a WebP image", CONVERT)
    if head[TAR_MAGIC] == b"ustar":
        return TAR
    if not any(head):
        return ZEROS
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if _is_text(text):
        return next(kind for beginning, kind in WORDS.items() if text.startswith(beginning))
    return None


def _is_text(head: bytes) -> bool:
    """Tell text in ASCII or UTF-8, whose last letter may be cut in two, from numbers."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text) and all(letter.isprintable() or letter.isspace() for letter in text)
