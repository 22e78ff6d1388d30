"""Strategic merge patches of pod templates, without a cluster; tests/crd/test_strategic_merge.py asks kubectl."""

from __future__ import annotations

import copy
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod_patches import CASES, REFUSED, TEMPLATE, Case, random_patch, value_at
from splat_operator.manifests.merge import MergeError, merge

patches = st.integers(0).map(lambda seed: random_patch(random.Random(seed)))  # noqa: S311 - for tests
scalars = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "worker", "replace", "delete"])
names = st.sampled_from(
    [
        *("metadata", "spec", "containers", "env", "name", "args", "volumes", "tolerations", "finalizers"),
        *("$patch", "$retainKeys", "$setElementOrder/env", "$deleteFromPrimitiveList/args", "$setElementOrder/volumes"),
    ]
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_merges(case: Case) -> None:
    assert value_at(merge(TEMPLATE, case.patch), case.path) == case.value


@pytest.mark.parametrize(("patch", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refuses_in_one_sentence(patch: Any, sentence: str) -> None:
    with pytest.raises(MergeError) as caught:
        merge(TEMPLATE, patch)
    assert str(caught.value) == sentence


def test_original_with_a_wrong_list_is_refused() -> None:
    with pytest.raises(MergeError, match="element without name"):
        merge({"spec": {"containers": [{}]}}, {"spec": {"containers": [{"name": "a"}]}})


@given(patches)
def test_alters_and_shares_nothing(patch: dict[str, Any]) -> None:
    original, given_patch = copy.deepcopy(TEMPLATE), copy.deepcopy(patch)
    result = merge(original, given_patch)
    assert (original, given_patch) == (TEMPLATE, patch)
    _spoil(result)
    assert (original, given_patch) == (TEMPLATE, patch)


@given(patches)
def test_leaves_no_directive_and_no_null(patch: dict[str, Any]) -> None:
    assert not any(name.startswith("$") or value is None for name, value in _fields(merge(TEMPLATE, patch)))


@given(patches)
def test_twice_is_as_once_but_for_the_order(patch: dict[str, Any]) -> None:
    once = merge(TEMPLATE, patch)
    assert _unordered(merge(once, patch)) == _unordered(once)


@given(documents, documents)
def test_anything_merges_or_is_refused(original: Any, patch: Any) -> None:
    with suppress(MergeError):
        merge(original if isinstance(original, dict) else TEMPLATE, patch)


def _spoil(document: Any) -> None:
    for value in list(document.values()) if isinstance(document, dict) else document:
        if isinstance(value, dict | list):
            _spoil(value)
    document.clear()


def _fields(document: Any) -> list[tuple[str, Any]]:
    if isinstance(document, list):
        return [field for element in document for field in _fields(element)]
    if not isinstance(document, dict):
        return []
    return [*document.items(), *(field for value in document.values() for field in _fields(value))]


def _unordered(document: Any) -> Any:
    if isinstance(document, list):
        return sorted((_unordered(element) for element in document), key=repr)
    return {k: _unordered(v) for k, v in sorted(document.items())} if isinstance(document, dict) else document
