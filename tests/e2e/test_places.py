"""Sources and destinations that are not in S3: claims and web servers."""

from __future__ import annotations

import base64
import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bucket import Bucket
from faults.certificates import make_authority, make_server_context
from kubectl import Kubectl
from viewers.peers import decode_with_splat_transform

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]
IS_EMBEDDED = os.environ.get("CLUSTER") != "current"


@pytest.fixture
def claim(kubectl: Kubectl, tmp_path: Path) -> Iterator[str]:
    """A claim of the cluster's default class; the embedded cluster has none, and gets a volume for it."""
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volume = f"{kubectl.namespace}-scenes"
    if IS_EMBEDDED:
        kubectl.apply(build_volume(volume, tmp_path / "volume", kubectl.namespace))
        spec |= {"storageClassName": "", "volumeName": volume}
    kubectl.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "scenes"}, "spec": spec})
    yield "scenes"
    if IS_EMBEDDED:
        kubectl.run("delete", "persistentvolume", volume, "--wait=false")


def build_volume(name: str, folder: Path, namespace: str) -> dict[str, Any]:
    """Describe a folder of the node as a volume for the claim `scenes`."""
    folder.mkdir()
    folder.chmod(0o777)  # the kubelet does not give such folders to the pod's group
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": str(folder)},
        "storageClassName": "",
        "claimRef": {"namespace": namespace, "name": "scenes"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def test_a_bundle_goes_to_a_claim_and_is_read_from_it(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, claim: str, tmp_path: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("there", source, destination={"uri": f"pvc://{claim}/out/"}))
    (written,) = kubectl.finish("there")["status"]["outputs"]
    assert written["uri"] == f"pvc://{claim}/out/garden.sog"

    kubectl.apply(compression("back", written["uri"]))
    (output,) = kubectl.finish("back")["status"]["outputs"]
    assert output["sourceBytes"] == written["bytes"]
    bundle = bucket.fetch(output["uri"], tmp_path / "garden.sog")
    assert len(decode_with_splat_transform(bundle, tmp_path / "decoded.ply")["x"]) == output["splats"]


def test_a_claim_that_does_not_exist_is_named(kubectl: Kubectl, compression: Build) -> None:
    kubectl.apply(compression("garden", "pvc://nowhere/garden.ply"))
    kubectl.wait("splat", "garden", "condition=Scheduled=False")
    conditions = kubectl.get("splat", "garden")["status"]["conditions"]
    (scheduled,) = [condition for condition in conditions if condition["type"] == "Scheduled"]
    assert 'persistentvolumeclaim "nowhere" not found' in scheduled["message"]


@pytest.mark.skipif(not IS_EMBEDDED, reason="pods of another cluster do not reach a server of this machine")
def test_a_scene_comes_from_a_web_server(
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    environment: Mapping[str, str],
    small_scene: Path,
    tmp_path: Path,
) -> None:
    host = str(urlsplit(environment["S3_ENDPOINT_IN_CLUSTER"]).hostname)
    kubectl.apply(build_authority(make_authority(tmp_path)))
    server = ThreadingHTTPServer(
        (host, 0), functools.partial(SimpleHTTPRequestHandler, directory=str(small_scene.parent))
    )
    server.socket = make_server_context(tmp_path, f"IP:{host}").wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"https://{host}:{server.server_port}/{small_scene.name}?signature=secret"
    try:
        resource = compression("web", uri)
        resource["spec"]["source"]["s3"] = {"caSecretRef": {"name": "our-ca"}}
        kubectl.apply(resource)
        (output,) = kubectl.finish("web")["status"]["outputs"]
    finally:
        server.shutdown()
        server.server_close()
    assert output["uri"] == bucket.uri(f"out/{small_scene.stem}.sog")
    log = kubectl.run("logs", "--selector=splats.dev/compression=web")
    assert "secret" not in log


def build_authority(certificate: str) -> dict[str, Any]:
    """Build the Secret with a CA."""
    data = {"ca.crt": base64.b64encode(certificate.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "our-ca"}, "data": data}
