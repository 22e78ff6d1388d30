"""What pods need of the cluster: to run without rights, to find names, S3 and the API, and GPUs that are counted."""

from __future__ import annotations

import secrets

import boto3
import pytest

from embedded_cluster.probes import TIMEOUT_S, UNSCHEDULABLE, output_of, start_probe
from kubectl import Kubectl

pytestmark = pytest.mark.e2e


def test_a_pod_runs_without_any_right(kubectl: Kubectl) -> None:
    start_probe(kubectl, "identity", "identity")
    # Seccomp=2: a filter is installed (proc(5)).
    expected = "uid=65532 CapEff=0000000000000000 NoNewPrivs=1 Seccomp=2 writable=false"
    assert output_of(kubectl, "identity") == expected


def test_a_pod_resolves_names_of_services(kubectl: Kubectl) -> None:
    start_probe(kubectl, "short", "lookup", "kubernetes.default")
    start_probe(kubectl, "full", "lookup", "kube-dns.kube-system.svc.cluster.local")
    assert output_of(kubectl, "short") == "10.96.0.1"
    assert output_of(kubectl, "full") == "10.96.0.10"


def test_a_pod_reads_from_s3_what_this_machine_wrote(kubectl: Kubectl, environment: dict[str, str]) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    content, place = secrets.token_hex(16), {"Bucket": "scenes", "Key": f"{kubectl.namespace}/probe"}
    s3.put_object(**place, Body=content.encode())
    start_probe(kubectl, "get", "get", s3.generate_presigned_url("get_object", Params=place))
    assert output_of(kubectl, "get") == content
    s3.delete_object(**place)


def test_a_pod_reaches_the_api_server(kubectl: Kubectl) -> None:
    authority = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    start_probe(kubectl, "api", "get", "https://kubernetes.default.svc/readyz", authority)
    assert output_of(kubectl, "api") == "ok"


def test_three_gpus_are_more_than_the_node_has(kubectl: Kubectl) -> None:
    start_probe(kubectl, "three", "sleep", "0s", gpus=3)
    kubectl.wait("pod", "three", UNSCHEDULABLE, TIMEOUT_S)
    status = kubectl.get("pod", "three")["status"]
    assert status["phase"] == "Pending"
    assert "Insufficient nvidia.com/gpu" in status["conditions"][0]["message"]


def test_a_pod_gets_what_the_specification_says_of_its_gpus(kubectl: Kubectl) -> None:
    start_probe(kubectl, "none", "variables", "GPU_")
    start_probe(kubectl, "both", "variables", "GPU_", gpus=2)
    assert output_of(kubectl, "both") == "GPU_0=advertised GPU_1=advertised"
    start_probe(kubectl, "one", "variables", "GPU_", gpus=1)
    assert output_of(kubectl, "one") in ("GPU_0=advertised", "GPU_1=advertised")
    assert output_of(kubectl, "none") == ""


def test_a_pod_waits_until_two_gpus_are_free(kubectl: Kubectl) -> None:
    start_probe(kubectl, "both", "sleep", "60s", gpus=2)
    kubectl.wait("pod", "both", "condition=Ready", TIMEOUT_S)
    start_probe(kubectl, "next", "sleep", "0s", gpus=2)
    kubectl.wait("pod", "next", UNSCHEDULABLE, TIMEOUT_S)
    kubectl.run("delete", "pod", "both", "--now")
    assert output_of(kubectl, "next") == "slept 0s"
