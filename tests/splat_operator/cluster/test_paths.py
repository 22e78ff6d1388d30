"""Where the API has what the operator uses, and what a path is about."""

from __future__ import annotations

import pytest

from compressions import KEY
from splat_operator.cluster import paths

KINDS = {
    paths.resource(KEY): "splatcompressions",
    f"{paths.resource(KEY)}/status": "splatcompressions",
    paths.collection("splatcompressions", None): "splatcompressions",
    paths.collection("pods", "default"): "pods",
    paths.collection("jobs", None): "jobs",
    f"{paths.jobs('default')}/garden": "jobs",
    f"{paths.pods('default')}/garden/log": "pods",
    paths.events("default"): "events",
    paths.NODES: "nodes",
    paths.RESOURCE_API: "discovery",
    "/api/v1/namespaces/default": "namespaces",
}


@pytest.mark.parametrize(("path", "kind"), KINDS.items(), ids=str)
def test_kind_of_a_path(path: str, kind: str) -> None:
    """The label of the metric that counts requests."""
    assert paths.kind_of(path) == kind
