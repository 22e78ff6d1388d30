"""The Job's manifest: exact goldens, and what they must have in common."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compressions import SETTINGS, resource
from splat_operator.api.model import Resource
from splat_operator.api.names import PERMANENT_EXIT_CODES
from splat_operator.api.settings import Settings
from splat_operator.decide.policies.restricted import violations
from splat_operator.manifests.job import build_cleanup_job, build_job

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
    "selection": (
        resource(
            source={"uri": "s3://scenes/runs/", "include": ["**/iteration_30000/*.ply"], "exclude": ["old/**"]},
            destination={"uri": "s3://scenes/compressed/", "names": "{top}"},
        ),
        SETTINGS,
    ),
    "queue": (resource(queueName="gpus", parallelism=2, source={"uri": "s3://scenes/raw/"}), SETTINGS),
    "volumes": (resource(**VOLUMES), SETTINGS),
    "user-of-the-cluster": (resource(), Settings(worker_image="splat-worker:0.1.0", worker_fixed_user=False)),
}


def build(owner: Resource, settings: Settings = SETTINGS) -> dict[str, Any]:
    return build_job(spec=owner.spec, key=owner.key, uid=owner.uid, settings=settings)


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    worker: dict[str, Any] = pod(manifest)["containers"][0]
    return worker


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
    """By the operator's own check, which would refuse it otherwise."""
    assert violations(pod(build(*CASES[case]))) == []
    assert pod(build(*CASES[case]))["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("field", ["runAsUser", "runAsGroup", "fsGroup"])
@pytest.mark.parametrize("is_fixed", [True, False], ids=["fixed", "of the cluster"])
def test_user_is_fixed_or_nowhere(field: str, is_fixed: bool) -> None:
    """OpenShift refuses a pod that names one outside of its namespace's range."""
    settings = replace(SETTINGS, worker_fixed_user=is_fixed)
    run = build(resource(), settings)
    cleanup = build_cleanup_job(spec=resource().spec, key=resource().key, uid=resource().uid, settings=settings)
    for manifest in (run, cleanup):
        assert (f'"{field}": 65532' in json.dumps(manifest)) == is_fixed
        assert (field in json.dumps(manifest)) == is_fixed


@pytest.mark.parametrize("case", CASES)
def test_token_of_the_service_account_is_not_mounted(case: str) -> None:
    """Clouds project their own tokens into pods (IRSA, Pod Identity, workload identity), whatever this says."""
    assert pod(build(*CASES[case]))["automountServiceAccountToken"] is False


def test_token_of_the_service_account_is_mounted_where_the_pod_template_says_so() -> None:
    owner = resource(serviceAccountName="a", podTemplate={"spec": {"automountServiceAccountToken": True}})
    assert pod(build(owner))["automountServiceAccountToken"] is True


def test_job_is_owned_by_the_resource() -> None:
    (owner,) = build(resource())["metadata"]["ownerReferences"]
    assert owner["uid"] == resource().uid
    assert owner["controller"]


def test_permanent_exit_codes_fail_the_job_after_disruptions_are_ignored() -> None:
    ignore, fail = build(resource())["spec"]["podFailurePolicy"]["rules"]
    assert ignore["action"] == "Ignore"
    assert fail["action"] == "FailJob"
    assert fail["onExitCodes"]["values"] == list(PERMANENT_EXIT_CODES)


@pytest.mark.parametrize(("ttl_s", "in_manifest"), [(0, None), (3599, None), (3600, 3600), (86400, 86400)])
def test_a_short_ttl_is_not_there_before_the_result_is_recorded(ttl_s: int, in_manifest: int | None) -> None:
    """The Job controller would delete the Job, and the operator, finding none, run it again."""
    assert build(resource(ttlSecondsAfterFinished=ttl_s))["spec"].get("ttlSecondsAfterFinished") == in_manifest


def test_the_job_says_whose_it_is_and_what_the_operator_did_to_it() -> None:
    """Notes that outlive the owner reference, and tell the operator's queue and suspension from Kueue's."""
    noted = build(resource(queueName="gpus", suspend=True))["metadata"]["annotations"]
    assert noted["splats.dev/compression-uid"] == resource().uid
    assert (noted["splats.dev/queue-name"], noted["splats.dev/suspended"]) == ("gpus", "true")
    plain = build(resource())["metadata"]["annotations"]
    assert set(plain) == {"splats.dev/template-hash", "splats.dev/compression-uid"}
    assert build(resource(queueName="gpus"))["spec"]["suspend"] is True
    assert "splats.dev/suspended" not in build(resource(queueName="gpus"))["metadata"]["annotations"], "it is Kueue's"


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
    claims = [volume for volume in pod(build(both))["volumes"] if "persistentVolumeClaim" in volume]
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
