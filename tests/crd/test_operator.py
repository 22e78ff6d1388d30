"""The CRD and the operator say the same of what absent fields mean."""

from __future__ import annotations

from typing import Any

from crd.refusals import SMALLEST
from crd.schema import root_schema
from splat_operator.api.spec import parse_spec


def _with_defaults(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What the API server makes of `value`: it fills in an absent field's default, and then the defaults inside."""
    filled = dict(value)
    for name, child in schema.get("properties", {}).items():
        if name not in filled and "default" in child:
            filled[name] = child["default"]
        if isinstance(filled.get(name), dict):
            filled[name] = _with_defaults(child, filled[name])
    return filled


def test_operator_takes_absent_fields_for_the_defaults() -> None:
    """A resource that came in under an older CRD runs as one that comes in now."""
    filled = _with_defaults(root_schema()["properties"]["spec"], SMALLEST["spec"])
    assert filled != SMALLEST["spec"]
    assert parse_spec(SMALLEST["spec"]) == parse_spec(filled)
