"""From `kubectl apply` to a bundle in S3: what a user does, on a real cluster."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bucket import Bucket
from kubectl import Kubectl
from scenes import real_scene
from sogs_worker.formats.ply.file import read_ply
from viewers.peers import decode_with_splat_transform, draw_with_playcanvas, orbit, psnr

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]


def conditions(resource: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in resource["status"]["conditions"]}


def message(resource: dict[str, Any], kind: str) -> str:
    return next(c["message"] for c in resource["status"]["conditions"] if c["type"] == kind)


def count_visible(scene: Path) -> int:
    """Count the splats whose alpha is at least 1/255: renderers draw no others."""
    return int((read_ply(scene).opacities >= -math.log(254)).sum())


def test_a_scene_becomes_a_bundle(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, preview=True))
    resource = kubectl.finish("garden")

    status = resource["status"]
    assert conditions(resource) == {"Ready": "True", "Reconciling": "False", "Stalled": "False", "Scheduled": "True"}
    assert status["observedGeneration"] == resource["metadata"]["generation"]
    (output,) = status["outputs"]
    assert output["uri"] == bucket.uri("out/garden.sog")
    bundle = bucket.fetch(output["uri"], tmp_path / "garden.sog")
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() == output["sha256"]
    assert (output["bytes"], output["sourceBytes"]) == (bundle.stat().st_size, small_scene.stat().st_size)
    assert status["inputBytes"] == small_scene.stat().st_size
    assert status["compressionRatio"] == pytest.approx(output["sourceBytes"] / output["bytes"], abs=0.01)
    assert status["progress"]["percent"] == 100

    decoded = decode_with_splat_transform(bundle, tmp_path / "decoded.ply")
    assert len(decoded["x"]) == status["splats"] == count_visible(small_scene)
    manifest = json.loads(bucket.fetch(status["manifestUri"], tmp_path / "manifest.json").read_bytes())
    assert [entry.pop("removed") for entry in manifest["outputs"]] == [status["removed"]]
    assert manifest["outputs"] == status["outputs"]
    with Image.open(bucket.fetch(output["previewUri"], tmp_path / "preview.png")) as preview:
        assert preview.format == "PNG"
        assert preview.getextrema() != ((0, 0), (0, 0), (0, 0))
    assert bucket.names() == {"garden.ply", "out/garden.sog", "out/garden.png", "out/garden.manifest.json"}

    (job,) = kubectl.list("jobs")
    assert job["metadata"]["name"] == status["jobName"]
    assert job["metadata"]["ownerReferences"][0]["uid"] == resource["metadata"]["uid"]
    (pod,) = kubectl.list("pods")
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    reasons = {e["reason"] for e in kubectl.list("events") if e["involvedObject"]["kind"] == "SplatCompression"}
    assert {"JobCreated", "Succeeded"} <= reasons
    table = kubectl.run("get", "splat", "garden", "-o", "wide").splitlines()
    columns = "NAME PHASE RATIO PROGRESS AGE INPUT OUTPUT SPLATS PSNR DEVICE DURATION MESSAGE"
    assert table[0].split() == columns.split()


def test_an_unbundled_scene_is_a_folder_that_viewers_open(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source, encoder={"format": "sog-unbundled"}))
    status = kubectl.finish("garden")["status"]
    (output,) = status["outputs"]
    assert output["uri"] == bucket.uri("out/garden/meta.json")
    manifest = json.loads(bucket.fetch(status["manifestUri"], tmp_path / "manifest.json").read_bytes())
    files = manifest["outputs"][0]["files"]
    assert {f"out/garden/{file['name']}" for file in files} == bucket.names() - {
        "garden.ply",
        "out/garden.manifest.json",
    }
    folder = tmp_path / "garden"
    folder.mkdir()
    for file in files:
        path = bucket.fetch(bucket.uri(f"out/garden/{file['name']}"), folder / file["name"])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
    assert output["bytes"] == status["outputBytes"] == sum(path.stat().st_size for path in folder.iterdir())
    decoded = decode_with_splat_transform(folder / "meta.json", tmp_path / "decoded.ply")
    assert len(decoded["x"]) == status["splats"]

    kubectl.apply(compression("again", source, encoder={"format": "sog-unbundled"}))
    assert kubectl.finish("again")["status"]["cacheHits"] == 1


@pytest.mark.long
def test_a_real_scene_is_compressed_eightfold_and_looks_the_same(
    kubectl: Kubectl, bucket: Bucket, compression: Build, tmp_path: Path
) -> None:
    scene = real_scene("snowmiku/scene.ply")
    kubectl.apply(compression("snowmiku", bucket.put("snowmiku.ply", scene)))
    # Two minutes of two cores, which other tests use at the same time.
    status = kubectl.finish("snowmiku", timeout_s=900)["status"]
    assert status["compressionRatio"] > 8
    assert status["splats"] == count_visible(scene)

    bundle = bucket.fetch(status["outputs"][0]["uri"], tmp_path / "snowmiku.sog")
    with zipfile.ZipFile(bundle) as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    splats = read_ply(scene)
    views = orbit(splats.positions, splats.opacities, 1)
    _, want = draw_with_playcanvas(scene, views, tmp_path / "source")
    _, got = draw_with_playcanvas(bundle, views, tmp_path / "bundle")
    assert psnr(want, got) > 36


@pytest.mark.alone
def test_a_deleted_operator_pod_changes_nothing(
    kubectl: Kubectl, bucket: Bucket, compression: Build, large_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", large_scene)))
    kubectl.wait("splat", "garden", "jsonpath={.status.phase}=Running")
    everywhere = Kubectl(kubectl.environment, "splat-operator")
    everywhere.run("delete", "pod", "-l", "app.kubernetes.io/name=splat-operator", "--wait=true")
    status = kubectl.finish("garden")["status"]
    everywhere.run("rollout", "status", "deployment", "-l", "app.kubernetes.io/name=splat-operator", "--timeout=60s")

    (job,) = kubectl.list("jobs")
    assert job["metadata"]["name"] == status["jobName"]
    assert len(kubectl.list("pods")) == 1
    assert "failures" not in status
    created = [e for e in kubectl.list("events") if e["reason"] == "JobCreated"]
    assert [e.get("count", 1) for e in created] == [1]


def test_a_changed_spec_runs_again_and_a_harmless_change_does_not(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    kubectl.apply(compression("garden", source))
    first = kubectl.finish("garden")["status"]

    kubectl.apply(compression("garden", source, ttlSecondsAfterFinished=600))
    kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=2")
    assert kubectl.get("splat", "garden")["status"]["jobName"] == first["jobName"]

    kubectl.apply(compression("garden", source, encoder={"shBands": 0, "target": {"maxSplats": "50%"}}))
    kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=3")
    second = kubectl.finish("garden")["status"]
    assert second["jobName"] != first["jobName"]
    assert second["splats"] == len(read_ply(small_scene)) // 2
    assert second["splats"] + sum(second["removed"].values()) == len(read_ply(small_scene))
    assert second["removed"]["merged"] > 0
    assert second["outputBytes"] < first["outputBytes"]
    assert [job["metadata"]["name"] for job in kubectl.list("jobs")] == [second["jobName"]]


def test_a_target_of_bytes_is_met_and_the_manifest_says_what_was_tried(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    bound = 9000 + 8 * len(read_ply(small_scene))
    encoder = {"quality": "fast", "target": {"maxBytes": bound}}
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene), encoder=encoder))
    status = kubectl.finish("garden")["status"]
    assert status["phase"] == "Succeeded", status
    assert 0.9 * bound < status["outputBytes"] <= bound
    assert status["splats"] + sum(status["removed"].values()) == len(read_ply(small_scene))
    (output,) = json.loads(bucket.fetch(status["manifestUri"], tmp_path / "manifest.json").read_bytes())["outputs"]
    assert output["trials"][-1]["bytes"] == status["outputBytes"]
    assert output["trials"][-1]["splats"] == status["splats"]


def test_a_deleted_resource_takes_its_job_with_it_and_keeps_its_output(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene)))
    kubectl.finish("garden")
    kubectl.run("delete", "splat", "garden")
    kubectl.run("wait", "jobs,pods", "--all", "--for=delete", "--timeout=60s")
    assert "out/garden.sog" in bucket.names()
