"""Fields of meta.json, parsed one by one; a refusal names the field, what was expected and what is there."""

from __future__ import annotations

import json
from pathlib import PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.splats import Floats

MAX_BYTES = 1 << 20
"""Of the document: real ones have some 15 kB."""

LARGEST = float(np.finfo(np.float32).max)

FILES = {
    "means": ("means_l.webp", "means_u.webp"),
    "scales": ("scales.webp",),
    "quats": ("quats.webp",),
    "sh0": ("sh0.webp",),
    "shN": ("shN_centroids.webp", "shN_labels.webp"),
}
"""The canonical names of each attribute's planes, which some readers demand."""

Section = dict[str, Any]


def parse_document(data: bytes) -> Section:
    """Parse the JSON, an object.

    Raises:
        BadInputError: if it is none.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInputError("meta.json is not valid JSON; write the bundle again") from error
    if not isinstance(document, dict):
        raise BadInputError(f"meta.json must be an object, got {shown(document)}; write the bundle again")
    return document


def parse_sections(document: Section) -> dict[str, Section]:
    """Return the attributes' sections; shN may be missing."""
    names = [name for name in FILES if name != "shN" or document.get("shN") is not None]
    for name in names:
        if not isinstance(document.get(name), dict):
            raise BadInputError(f"meta.json has no {name}; write the bundle again")
    return {name: document[name] for name in names}


def parse_count(value: object, field: str, greatest: int | None = None) -> int:
    """Return an integer from 1 to `greatest`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (greatest and value > greatest):
        limit = f"1 to {greatest}" if greatest else "1 or more"
        raise BadInputError(f"meta.json: {field} must be {limit}, got {shown(value)}; write the bundle again")
    return value


def parse_numbers(section: Section, field: str, length: int) -> Floats:
    """Return a list of `length` numbers as float32; the field's last part is its name in the section."""
    return parse_doubles(section, field, length).astype(np.float32)


def parse_doubles(section: Section, field: str, length: int) -> NDArray[np.float64]:
    """Return a list of `length` numbers within the range of float32."""
    values = section.get(field.split(".")[-1])
    if not isinstance(values, list) or len(values) != length:
        got = f"{len(values)}" if isinstance(values, list) else shown(values)
        raise BadInputError(f"meta.json: {field} must have {length} numbers, got {got}; write the bundle again")
    return np.array([parse_number(value, field) for value in values], np.float64)


def parse_number(value: object, field: str) -> float:
    """Return a number that float32 can hold."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) <= LARGEST:  # type: ignore[arg-type]
        raise BadInputError(
            f"meta.json: {field} must have finite numbers only, got {shown(value)}; write the bundle again"
        )
    return float(value)  # type: ignore[arg-type]


def parse_files(section: Section, attribute: str) -> tuple[str, ...]:
    """Return the names of an attribute's planes, which must not lead out of the bundle."""
    names = section.get("files")
    expected = len(FILES[attribute])
    if not isinstance(names, list) or len(names) != expected:
        raise BadInputError(
            f"meta.json: {attribute}.files must name {expected} files, got {shown(names)}; write the bundle again"
        )
    for name in names:
        if not isinstance(name, str) or PureWindowsPath(name).name != name or not name.strip(".") or "\0" in name:
            raise BadInputError(
                f"meta.json: {attribute}.files must be plain file names, got {shown(name)}; write the bundle again"
            )
    return tuple(names)


def shown(value: object) -> str:
    """Write a value for a refusal, cut to a length that fits one."""
    try:
        return repr(value)[:80]
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"a {type(value).__name__}"
