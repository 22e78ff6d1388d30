"""The Job's manifest: exact goldens, and what they must have in common."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from compressions import SETTINGS, resource
from splat_operator.api.model import Resource
from splat_operator.api.names import PERMANENT_EXIT_CODES
from splat_operator.api.settings import Settings
from splat_operator.manifests.job import build_job

GOLDEN = Path(__file__).parents[2] / "golden" / "job"

EVERYTHING: dict[str, Any] = {
    "source": {
        "uri": "s3://scenes/garden.ply",
        "sha256": "ab" * 32,
        "s3": {"region": "eu-central-1", "addressingStyle": "virtual", "credentialsSecretRef": {"name": "reader"}},
    },
    "destination": {"uri": "s3://results/garden.sog"},
    "s3": {
        "endpoint": "https://s3.example",
        "addressingStyle": "path",
        "caSecretRef": {"name": "our-ca"},
        "credentialsSecretRef": {"name": "writer"},
        "serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "alias/scenes"},
    },
    "encoder": {"engine": "native", "format": "sog", "quality": "best", "shBands": 1, "seed": 7},
    "preview": True,
    "gpu": {"resourceName": "nvidia.com/mig-1g.10gb", "count": 2},
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
    "image": "registry.example/splat-worker:2",
    "imagePullPolicy": "Always",
    "suspend": True,
    "retries": 0,
    "activeDeadlineSeconds": 3600,
    "ttlSecondsAfterFinished": 60,
}

VOLUMES: dict[str, Any] = {
    "source": {"uri": "pvc://scans/2026/"},
    "destination": {"uri": "pvc://web/splats/"},
    "s3": {"endpoint": "https://s3.example", "credentialsSecretRef": {"name": "writer"}},
}

CASES: dict[str, tuple[Resource, Settings]] = {
    "smallest": (resource(), SETTINGS),
    "cpu": (resource(gpu={"count": 0}), SETTINGS),
    "cpu-fallback": (resource(), Settings(worker_image="splat-worker:0.1.0", cpu_fallback=True)),
    "sdk-credentials": (resource(s3={"region": "eu-central-1"}), SETTINGS),
    "everything": (resource(**EVERYTHING), SETTINGS),
    "volumes": (resource(**VOLUMES), SETTINGS),
}


def build(owner: Resource, settings: Settings = SETTINGS) -> dict[str, Any]:
    return build_job(spec=owner.spec, key=owner.key, uid=owner.uid, settings=settings)


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("case", CASES)
def test_manifest_is_golden(case: str, updates_golden: bool) -> None:
    text = json.dumps(build(*CASES[case]), indent=2) + "\n"
    path = GOLDEN / f"{case}.json"
    if updates_golden:
        path.write_text(text)
    assert text == path.read_text(), "if the change is meant: pytest tests/splat_operator --update-golden"


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_pod_is_restricted(case: str) -> None:
    """What the restricted pod security standard asks for."""
    manifest = build(*CASES[case])
    pod_security = manifest["spec"]["template"]["spec"]["securityContext"]
    security = container(manifest)["securityContext"]
    assert pod_security["runAsNonRoot"]
    assert pod_security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False


def test_job_is_owned_by_the_resource() -> None:
    (owner,) = build(resource())["metadata"]["ownerReferences"]
    assert owner["uid"] == resource().uid
    assert owner["controller"]


def test_permanent_exit_codes_fail_the_job_after_disruptions_are_ignored() -> None:
    ignore, fail = build(resource())["spec"]["podFailurePolicy"]["rules"]
    assert ignore["action"] == "Ignore"
    assert fail["action"] == "FailJob"
    assert fail["onExitCodes"]["values"] == list(PERMANENT_EXIT_CODES)


def test_no_ttl_before_the_result_is_recorded() -> None:
    """The Job controller would delete the Job, and the operator, finding none, run it again."""
    assert "ttlSecondsAfterFinished" not in build(resource(ttlSecondsAfterFinished=0))["spec"]


def test_no_secret_is_in_the_run_document() -> None:
    manifest = build(*CASES["everything"])
    document = manifest["spec"]["template"]["metadata"]["annotations"]["splats.dev/run"]
    assert not {"reader", "writer", "our-ca"} & set(json.dumps(json.loads(document)).replace('"', " ").split())


def test_gpu_wins_over_the_same_resource_among_the_users() -> None:
    owner = resource(resources={"limits": {"nvidia.com/gpu": "4", "memory": "1Gi"}}, gpu={"count": 2})
    assert container(build(owner))["resources"] == {
        "requests": {"nvidia.com/gpu": "2"},
        "limits": {"nvidia.com/gpu": "2", "memory": "1Gi"},
    }


def test_manifest_shares_nothing_with_the_spec() -> None:
    owner = resource(**EVERYTHING)
    before = copy.deepcopy(owner.spec)
    container(build(owner))["resources"]["limits"]["memory"] = "changed"
    assert owner.spec == before


def test_a_claim_that_is_read_and_written_is_mounted_once() -> None:
    both = resource(source={"uri": "pvc://scenes/raw/"}, destination={"uri": "pvc://scenes/out/"})
    pod = build(both)["spec"]["template"]["spec"]
    claims = [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    mounts = [mount for mount in container(build(both))["volumeMounts"] if mount["mountPath"].startswith("/volumes")]
    assert [volume["persistentVolumeClaim"] for volume in claims] == [{"claimName": "scenes"}]
    assert mounts == [{"name": claims[0]["name"], "mountPath": "/volumes/scenes"}]


def test_a_web_server_gets_nothing_that_is_meant_for_s3() -> None:
    web = resource(
        source={"uri": "https://example.com/garden.ply", "s3": {"caSecretRef": {"name": "our-ca"}}},
        s3={
            "endpoint": "https://s3.example",
            "insecureSkipTLSVerify": True,
            "credentialsSecretRef": {"name": "writer"},
        },
    )
    manifest = build(web)
    variables = {variable["name"] for variable in container(manifest)["env"]}
    document = json.loads(manifest["spec"]["template"]["metadata"]["annotations"]["splats.dev/run"])
    assert {name for name in variables if name.startswith("SOURCE_")} == {"SOURCE_CA_PEM"}
    assert "SPLATS_CREDENTIALS_SOURCE" not in variables
    assert document["source"]["s3"] == {"addressingStyle": "auto", "insecureSkipTLSVerify": False}
    assert document["destination"]["s3"]["endpoint"] == "https://s3.example"
