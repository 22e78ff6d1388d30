"""A namespace of its own for each test, on the embedded cluster or the current one, with the operator installed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket, open_bucket
from crd.environment import NoClusterError, cluster_environment
from e2e.release import Release
from kubectl import Kubectl, secret
from scenes import made_scene

QUICK_WORKER = Path(__file__).parents[1] / "quick_worker" / "sitecustomize.py"
QUICK_POD = {
    "containers": [
        {
            "name": "worker",
            "env": [{"name": "PYTHONPATH", "value": "/quick"}],
            "volumeMounts": [{"name": "quick-worker", "mountPath": "/quick"}],
        }
    ],
    "volumes": [{"name": "quick-worker", "configMap": {"name": "quick-worker"}}],
}
NEEDED = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "S3_ENDPOINT_IN_CLUSTER")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long ones first: the whole would else wait for whichever comes last."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """What talks to the cluster and its S3 needs; with CLUSTER=current it is for the user to export."""
    try:
        found = cluster_environment()
    except NoClusterError as error:
        pytest.fail(str(error), pytrace=False)
    if missing := [name for name in NEEDED if name not in found]:
        pytest.fail(f"{', '.join(missing)} must be set, so that the tests and the pods find the S3", pytrace=False)
    return found


@pytest.fixture
def bucket(environment: Mapping[str, str], kubectl: Kubectl) -> Bucket:
    """Room in the bucket `scenes`."""
    return open_bucket(environment, kubectl.namespace)


@pytest.fixture
def kubectl(environment: Mapping[str, str]) -> Iterator[Kubectl]:
    """Use kubectl in a namespace that admits restricted pods only and has the Secret `s3-credentials`."""
    client = Kubectl(environment, f"e2e-{secrets.token_hex(4)}")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": client.namespace, "labels": labels}})
    client.apply(secret("s3-credentials", environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]))
    yield client
    client.run("delete", "namespace", client.namespace, "--wait=false", "--ignore-not-found")


@pytest.fixture
def release(kubectl: Kubectl, tmp_path: Path) -> Iterator[Release]:
    """A second release of the chart, for the test to install in its namespace."""
    made = Release(kubectl, tmp_path)
    yield made
    made.helm("uninstall", "--ignore-not-found", "--no-hooks")


@pytest.fixture
def compression(
    request: pytest.FixtureRequest, environment: Mapping[str, str], kubectl: Kubectl, bucket: Bucket
) -> Any:
    """Build a SplatCompression of a source that publishes in the test's room; other fields by keyword.

    Where the test has the mark `quick_worker` its pods encode nothing, unless it gives a podTemplate of its own.
    """
    template: dict[str, Any] = {}
    if request.node.get_closest_marker("quick_worker"):
        metadata, data = {"name": "quick-worker"}, {QUICK_WORKER.name: QUICK_WORKER.read_text()}
        kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        template = {"podTemplate": {"spec": QUICK_POD}}

    def build(name: str, source: str, **spec: Any) -> dict[str, Any]:
        s3 = {
            "endpoint": environment["S3_ENDPOINT_IN_CLUSTER"],
            "addressingStyle": "path",
            "credentialsSecretRef": {"name": "s3-credentials"},
        }
        fixed = {"source": {"uri": source}, "destination": {"uri": bucket.uri("out/")}, "s3": s3}
        return {
            "apiVersion": "splats.dev/v1alpha1",
            "kind": "SplatCompression",
            "metadata": {"name": name},
            "spec": {**fixed, **template, **spec},
        }

    return build


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene that takes a second to compress."""
    return made_scene(tmp_path_factory.mktemp("scenes") / "small.ply", 3000)


@pytest.fixture(scope="session")
def endless_scene(tmp_path_factory: pytest.TempPathFactory, small_scene: Path) -> Path:
    """A scene with which the quick worker is never done."""
    path = tmp_path_factory.mktemp("scenes") / "endless.ply"
    path.write_bytes(small_scene.read_bytes().replace(b"\nelement", b"\ncomment endless\nelement", 1))
    return path


@pytest.fixture(scope="session")
def large_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene that takes long enough to disturb its compression."""
    return made_scene(tmp_path_factory.mktemp("scenes") / "large.ply", 100_000)
