"""Reading a JSON object field by field: each of its kind, none unknown, every refusal with expected and got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sogs_worker.errors import UsageError

REMEDY = "use a worker image of the operator's version"


class Fields:
    """The fields of one JSON object, taken out one by one."""

    def __init__(self, document: object, path: str) -> None:
        """Start to read.

        Args:
            document: what the JSON text says at `path`.
            path: where it stands in the document (`source.s3`), empty for the whole.

        Raises:
            UsageError: it is not an object.
        """
        if not isinstance(document, Mapping):
            raise UsageError(f"{path or 'it'} must be an object, got {document!r}; {REMEDY}")
        self._left = dict(document)
        self._prefix = f"{path}." if path else ""

    def optional(self, name: str, kind: type[Any]) -> Any:
        """Take a field that may be absent (None)."""
        value = self._left.pop(name, None)
        # JSON's true is not a number, although Python's True is.
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise UsageError(f"{self._prefix}{name} must be of type {kind.__name__}, got {value!r}; {REMEDY}")
        return value

    def number(self, name: str) -> float | None:
        """Take a number, whole or not, that may be absent (None)."""
        value = self._left.pop(name, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"{self._prefix}{name} must be a number, got {value!r}; {REMEDY}")
        return None if value is None else float(value)

    def required(self, name: str, kind: type[Any]) -> Any:
        """Take a field that must be there."""
        value = self.optional(name, kind)
        if value is None:
            raise UsageError(f"{self._prefix}{name} is missing; {REMEDY}")
        return value

    def texts(self, name: str) -> list[str]:
        """Take a list of strings that may be absent (empty)."""
        values = self.optional(name, list) or []
        if wrong := [value for value in values if not isinstance(value, str)]:
            raise UsageError(f"{self._prefix}{name} must have strings only, got {wrong[0]!r}; {REMEDY}")
        return values

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> Any:
        """Take a field that is one of a few words."""
        value = self.optional(name, str)
        if value is not None and value not in choices:
            raise UsageError(f"{self._prefix}{name} must be one of {', '.join(choices)}, got {value!r}; {REMEDY}")
        return value or default

    def finish(self) -> None:
        """Refuse what was not taken: an unknown field is never ignored."""
        if self._left:
            raise UsageError(f"{self._prefix}{min(self._left)} is not known to this worker; {REMEDY}")
