"""The JSON of a GLB, looked at field by field: nothing in it need be what glTF says it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from sogs_worker.errors import BadInputError

Section = Mapping[str, Any]
LARGEST = 1e30
"""Of a number in it."""


class Document:
    """The JSON's root.

    Raises:
        BadInputError: it is no object.
    """

    def __init__(self, root: object) -> None:
        if not isinstance(root, dict):
            raise BadInputError("the GLB's JSON is not an object; export the scene again")
        self.root: Section = root

    def entry(self, kind: str, index: object) -> Section:
        """Return an object of one of the root's lists, such as `nodes`.

        Raises:
            BadInputError: there is none of that index.
        """
        entries = self.root.get(kind)
        if not isinstance(entries, list) or not is_integer(index) or not 0 <= index < len(entries):
            raise BadInputError(f"the GLB refers to {kind}[{shown(index)}], which it has not; export the scene again")
        entry = entries[index]
        if not isinstance(entry, dict):
            raise BadInputError(f"{kind}[{index}] of the GLB is not an object; export the scene again")
        return entry


def parse_section(section: Section, field: str) -> Section:
    """Return an object in another one; an empty one if it is not there."""
    value = section.get(field, {})
    if not isinstance(value, dict):
        raise _unexpected(field, "an object", value)
    return value


def parse_list(section: Section, field: str) -> list[Any]:
    """Return a list; an empty one if it is not there."""
    value = section.get(field, [])
    if not isinstance(value, list):
        raise _unexpected(field, "a list", value)
    return value


def parse_integer(section: Section, field: str, default: int | None = None, least: int = 0) -> int:
    """Return an integer of at least `least`."""
    value = section.get(field, default)
    if not is_integer(value) or value < least:
        raise _unexpected(field, f"an integer from {least} on", value)
    return int(value)


def parse_numbers(section: Section, field: str, default: list[float]) -> list[float]:
    """Return as many numbers as the default has."""
    values = section.get(field, default)
    if not isinstance(values, list) or len(values) != len(default) or not all(map(_is_number, values)):
        raise _unexpected(field, f"{len(default)} numbers", values)
    return [float(value) for value in values]


def is_integer(value: object) -> TypeGuard[int]:
    """Tell an integer from a truth value, which Python takes for one."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return (is_integer(value) or isinstance(value, float)) and abs(value) <= LARGEST


def _unexpected(field: str, expected: str, value: object) -> BadInputError:
    return BadInputError(f"the GLB's {field} must be {expected}, got {shown(value)}; export the scene again")


def shown(value: object) -> str:
    """Write a value for a refusal, cut to a length that fits one."""
    try:
        return repr(value)[:80]
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"a {type(value).__name__}"
