"""The CRD and the operator say the same: what absent fields mean, and what this version does not do."""

from __future__ import annotations

from typing import Any

import pytest

from crd.refusals import SMALLEST, UNSUPPORTED, Refusal
from crd.schema import merged, root_schema
from splat_operator.policies.support import unsupported
from splat_operator.spec import parse_spec


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


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in UNSUPPORTED])
def test_operator_refuses_what_the_crd_refuses(case: Refusal) -> None:
    sentence = unsupported(merged(SMALLEST, case.patch)["spec"])
    assert sentence
    assert case.field in sentence


def test_operator_refuses_nothing_that_the_crd_takes() -> None:
    assert unsupported(_with_defaults(root_schema()["properties"]["spec"], SMALLEST["spec"])) is None
