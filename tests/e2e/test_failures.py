"""What goes wrong is said in one sentence with the object and the remedy, where a user looks, and is not retried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl, secret

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A fault: how the scene and the Secret are spoilt, and what the user must be told."""

    id: str
    reason: str
    says: tuple[str, ...]
    scene: Callable[[bytes], bytes | None] = lambda data: data
    credentials: str = "s3-credentials"


CASES = [
    Case("missing key", "SourceMissing", ("garden.ply", "does not exist"), scene=lambda _: None),
    Case("truncated PLY", "BadInput", ("garden.ply", "truncated"), scene=lambda data: data[: len(data) // 2]),
    Case("text file", "BadInput", ("garden.ply", "not a PLY"), scene=lambda _: b"Dear diary,\n" * 50),
    Case("empty file", "BadInput", ("garden.ply",), scene=lambda _: b""),
    Case("wrong secret key", "NotPermitted", ("wrong-secret", "correct it"), credentials="wrong-secret"),
    Case("unknown access key", "NotPermitted", ("unknown-access",), credentials="unknown-access"),
    Case("no such Secret", "Configuration", ("absent", "create"), credentials="absent"),
    Case("Secret without the key", "Configuration", ("keyless",), credentials="keyless"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_fault_fails_with_one_sentence(
    case: Case, kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    data = case.scene(small_scene.read_bytes())
    if data is not None:
        bucket.put_bytes("garden.ply", data)
    keys = kubectl.environment["AWS_ACCESS_KEY_ID"], kubectl.environment["AWS_SECRET_ACCESS_KEY"]
    kubectl.apply(secret("wrong-secret", keys[0], "not" + keys[1]))
    kubectl.apply(secret("unknown-access", "AKNOBODY", keys[1]))
    kubectl.apply({**secret("keyless", *keys), "stringData": {"user": "me"}})
    resource = compression("garden", bucket.uri("garden.ply"), retries=3)
    resource["spec"]["s3"]["credentialsSecretRef"]["name"] = case.credentials
    kubectl.apply(resource)
    kubectl.wait("splat", "garden", "jsonpath={.status.phase}=Failed")

    resource = kubectl.get("splat", "garden")
    stalled = next(c for c in resource["status"]["conditions"] if c["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", case.reason)
    for words in case.says:
        assert words in stalled["message"]
    assert "\n" not in stalled["message"]
    assert "Traceback" not in stalled["message"]
    assert keys[1] not in str(resource)
    assert stalled["message"] in kubectl.run("get", "splat", "garden")
    assert stalled["message"] in kubectl.run("describe", "splat", "garden")
    assert len(kubectl.list("pods")) <= 1, "a fault that stays is not retried"
    assert not any(key.startswith("out/") for key in bucket.names())


def test_a_pod_that_fits_nowhere_stays_pending_with_the_schedulers_words(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene), gpu={"count": 99}))
    kubectl.wait("splat", "garden", "condition=Scheduled=false")
    kubectl.wait("splat", "garden", "jsonpath={.status.phase}=Pending")
    resource = kubectl.get("splat", "garden")
    scheduled = next(c for c in resource["status"]["conditions"] if c["type"] == "Scheduled")
    assert scheduled["reason"] == "Unschedulable"
    (pod,) = kubectl.list("pods")
    words = next(c["message"] for c in pod["status"]["conditions"] if c["type"] == "PodScheduled")
    assert "Insufficient nvidia.com/gpu" in words
    assert words in scheduled["message"]

    kubectl.apply(compression("garden", bucket.uri("garden.ply"), gpu={"count": 1}))
    kubectl.wait("splat", "garden", "jsonpath={.status.phase}=Succeeded")


def test_a_pending_deadline_fails_with_the_schedulers_words(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, gpu={"count": 99}, pendingDeadlineSeconds=3))
    kubectl.wait("splat", "garden", "jsonpath={.status.phase}=Failed")
    assert "Insufficient nvidia.com/gpu" in kubectl.run("get", "splat", "garden")
    kubectl.run("wait", "pods", "--all", "--for=delete", "--timeout=60s")


def test_an_engine_that_the_image_lacks_is_told_with_the_way_to_get_it(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, encoder={"engine": "sogs"}, retries=0))
    status = kubectl.finish("garden", "Failed")["status"]
    (failure,) = status["failures"]
    assert (failure["exitCode"], failure["reason"]) == (81, "NoGPU")
    assert "engine sogs needs cupy, torchpq, kornia, plas, sogs" in failure["message"]
    assert "install them as Dockerfile.worker does" in failure["message"]
    assert not any(key.startswith("out/") for key in bucket.names())
