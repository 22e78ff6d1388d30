"""Releases come, change and go, and runs go on: nothing is made anew, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bucket import Bucket
from chart.helm import ROOT, HelmError
from e2e.release import Release
from kubectl import Kubectl

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]

OF_RUNS = "--selector=splats.dev/compression"
PREVIOUS = ROOT / "tests" / "chart" / "releases" / "splat-operator-0.1.0.tgz"


class Runs:
    """A run that has finished and one that goes on, seen through every change of the release."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._before = self._look()

    def have_not_changed(self, generation: int) -> bool:
        """Whether they are the same, once the operator has looked at both: it does as their spec changes a little."""
        for name in ("finished", "running"):
            self._kubectl.patch("splat", name, {"spec": {"retries": 10 + generation}})
            self._kubectl.wait("splat", name, f"jsonpath={{.status.observedGeneration}}={generation}")
        return self._look() == self._before

    def _look(self) -> dict[str, Any]:
        splats = {each["metadata"]["name"]: each["status"] for each in self._kubectl.list("splats")}
        kinds = ("jobs", "pods")
        uids = {kind: {each["metadata"]["uid"] for each in self._kubectl.list(kind, OF_RUNS)} for kind in kinds}
        seen = {name: (status["phase"], status["jobName"], status["startTime"]) for name, status in splats.items()}
        made = {name: self._kubectl.reasons(name)["JobCreated"] for name in splats}
        return {"seen": seen, "outputs": splats["finished"]["outputs"], "made": made, **uids}


@pytest.mark.long
@pytest.mark.quick_worker
def test_runs_go_on_through_upgrade_rollback_and_a_new_installation(
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
    endless_scene: Path,
    release: Release,
) -> None:
    """The previous chart and this one, each with the images at hand: what differs is what the charts make of them."""
    release.install(PREVIOUS)
    mine = {"managedBy": release.controller, "gpu": {"count": 0}}
    kubectl.apply(compression("finished", bucket.put("garden.ply", small_scene), **mine))
    kubectl.apply(compression("running", bucket.put("hall.ply", endless_scene), **mine))
    kubectl.finish("finished")
    kubectl.finish("running", "Running")
    runs = Runs(kubectl)

    release.upgrade()
    assert runs.have_not_changed(2)
    kubectl.apply(compression("theirs", bucket.uri("garden.ply"), dryRun=True))
    kubectl.finish("theirs")
    assert resources_of(kubectl, release) == 2
    kubectl.delete("splat", "theirs")
    release.helm("rollback", "--wait")
    assert runs.have_not_changed(3)

    release.helm("uninstall", "--wait")
    job = kubectl.get("splat", "running")["status"]["jobName"]
    (pod,) = kubectl.list("pods", "--field-selector=status.phase=Running", OF_RUNS)
    bucket.put("hall.ply", small_scene)  # the next attempt need not be long
    kubectl.evict(pod["metadata"]["name"])  # uses up no retry
    kubectl.wait("job", job, "condition=Complete")
    assert kubectl.get("splat", "running")["status"]["phase"] == "Running"  # nobody is there to write it down
    release.install()
    ended = kubectl.finish("running")["status"]
    assert (ended["jobName"], ended["inputBytes"]) == (job, small_scene.stat().st_size)
    assert [kubectl.reasons(name)["JobCreated"] for name in ("finished", "running")] == [1, 1]
    assert len(kubectl.list("jobs")) == 2


@pytest.mark.long
def test_helm_test_compresses_a_scene_and_says_what_is_wrong_with_one_of_the_users(
    kubectl: Kubectl, bucket: Bucket, compression: Build, release: Release
) -> None:
    def log() -> str:
        of_the_test = "--selector=app.kubernetes.io/name=splat-operator-test"
        assert kubectl.list("splats,roles,rolebindings,serviceaccounts", of_the_test) == []
        return kubectl.run("logs", of_the_test)

    release.install()
    said = release.helm("test", "--logs")
    assert log() in said
    assert "-test succeeded: Compressed to pvc://test/scene.sog" in said

    missing = bucket.uri("missing.ply")
    cases = [
        ({}, 120, f"-test failed: {missing} does not exist"),
        ({"gpu": {"count": 99}}, 3, "-test has not ended within 3 s: "),
    ]
    for spec, timeout_s, words in cases:
        theirs = json.dumps(compression("theirs", missing, **spec)["spec"])
        release.upgrade("--set-json", f"test.spec={theirs}", "--set", f"test.timeoutSeconds={timeout_s}")
        with pytest.raises(HelmError):
            release.helm("test")
        assert words in log()


def resources_of(kubectl: Kubectl, release: Release) -> float:
    """Count the resources that the release's operator has in its metrics."""
    ours = f"app.kubernetes.io/name=splat-operator,app.kubernetes.io/instance={release.name}"
    pods = kubectl.list("pods", f"--selector={ours}")
    (pod,) = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod['metadata']['name']}:8081/proxy/metrics"
    families = text_string_to_metric_families(kubectl.run("get", "--raw", path))
    gauge = next(family for family in families if family.name == "splat_compressions")
    return sum(sample.value for sample in gauge.samples)
