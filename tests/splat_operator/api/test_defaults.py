"""An administrator's defaults are for what a spec leaves out as a whole, and are no part of what names a Job."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from compressions import SETTINGS, resource
from splat_operator.api.defaults import Defaults, parse_defaults
from splat_operator.manifests.job import build_cleanup_job, build_job

RAW: dict[str, Any] = {
    "s3": {"endpoint": "https://minio.example", "region": "here", "credentialsSecretRef": {"name": "ours"}},
    "resources": {"requests": {"cpu": "500m"}},
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "runtimeClassName": "nvidia",
    "imagePullSecrets": [{"name": "registry"}],
    "scratch": {"size": "50Gi", "storageClassName": "fast"},
}
WITH = replace(SETTINGS, defaults=parse_defaults(RAW))
OWN: dict[str, Any] = {
    "s3": {"region": "there"},
    "resources": {"limits": {"memory": "1Gi"}},
    "nodeSelector": {"zone": "a"},
    "tolerations": [{"key": "spot"}],
    "runtimeClassName": "kata",
    "imagePullSecrets": [{"name": "mine"}],
}


def built(settings: Any = WITH, **spec: Any) -> dict[str, Any]:
    owner = resource(**spec)
    return build_job(spec=owner.spec, key=owner.key, uid=owner.uid, settings=settings)


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


def document(manifest: dict[str, Any]) -> dict[str, Any]:
    task: dict[str, Any] = json.loads(manifest["spec"]["template"]["metadata"]["annotations"]["splats.dev/run"])
    return task


def test_a_spec_that_says_nothing_gets_all_of_them() -> None:
    manifest = built(s3=None)
    for name in ("nodeSelector", "tolerations", "runtimeClassName", "imagePullSecrets"):
        assert pod(manifest)[name] == RAW[name]
    (container,) = pod(manifest)["containers"]
    assert container["resources"]["requests"] == {"cpu": "500m", "nvidia.com/gpu": "1"}
    for side in ("source", "destination"):
        assert document(manifest)[side]["s3"]["endpoint"] == "https://minio.example"
    secrets = {entry["valueFrom"]["secretKeyRef"]["name"] for entry in container["env"] if "valueFrom" in entry}
    assert secrets == {"ours"}


def test_what_the_spec_says_replaces_a_default_as_a_whole() -> None:
    """No mixture: a default's request above the spec's own limit could not run, nor its credentials at another's."""
    manifest = built(**OWN)
    for name in ("nodeSelector", "tolerations", "runtimeClassName", "imagePullSecrets"):
        assert pod(manifest)[name] == OWN[name]
    (container,) = pod(manifest)["containers"]
    assert container["resources"] == {
        "requests": {"nvidia.com/gpu": "1"},
        "limits": {"nvidia.com/gpu": "1", "memory": "1Gi"},
    }
    assert document(manifest)["source"]["s3"]["region"] == "there"
    assert "minio.example" not in json.dumps(manifest)
    assert "ours" not in json.dumps(container["env"])


@pytest.mark.parametrize(
    "uris",
    [("pvc://scans/a.ply", "pvc://scans/out/"), ("https://example.com/a.ply", "pvc://scans/out/")],
    ids=["volumes", "web server"],
)
def test_a_connection_to_s3_is_for_s3(uris: tuple[str, str]) -> None:
    manifest = built(s3=None, source={"uri": uris[0]}, destination={"uri": uris[1]})
    assert "minio.example" not in json.dumps(manifest)
    assert "ours" not in json.dumps(manifest)


@pytest.mark.parametrize("name", RAW)
def test_a_change_of_one_is_no_other_run(name: str) -> None:
    """Finished resources would all run again, and those that wait would lose their place."""
    plain, changed = (
        built(SETTINGS, s3=None),
        built(replace(SETTINGS, defaults=parse_defaults({name: RAW[name]})), s3=None),
    )
    assert changed["metadata"] == plain["metadata"]
    assert changed["spec"]["template"] != plain["spec"]["template"]


def test_outputs_are_deleted_where_they_were_published() -> None:
    owner = resource(s3=None)
    manifest = build_cleanup_job(spec=owner.spec, key=owner.key, uid=owner.uid, settings=WITH)
    assert document(manifest)["destination"]["s3"]["endpoint"] == "https://minio.example"
    assert pod(manifest)["tolerations"] == RAW["tolerations"]


@pytest.mark.parametrize(
    ("scratch", "volume"),
    [
        ({}, {"emptyDir": {}}),
        ({"size": "5Gi"}, {"emptyDir": {"sizeLimit": "5Gi"}}),
        (
            {"size": "5Gi", "storageClassName": "fast"},
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "storageClassName": "fast",
                            "resources": {"requests": {"storage": "5Gi"}},
                        }
                    }
                }
            },
        ),
    ],
    ids=["the node's disk", "a part of it", "a volume"],
)
def test_scratch(scratch: dict[str, str], volume: dict[str, Any]) -> None:
    manifest = built(replace(SETTINGS, defaults=parse_defaults({"scratch": scratch})))
    found = [each for each in pod(manifest)["volumes"] if each["name"] == "scratch"]
    assert found == [{"name": "scratch", **volume}]


def test_without_any_nothing_changes() -> None:
    spec = resource().spec
    assert Defaults().complete(spec) == spec
