"""The header of a PLY file: its encoding, elements and properties."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from sogs_worker.errors import BadInputError

TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
"""NumPy's name, without byte order, of each scalar type."""

ENCODINGS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
"""NumPy's byte order of each encoding; empty for text."""

MAX_BYTES = 1 << 20
"""A longer header is taken for a file that is not a PLY: real ones have some kilobytes."""

MAX_DIGITS = 18
"""Of a count: what 64 bits hold."""


@dataclass(frozen=True)
class Property:
    """One value of a row; `type` is a key of `TYPES`, or None for a list."""

    name: str
    type: str | None


@dataclass(frozen=True)
class Element:
    """`count` rows of the same properties."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def has_list(self) -> bool:
        """Tell whether rows differ in length."""
        return any(each.type is None for each in self.properties)

    def row_dtype(self, byte_order: str) -> list[tuple[str, str]]:
        """Describe a binary row for NumPy; names are positions, since the file's may be odd or repeated."""
        return [(str(i), byte_order + TYPES[each.type or ""]) for i, each in enumerate(self.properties)]


@dataclass(frozen=True)
class Header:
    """What the file declares.

    Attributes:
        encoding: a key of `ENCODINGS`.
        elements: in the order of their data.
        size_bytes: where the data begin.
        line_end: of the header and of text: LF, also where CR comes before it, or CR alone, as of classic Mac OS.
        comments: without the word `comment`, in their order.
    """

    encoding: str
    elements: tuple[Element, ...]
    size_bytes: int
    line_end: bytes
    comments: tuple[str, ...]

    def find(self, name: str) -> Element | None:
        """Return the first element of that name."""
        return next((each for each in self.elements if each.name == name), None)

    def before(self, element: Element) -> tuple[Element, ...]:
        """Return the elements whose rows come before those of one of them."""
        return self.elements[: self.elements.index(element)]


def read_header(file: BinaryIO) -> Header:
    """Read the header from the start of a file; lines may end in LF, CR LF or CR.

    Elements without properties, whose rows have no bytes, are left out.

    Raises:
        BadInputError: without the file's name; says what is wrong with which line.
    """
    line_end = _read_magic(file)
    encoding = ""
    elements: list[Element] = []
    comments: list[str] = []
    while words := _next_line(file, line_end):
        match words:
            case ["format", name, _] if name in ENCODINGS:
                encoding = name
            case ["comment", *rest]:
                comments.append(" ".join(rest))
            case ["obj_info", *_]:
                pass
            case ["element", name, count] if count.isdecimal() and len(count) <= MAX_DIGITS:
                elements.append(Element(name, int(count), ()))
            case ["property", *rest] if elements:
                last = elements[-1]
                elements[-1] = Element(last.name, last.count, (*last.properties, _parse_property(rest)))
            case ["end_header"] if encoding:
                filled = tuple(each for each in elements if each.properties)
                return Header(encoding, filled, file.tell(), line_end, tuple(comments))
            case _:
                raise BadInputError(f"bad PLY header line {' '.join(words)[:80]!r}; export the scene again")
    raise BadInputError("the PLY header has no end_header line; the file is cut off or not a PLY")


def build_header(*elements: Element, comments: Iterable[str] = ()) -> bytes:
    """Return the header of a binary little endian file."""
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {each}" for each in comments)]
    for element in elements:
        lines.append(f"element {element.name} {element.count}")
        lines += [f"property {each.type} {each.name}" for each in element.properties]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


def build_element(name: str, count: int, kind: str, properties: Iterable[str]) -> Element:
    """Describe rows of which all properties are of one type."""
    return Element(name, count, tuple(Property(each, kind) for each in properties))


def _read_magic(file: BinaryIO) -> bytes:
    """Read the first line, and return what ends lines: see `Header`."""
    start = file.read(5)
    for line in (b"ply\n", b"ply\r\n", b"ply\r"):
        if start.startswith(line):
            file.seek(len(line))
            return line[-1:]
    raise BadInputError("not a PLY file: it does not begin with the line 'ply'; export the scene as PLY")


def _next_line(file: BinaryIO, line_end: bytes) -> list[str]:
    """Return the words of the next line that has any; none at the end of the file or past the longest header."""
    while file.tell() < MAX_BYTES and (line := _read_line(file, line_end)):
        if words := line.decode("latin-1").split():
            return words
    return []


def _read_line(file: BinaryIO, line_end: bytes) -> bytes:
    if line_end == b"\n":
        return file.readline(MAX_BYTES)
    line = bytearray()
    while len(line) < MAX_BYTES and not line.endswith(line_end) and (byte := file.read(1)):
        line += byte
    return bytes(line)


def _parse_property(words: list[str]) -> Property:
    match words:
        case ["list", count, value, name] if count in TYPES and value in TYPES:
            return Property(name, None)
        case [kind, name] if kind in TYPES:
            return Property(name, kind)
    raise BadInputError(f"bad PLY property {' '.join(words)[:80]!r}; expected a scalar type and a name")
