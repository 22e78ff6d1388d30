"""One source that several pods share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl, condition
from scenes import made_scene

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]


def test_two_pods_share_five_scenes(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    names = ["attic", "cellar", "garden", "hall", "kitchen"]
    sources = [bucket.put(f"raw/{name}.ply", small_scene) for name in names]
    kubectl.apply(compression("house", bucket.uri("raw/"), parallelism=2, deletionPolicy="Delete"))
    status = kubectl.finish("house")["status"]

    (job,) = kubectl.list("jobs")
    assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Indexed", 2, 2)
    indexes = {
        pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for pod in kubectl.list("pods")
    }
    assert indexes == {"0", "1"}
    inputs = {f"raw/{name}.ply" for name in names}
    assert bucket.names() == inputs | {f"out/{name}.sog" for name in names} | {"out/house.manifest.json"}
    assert sorted(output["name"] for output in status["outputs"]) == names
    assert (status["progress"]["scenesDone"], status["progress"]["scenesTotal"]) == (5, 5)
    assert status["inputBytes"] == small_scene.stat().st_size * len(sources)
    for total, part in (("outputBytes", "bytes"), ("splats", "splats")):
        assert status[total] == sum(output[part] for output in status["outputs"])
    manifest = json.loads(bucket.fetch(status["manifestUri"], tmp_path / "manifest.json").read_bytes())
    assert [output["name"] for output in manifest["outputs"]] == names
    assert {output["shard"] for output in manifest["outputs"]} == {0, 1}

    kubectl.delete("splat", "house")
    assert bucket.names() == inputs


def test_a_bad_scene_ends_all_pods_and_nothing_of_its_own_pod_is_published(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    """The largest scene is one pod's, so that the next and the bad one, which is small, are the other's."""
    bucket.put("raw/garden.ply", small_scene)
    bucket.put("raw/hall.ply", made_scene(tmp_path / "hall.ply", 2500))
    bucket.put_bytes("raw/letter.ply", b"Dear diary,\n")
    kubectl.apply(compression("house", bucket.uri("raw/"), parallelism=2))
    stalled = condition(kubectl.finish("house", "Failed"), "Stalled")
    assert stalled["reason"] == "BadInput"
    assert "raw/letter.ply" in stalled["message"]
    kubectl.wait("job", kubectl.list("jobs")[0]["metadata"]["name"], "condition=Failed")
    assert {name for name in bucket.names() if name.startswith("out/") and "/.splats/" not in name} <= {
        "out/garden.sog"
    }
    assert kubectl.list("pods", "--field-selector=status.phase=Running") == []
