"""The profile "restricted" of pods, without a cluster; tests/crd/test_restricted.py asks the API server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restricted_pods import CASES, GOOD, Case
from splat_operator.decide.policies.restricted import violations

names = st.sampled_from(
    [
        *("containers", "initContainers", "name", "securityContext", "runAsNonRoot", "seccompProfile", "type"),
        *("capabilities", "add", "drop", "volumes", "ports", "hostPort", "sysctls", "os", "hostUsers", "livenessProbe"),
    ]
)
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
documents = st.recursive(values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_names_what_is_wrong(case: Case) -> None:
    assert sorted(violations(case.spec, annotations=dict(case.annotations))) == sorted(case.phrases)


@pytest.mark.parametrize("spec", ["worker", [], 1])
def test_spec_that_is_no_map(spec: Any) -> None:
    assert violations(spec) == ["spec is not a map"]


def test_annotations_that_are_no_map() -> None:
    assert violations(GOOD, annotations=["a"]) == ["annotations is not a map"]


@given(documents, documents)
def test_anything_has_an_answer(spec: Any, annotations: Any) -> None:
    assert all(isinstance(phrase, str) for phrase in violations(spec, annotations=annotations))
