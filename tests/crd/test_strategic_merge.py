"""The merge of pod templates is kubectl's, and its table of lists the API server's."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kubectl import Kubectl
from pod_patches import CASES, REFUSED, TEMPLATE, random_patch
from splat_operator.manifests.merge import MERGE_KEYS, MergeError, merge

pytestmark = pytest.mark.e2e

Json = dict[str, Any]

SEEDS = range(60)
ROOT = "io.k8s.api.core.v1.PodTemplateSpec"
# What kubectl takes, and the merge does not: it drops a part of the patch, or hands it on as it stands for the API
# server to drop or to misread, or answers by chance.
TAKEN_BY_KUBECTL = {
    "no map",
    "list for a map",
    "list for the spec",
    "scalar for a map",
    "map for a list",
    "map for a new list",
    "map for a list that does not merge",
    "map for a scalar",
    "new element without its key",
    "key that is true",
    "nothing to replace",
    "fields beside replace in a list",
    "directive in a list that does not merge",
    "deletions that are no list",
    "deletion of what is added",
    "unknown directive",
}


def test_lists_that_merge_are_the_api_servers(environment: dict[str, str]) -> None:
    definitions = json.loads(Kubectl(environment, "default").run("get", "--raw", "/openapi/v2"))["definitions"]
    assert dict(_merging_lists(definitions, ROOT)) == dict(MERGE_KEYS)


@pytest.mark.parametrize("patch", [case.patch for case in CASES.values()], ids=CASES)
def test_merges_like_kubectl(environment: dict[str, str], patch: Json) -> None:
    assert merge(TEMPLATE, patch) == _without_leavings(json.loads(_patched(environment, patch).stdout)["template"])


@pytest.mark.parametrize("seed", SEEDS)
def test_merges_random_patches_like_kubectl(environment: dict[str, str], seed: int) -> None:
    patch = random_patch(random.Random(seed))  # noqa: S311 - for tests
    assert merge(TEMPLATE, patch) == _without_leavings(json.loads(_patched(environment, patch).stdout)["template"])


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_kubectl_refuses(environment: dict[str, str], case: str) -> None:
    patch, _ = REFUSED[case]
    with pytest.raises(MergeError):
        merge(TEMPLATE, patch)
    assert (_patched(environment, patch).returncode == 0) == (case in TAKEN_BY_KUBECTL)


def _patched(environment: Mapping[str, str], patch: Any) -> subprocess.CompletedProcess[str]:
    """What kubectl makes of an object that has the template, without any server."""
    stored = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": TEMPLATE}
    command = ["kubectl", "patch", "--local", "--type=strategic", "-o", "json", "-f", "-"]
    return subprocess.run(
        [*command, "-p", json.dumps({"template": patch})],
        input=json.dumps(stored),
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )


def _without_leavings(document: Any) -> Any:
    """The document without what kubectl leaves in elements that are new: nulls, and directives that it does not read.

    The API server drops the nulls and those names. It would read an element to be deleted as one to be added; the merge
    leaves it out, as kubectl does in a list that is new.
    """
    if isinstance(document, list):
        elements = (element for element in document if not (isinstance(element, dict) and "$patch" in element))
        return [_without_leavings(element) for element in elements]
    if not isinstance(document, dict):
        return document
    return {
        name: _without_leavings(value)
        for name, value in document.items()
        if value is not None and not name.startswith(("$retainKeys", "$setElementOrder/"))
    }


def _merging_lists(definitions: Json, name: str, path: str = "") -> Iterator[tuple[str, str | None]]:
    """The paths of the lists that merge below a definition, with their merge keys."""
    for field, schema in definitions[name].get("properties", {}).items():
        below = f"{path}.{field}".lstrip(".")
        strategies = schema.get("x-kubernetes-patch-strategy", "").split(",")
        assert set(strategies) <= {"", "merge", "retainKeys"}
        assert ("x-kubernetes-patch-merge-key" in schema) <= ("merge" in strategies)
        if "merge" in strategies:
            yield below, schema.get("x-kubernetes-patch-merge-key")
        values = schema.get("items") or schema.get("additionalProperties") or schema
        if "$ref" in values:
            yield from _merging_lists(definitions, values["$ref"].rpartition("/")[2], below)
