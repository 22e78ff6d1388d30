"""What pods need of the cluster: to run without rights, to find names, S3 and the API, and GPUs that are counted."""

from __future__ import annotations

import re
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


def test_a_pod_for_which_no_node_has_gpus_waits(kubectl: Kubectl) -> None:
    start_probe(kubectl, "many", "sleep", "0s", gpus=17)
    kubectl.wait("pod", "many", UNSCHEDULABLE, TIMEOUT_S)
    status = kubectl.get("pod", "many")["status"]
    assert status["phase"] == "Pending"
    assert "Insufficient nvidia.com/gpu" in status["conditions"][0]["message"]


def test_a_pod_gets_what_the_specification_says_of_its_gpus(kubectl: Kubectl) -> None:
    for name, gpus in (("none", 0), ("one", 1), ("two", 2)):
        start_probe(kubectl, name, "variables", "GPU_", gpus=gpus)
        words = output_of(kubectl, name).split()
        assert len(set(words)) == gpus
        assert all(re.fullmatch(r"GPU_(\d|1[0-5])=advertised", word) for word in words)


def test_a_pod_waits_until_its_gpus_are_free(kubectl: Kubectl) -> None:
    """More than half of what the node has, so that other tests' pods find room beside it."""
    start_probe(kubectl, "first", "sleep", "60s", gpus=9)
    kubectl.wait("pod", "first", "condition=Ready", TIMEOUT_S)
    start_probe(kubectl, "next", "sleep", "0s", gpus=9)
    kubectl.wait("pod", "next", UNSCHEDULABLE, TIMEOUT_S)
    kubectl.run("delete", "pod", "first", "--now")
    assert output_of(kubectl, "next") == "slept 0s"
