"""A field whose behaviour is missing is refused by name, never ignored."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import SPEC
from splat_operator.policies.support import unsupported


def source(uri: str) -> dict[str, Any]:
    return {"source": {"uri": uri}}


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        pytest.param({"parallelism": 2}, "spec.parallelism", id="parallelism"),
        pytest.param({"podTemplate": {"spec": {}}}, "spec.podTemplate", id="podTemplate"),
        pytest.param({"queueName": "gpus"}, "spec.queueName", id="queueName"),
        pytest.param({"deletionPolicy": "Delete"}, "spec.deletionPolicy", id="deletionPolicy"),
        pytest.param({"dryRun": True}, "spec.dryRun", id="dryRun"),
    ],
)
def test_refused(edit: dict[str, Any], field: str) -> None:
    sentence = unsupported({**SPEC, **edit})
    assert sentence is not None
    assert sentence.startswith(field)


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"parallelism": 1},
        {"deletionPolicy": "Retain"},
        {"cache": "Ignore"},
        {"cache": "Use"},
        {"gate": {"minPSNR": 30}},
        source("s3://scenes/all/"),
        source("https://example/garden.ply"),
        source("pvc://claim/garden.ply"),
        {"destination": {"uri": "pvc://claim/x/"}},
        source("s3://scenes/garden.spz"),
        source("s3://scenes/garden.zip"),
        {"dryRun": False},
        {"preview": True},
        {"encoder": {"engine": "native", "format": "sog-unbundled"}},
        {"encoder": {"engine": "sogs", "format": "sogs-v1"}},
    ],
    ids=str,
)
def test_taken(edit: dict[str, Any]) -> None:
    assert unsupported({**SPEC, **edit}) is None
