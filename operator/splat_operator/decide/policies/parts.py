"""Reading a manifest of which nothing is sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_KINDS: Mapping[str, Any] = {"map": Mapping, "list": list, "string": str, "boolean": bool, "whole number": int}


class MalformedError(Exception):
    """A field of a wrong type; `str(error)` is the phrase."""


@dataclass(frozen=True)
class Part:
    """A pod, one of its containers, or a smaller part; phrases about its fields begin with `where`."""

    fields: Mapping[str, Any]
    where: str = ""

    def get(self, path: str, kind: str) -> Any:
        """The field at `path`, None where it or what would have it is not there or null. Raises MalformedError.

        The kinds are map, list, string, boolean and whole number.
        """
        parent, _, name = path.rpartition(".")
        holder = self.get(parent, "map") if parent else self.fields
        value = None if holder is None else holder.get(name)
        # Python's booleans are integers.
        is_of_kind = isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if value is not None and not is_of_kind:
            raise MalformedError(f"{self.where}{path} is not a {kind}")
        return value

    def parts(self, path: str, word: str) -> Iterator[Part]:
        """The elements of the list at `path`, each of which is called a `word`. Raises MalformedError."""
        for element in self.get(path, "list") or ():
            if not isinstance(element, Mapping):
                raise MalformedError(f"{self.where}{path} has an element that is not a map")
            yield Part(element, f"{self.where}{word} {element.get('name')}: ")
