"""Extensions of SPZ: records of a type, a length and a payload (extensions/README.md of Niantic's spz)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

RECORD = struct.Struct("<II")
NUMBER = struct.Struct("<I")

ORBIT = 0xADBE0002
AXES = 0xADBE0003
"""Limits of a viewer's camera, which are not the splats', and where the axes point (SPZ_ADOBE_coordinate_system)."""

_STANDARD = ("LDB", "RDB", "LUB", "RUB", "LDF", "RDF", "LUF", "RUF")
_TURNED = ("LFD", "RFD", "LFU", "RFU", "LBD", "RBD", "LBU", "RBU")
SYSTEMS = (None, *_STANDARD, *_TURNED)
"""Where x, y and z point, by the number in the file; 0 does not say."""


@dataclass(frozen=True)
class Extensions:
    """What a file says beside its splats.

    Attributes:
        axes: where x, y and z point, see `to_ply_axes`; None if it does not say.
        notes: on what is not understood, see `Splats`.
    """

    axes: str | None = None
    notes: tuple[str, ...] = ()


def parse_extensions(data: bytes) -> Extensions:
    """Parse the records; what is not known or damaged is noted, not refused, as the splats are whole without it."""
    axes: str | None = None
    notes: list[str] = []
    place = 0
    while place < len(data):
        if place + RECORD.size > len(data):
            return Extensions(axes, (*notes, DAMAGED))
        kind, length = RECORD.unpack_from(data, place)
        place += RECORD.size
        payload = data[place : place + length]
        if len(payload) < length:
            return Extensions(axes, (*notes, DAMAGED))
        place += length
        if kind == AXES and length >= NUMBER.size and (number := NUMBER.unpack_from(payload)[0]) < len(SYSTEMS):
            axes = SYSTEMS[number]
        elif kind == AXES:
            notes.append("its SPZ_ADOBE_coordinate_system names no system that is known, so its axes stay as stored")
        elif kind != ORBIT:
            notes.append(f"its SPZ extension 0x{kind:08X} is not known, and not read")
    return Extensions(axes, tuple(notes))


DAMAGED = "its SPZ extensions are damaged, and not all of them are read"
