"""The directives of strategic merge patches: the names with a dollar sign beside the fields that they are for.

They are those of the Kubernetes design document "Strategic Merge Patch".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from splat_operator.api.spec import Json

PATCH = "$patch"
DELETE = "$deleteFromPrimitiveList/"
ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


class MergeError(ValueError):
    """A patch that has no meaning, or none that is sure; `str(error)` is one sentence that begins with the field."""


def join(path: str, name: str) -> str:
    """The path of a field of the map at `path`."""
    return f"{path}.{name}" if path else name


def directive(patch: Json, path: str) -> str | None:
    """The map's $patch, `replace` or `delete`; None where it has none. Raises MergeError."""
    found: str | None = patch.get(PATCH)
    if PATCH in patch and found not in ("replace", "delete"):
        raise MergeError(f"{join(path, PATCH)} must be replace or delete.")
    return found


def fields(patch: Json, path: str) -> dict[str, Any]:
    """The patch without the directives beside its fields. Raises MergeError for one that is none."""
    found = {name: value for name, value in patch.items() if name != _RETAIN and not name.startswith((DELETE, ORDER))}
    for name in found:
        if name.startswith("$"):
            raise MergeError(f"{join(path, name)} is no directive of strategic merge patches.")
    return found


def targets(patch: Json, prefix: str, path: str) -> Iterator[tuple[str, list[Any]]]:
    """The fields that the directives of this prefix are for, and their lists. Raises MergeError."""
    for name, value in patch.items():
        if name.startswith(prefix):
            if not isinstance(value, list):
                raise MergeError(f"{join(path, name)} must be a list.")
            yield name.removeprefix(prefix), value


def retained(original: Json, patch: Json, path: str) -> dict[str, Any]:
    """The original's fields that $retainKeys, if it is there, does not clear away. Raises MergeError."""
    names = patch.get(_RETAIN, [*original, *patch])
    if not isinstance(names, list):
        raise MergeError(f"{join(path, _RETAIN)} must be a list.")
    for name, value in fields(patch, path).items():
        if value is not None and name not in names:
            raise MergeError(f"{join(path, name)} is not among the $retainKeys beside it.")
    return {name: value for name, value in original.items() if name in names and value is not None}


def without(old: Any, unwanted: Sequence[Any], added: Any, path: str) -> list[Any]:
    """What $deleteFromPrimitiveList leaves of a list. Raises MergeError.

    Whether it comes before or after an addition of the same element is laid down nowhere, so that is refused.
    """
    if not isinstance(old, list) or any(isinstance(element, Mapping | list) for element in [*old, *unwanted]):
        raise MergeError(f"{path} is no list of scalars, so that $deleteFromPrimitiveList has no meaning for it.")
    if isinstance(added, list) and any(element in unwanted for element in added):
        raise MergeError(f"{path} has an element that $deleteFromPrimitiveList deletes.")
    return [element for element in old if element not in unwanted]


def split(elements: Sequence[Any], path: str) -> tuple[list[Json], list[Any]]:
    """A list's elements that have $patch, and those that do not. Raises MergeError.

    `$patch: replace` is for the list, and kubectl drops what stands beside it; that is refused.
    """
    marked = [element for element in elements if isinstance(element, Mapping) and PATCH in element]
    for element in marked:
        if directive(element, path) == "replace" and len(element) > 1:
            raise MergeError(f"{path} would lose what stands beside $patch: replace; make that an element of its own.")
    return marked, [element for element in elements if element not in marked]
