"""Which edits make another Job, which another pod template, and which neither."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import SPEC, UID, name_of, resource
from splat_operator.api.spec import parse_spec
from splat_operator.manifests.identity import job_name, template_hash

OUTPUT_EDITS: dict[str, dict[str, Any]] = {
    "source": {"source": {"uri": "s3://scenes/other.ply"}},
    "sha256": {"source": {"uri": "s3://scenes/garden.ply", "sha256": "ab" * 32}},
    "destination": {"destination": {"uri": "s3://scenes/elsewhere/"}},
    "endpoint": {"s3": {**SPEC["s3"], "endpoint": "http://other:8333"}},
    "credentials": {"s3": {**SPEC["s3"], "credentialsSecretRef": {"name": "other"}}},
    "side's own s3": {"destination": {"uri": "s3://scenes/compressed/", "s3": {"region": "x"}}},
    "quality": {"encoder": {"quality": "best"}},
    "seed": {"encoder": {"seed": 1}},
    "preview": {"preview": True},
    "image": {"image": "mine:1"},
}
SCHEDULING_EDITS: dict[str, dict[str, Any]] = {
    "gpu count": {"gpu": {"count": 2}},
    "gpu resource": {"gpu": {"resourceName": "nvidia.com/gpu.shared"}},
    "resources": {"resources": {"limits": {"memory": "1Gi"}}},
    "node selector": {"nodeSelector": {"a": "b"}},
    "tolerations": {"tolerations": [{"operator": "Exists"}]},
    "service account": {"serviceAccountName": "writer"},
    "pull policy": {"imagePullPolicy": "Always"},
}
IN_PLACE_EDITS: dict[str, dict[str, Any]] = {
    "suspend": {"suspend": True},
    "retries": {"retries": 0},
    "ttl": {"ttlSecondsAfterFinished": 1},
    "active deadline": {"activeDeadlineSeconds": 1},
    "pending deadline": {"pendingDeadlineSeconds": 1},
    "deletion policy": {"deletionPolicy": "Retain"},
    "the defaults written out": {
        "encoder": {"engine": "native", "format": "sog", "quality": "balanced", "shBands": 3, "seed": 0},
        "gpu": {"resourceName": "nvidia.com/gpu", "count": 1},
        "preview": False,
    },
}


def hashes(**edit: Any) -> tuple[str, str]:
    owner = resource(**edit)
    return name_of(owner), template_hash(owner.spec.scheduling)


@pytest.mark.parametrize("edit", OUTPUT_EDITS.values(), ids=OUTPUT_EDITS)
def test_output_edit_makes_another_job(edit: dict[str, Any]) -> None:
    assert hashes(**edit)[0] != hashes()[0]
    assert hashes(**edit)[1] == hashes()[1]


@pytest.mark.parametrize("edit", SCHEDULING_EDITS.values(), ids=SCHEDULING_EDITS)
def test_scheduling_edit_makes_another_template(edit: dict[str, Any]) -> None:
    assert hashes(**edit)[0] == hashes()[0]
    assert hashes(**edit)[1] != hashes()[1]


@pytest.mark.parametrize("edit", IN_PLACE_EDITS.values(), ids=IN_PLACE_EDITS)
def test_other_edit_makes_neither(edit: dict[str, Any]) -> None:
    assert hashes(**edit) == hashes()


def test_hashes_are_those_of_earlier_versions() -> None:
    """A change here would run every finished resource again after an upgrade."""
    assert hashes() == ("garden-06548a2c24", "44136fa355")


def test_another_resource_of_the_same_name_gets_another_job() -> None:
    output = parse_spec(SPEC).output
    assert job_name(resource_name="garden", uid="other", output=output) != job_name(
        resource_name="garden", uid=UID, output=output
    )


def test_longest_name_fits_a_label() -> None:
    assert len(job_name(resource_name="x" * 52, uid=UID, output=parse_spec(SPEC).output)) == 63
