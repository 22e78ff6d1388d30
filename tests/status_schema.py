"""Whether the API server would take a status and keep all of it: the CRD's schema, as far as a status uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from crd.schema import root_schema
from splat_operator.api.times import parse_time

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@cache
def status_schema() -> dict[str, Any]:
    """The schema of `status`."""
    schema: dict[str, Any] = root_schema()["properties"]["status"]
    return schema


def faults(value: Any, schema: Mapping[str, Any] | None = None, where: str = "status") -> list[str]:
    """What keeps a value from being taken as it is."""
    return list(_faults(value, status_schema() if schema is None else schema, where))


def _faults(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    is_flag = isinstance(value, bool)
    if not isinstance(value, _TYPES[schema["type"]]) or is_flag != (schema["type"] == "boolean"):
        yield f"{where} is {value!r}, not of type {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}"
    match value:
        case str():
            yield from _text_faults(value, schema, where)
        case int():
            bits = 31 if schema.get("format") == "int32" else 63
            if not -(2**bits) <= value < 2**bits:
                yield f"{where} is {value}, of more than {bits} bits"
        case list():
            if len(value) > schema.get("maxItems", len(value)):
                yield f"{where} has {len(value)} elements"
            for number, element in enumerate(value):
                yield from _faults(element, schema["items"], f"{where}[{number}]")
        case dict() if "properties" in schema:
            yield from (f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value)
            yield from (f"{where}.{name} would be dropped" for name in value if name not in schema["properties"])
            for name, field in schema["properties"].items():
                if name in value:
                    yield from _faults(value[name], field, f"{where}.{name}")


def _text_faults(value: str, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{where} has {len(value)} characters"
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        yield f"{where} cannot be sent"
    if schema.get("format") == "date-time":
        try:
            time = parse_time(value)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            yield f"{where} is {value!r}, which is no time"
