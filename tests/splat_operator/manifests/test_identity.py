"""Which edits make another Job, which another pod template, and which neither."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from compressions import SPEC, UID, name_of, resource
from splat_operator.api.spec import Output, Scheduling, parse_spec
from splat_operator.manifests.identity import job_name, template_hash

OUTPUT_EDITS: dict[str, dict[str, Any]] = {
    "source": {"source": {"uri": "s3://scenes/other.ply"}},
    "sha256": {"source": {"uri": "s3://scenes/garden.ply", "sha256": "ab" * 32}},
    "include": {"source": {"uri": "s3://scenes/garden.ply", "include": ["*.ply"]}},
    "exclude": {"source": {"uri": "s3://scenes/garden.ply", "exclude": ["*.ply"]}},
    "destination": {"destination": {"uri": "s3://scenes/elsewhere/"}},
    "names": {"destination": {"uri": "s3://scenes/compressed/", "names": "{top}"}},
    "endpoint": {"s3": {**SPEC["s3"], "endpoint": "http://other:8333"}},
    "credentials": {"s3": {**SPEC["s3"], "credentialsSecretRef": {"name": "other"}}},
    "side's own s3": {"destination": {"uri": "s3://scenes/compressed/", "s3": {"region": "x"}}},
    "quality": {"encoder": {"quality": "best"}},
    "seed": {"encoder": {"seed": 1}},
    "target": {"encoder": {"target": {"maxSplats": "50%"}}},
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
    "the default names written out": {"destination": {"uri": "s3://scenes/compressed/", "names": "{path}"}},
    "no globs written out": {"source": {"uri": "s3://scenes/garden.ply", "include": [], "exclude": []}},
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


EVERYTHING: dict[str, Any] = {
    "source": {
        "uri": "s3://scenes/raw/",
        "sha256": "ab" * 32,
        "s3": {"region": "us-east-1", "addressingStyle": "virtual", "credentialsSecretRef": {"name": "reader"}},
    },
    "destination": {"uri": "s3://results/garden.sog"},
    "s3": {
        "endpoint": "https://s3.example",
        "region": "eu-central-1",
        "addressingStyle": "path",
        "insecureSkipTLSVerify": True,
        "credentialsSecretRef": {"name": "writer"},
        "caSecretRef": {"name": "our-ca"},
        "serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "alias/scenes"},
    },
    "encoder": {"engine": "sogs", "format": "sogs-v1", "quality": "best", "shBands": 1, "seed": 7},
    "gate": {"minPSNR": 35.5, "maxSizeBytes": 50000000, "minRatio": 10},
    "preview": True,
    "image": "registry.example/splat-worker:2",
    "gpu": {"resourceName": "nvidia.com/mig-1g.10gb", "count": 2},
    "parallelism": 4,
    "resources": {"requests": {"cpu": "2", "memory": "8Gi"}, "limits": {"memory": "16Gi"}},
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "priorityClassName": "batch",
    "runtimeClassName": "nvidia",
    "serviceAccountName": "scenes-writer",
    "imagePullSecrets": [{"name": "registry"}],
    "imagePullPolicy": "Always",
    "podTemplate": {"metadata": {"labels": {"team": "a"}}},
    "queueName": "gpus",
}
NOTHING = {"source": None, "destination": None, "s3": None}
EARLIER: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "smallest": ({}, ("garden-06548a2c24", "44136fa355")),
    "nothing": (NOTHING, ("garden-7bae932dcf", "44136fa355")),
    "everything": (EVERYTHING, ("garden-6529b35338", "2ab1acedee")),
    "volumes": (
        {**NOTHING, "source": {"uri": "pvc://scans/2026/"}, "destination": {"uri": "pvc://web/splats/"}},
        ("garden-486ee48807", "44136fa355"),
    ),
    "web": (
        {
            "source": {"uri": "https://example.com/gärten.ply", "s3": {"caSecretRef": {"name": "our-ca"}}},
            "s3": {"endpoint": "https://s3.example"},
        },
        ("garden-64f1db9e21", "44136fa355"),
    ),
}


@pytest.mark.parametrize(("spec", "expected"), EARLIER.values(), ids=EARLIER)
def test_hashes_are_those_of_earlier_versions(spec: dict[str, Any], expected: tuple[str, str]) -> None:
    """A change here would run every finished resource again after an upgrade."""
    assert hashes(**spec) == expected


def others(value: Any) -> Iterator[Any]:
    """The same dataclass with one field, or one below, changed to what is not its default."""
    for field in fields(value):
        before = getattr(value, field.name)
        changed = others(before) if is_dataclass(before) else [another(before)]
        yield from (replace(value, **{field.name: each}) for each in changed)


def another(value: Any) -> Any:
    """A value of the same type, or a text for None."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return {**value, "x": 1} if isinstance(value, Mapping) else f"{value or ''}x"


def test_every_field_counts() -> None:
    """A field that is new in `spec.py` needs an entry in `identity.py`: without one a change of it would do nothing."""
    output, scheduling = Output(), Scheduling()
    names = [job_name(resource_name="garden", uid=UID, output=each) for each in (output, *others(output))]
    assert len(set(names)) == len(names) > 20
    templates = [template_hash(each) for each in (scheduling, *others(scheduling))]
    assert len(set(templates)) == len(templates) == 1 + len(fields(Scheduling))


def test_another_resource_of_the_same_name_gets_another_job() -> None:
    output = parse_spec(SPEC).output
    assert job_name(resource_name="garden", uid="other", output=output) != job_name(
        resource_name="garden", uid=UID, output=output
    )


def test_longest_name_fits_a_label() -> None:
    assert len(job_name(resource_name="x" * 52, uid=UID, output=parse_spec(SPEC).output)) == 63
