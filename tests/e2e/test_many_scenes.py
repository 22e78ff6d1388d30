"""Many scenes in one resource, outputs that are there already, and outputs that are not good enough."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl
from viewers.peers import decode_with_splat_transform

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]


def ready(resource: dict[str, Any]) -> dict[str, Any]:
    return next(c for c in resource["status"]["conditions"] if c["type"] == "Ready")


def test_a_prefix_and_its_archive_become_bundles_once(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    bucket.put("raw/garden.ply", small_scene)
    with tarfile.open(tmp_path / "tour.tar.gz", "w:gz") as archive:
        for room in ("hall", "kitchen"):
            archive.add(small_scene, f"{room}/scan.ply")
    bucket.put("raw/tour.tar.gz", tmp_path / "tour.tar.gz")
    kubectl.apply(compression("house", bucket.uri("raw/")))
    status = kubectl.finish("house")["status"]

    names = ["garden", "tour/hall/scan", "tour/kitchen/scan"]
    assert [output["name"] for output in status["outputs"]] == names
    assert (status["progress"]["scenesDone"], status["progress"]["scenesTotal"]) == (3, 3)
    bundles = {f"out/{name}.sog" for name in names}
    assert bucket.names() == {"raw/garden.ply", "raw/tour.tar.gz", "out/house.manifest.json"} | bundles
    manifest = json.loads(bucket.fetch(status["manifestUri"], tmp_path / "manifest.json").read_bytes())
    removed = [entry.pop("removed")["invisible"] for entry in manifest["outputs"]]
    assert status["removed"] == {"invisible": sum(removed)}
    assert manifest["outputs"] == status["outputs"]
    for output in status["outputs"]:
        bundle = bucket.fetch(output["uri"], tmp_path / "one.sog")
        assert len(decode_with_splat_transform(bundle, tmp_path / "decoded.ply")["x"]) == output["splats"]

    kubectl.apply(compression("again", bucket.uri("raw/")))
    resource = kubectl.finish("again")
    assert ready(resource)["reason"] == "CacheHit"
    assert resource["status"]["cacheHits"] == 3
    assert resource["status"]["removed"] == status["removed"]
    assert [output["sha256"] for output in resource["status"]["outputs"]] == [
        output["sha256"] for output in status["outputs"]
    ]


def test_an_output_that_misses_the_gate_is_not_published(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, gate={"minPSNR": 150}))
    resource = kubectl.finish("garden", "Failed")
    assert ready(resource)["reason"] == "QualityGate"
    assert "spec.gate.minPSNR is 150 dB" in ready(resource)["message"]
    assert len(kubectl.list("pods")) == 1
    assert bucket.names() == {"garden.ply"}

    kubectl.apply(compression("garden", source, gate={"minPSNR": 20, "minRatio": 2}))
    kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=2")
    (output,) = kubectl.finish("garden")["status"]["outputs"]
    assert output["psnr"] > 20
