"""The CRD as data, and the small questions that tests ask of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CRD_FILE = ROOT / "crds" / "splats.dev_splatcompressions.yaml"


def read_crd() -> dict[str, Any]:
    return yaml.safe_load(CRD_FILE.read_text())


def version() -> dict[str, Any]:
    (only,) = read_crd()["spec"]["versions"]
    return only


def root_schema() -> dict[str, Any]:
    return version()["schema"]["openAPIV3Schema"]


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema below `schema` with its path; a list's items are `path[]`, a map's values `path{}`."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


def rules(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every CEL rule below `schema`, with the path of the schema that holds it."""
    return [(path, rule) for path, node in walk(schema) for rule in node.get("x-kubernetes-validations", [])]


def merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7386) of `base`, which stays as it is: None removes, dicts merge, all else replaces."""
    result = copy.deepcopy(base)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = copy.deepcopy(value)
    return result
