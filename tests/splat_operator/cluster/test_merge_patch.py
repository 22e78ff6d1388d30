"""The merge patch that the status is written with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressions import resource
from fake_connection import merged
from splat_operator.cluster.executor import merge_patch, status_patch

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing changed": ({"a": 1}, {"a": 1}, {}),
    "added": ({}, {"a": 1}, {"a": 1}),
    "changed": ({"a": 1}, {"a": 2}, {"a": 2}),
    "removed": ({"a": 1}, {}, {"a": None}),
    "inside": ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2}}, {"a": {"b": 2, "c": None}}),
    "inside unchanged": ({"a": {"b": 1}, "c": 1}, {"a": {"b": 1}}, {"c": None}),
    "list whole": ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 3]}),
    "object for a number": ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
}


@pytest.mark.parametrize("case", CASES)
def test_merge_patch(case: str) -> None:
    before, after, patch = CASES[case]
    assert merge_patch(before, after) == patch


objects = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
statuses = st.dictionaries(st.sampled_from("abc"), objects)


@settings(max_examples=50)
@given(statuses, statuses)
def test_applying_the_patch_leads_to_the_goal(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(before, merge_patch(before, after)) == after


def test_status_patch_is_refused_if_the_resource_has_changed() -> None:
    patch = status_patch(resource(status={"phase": "Pending"}), {"phase": "Running"})
    assert patch == {"metadata": {"resourceVersion": "7"}, "status": {"phase": "Running"}}
