"""The real Argo CD on the manifests of docs/gitops.md: what it syncs stays synced, and what is wrong it says."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from chart.helm import CHART, ROOT, Helm, installed_images
from cluster.cache import default_cache
from e2e.argocd import APPLICATIONS, ArgoCD, running
from e2e.gitops_health import UNOBSERVED, judge
from git_repository import Repository
from kubectl import Kubectl, condition
from pages import command, manifests

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker, pytest.mark.alone]
Build = Callable[..., dict[str, Any]]
Apply = Callable[..., str]

PAGE = "gitops.md"
NOBODY = "test.splats.dev/nobody"
PATIENCE_S = 60
EVERY_KIND = {
    "allowed": {"sources": ["s3://scenes/"], "destinations": ["s3://scenes/"]},
    "networkPolicy": {"enabled": True},
    "podDisruptionBudget": {"enabled": True},
}
"""Values with which the chart has all kinds that it can have here: the API server fills fields in, in each its own."""


@pytest.fixture(scope="module")
def argocd(environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD with the health check, which the page's command has put there."""
    if os.environ.get("CLUSTER") == "current":
        pytest.skip("it would be installed into a cluster that may have its own")
    kubectl = Kubectl(environment, f"e2e-argocd-{secrets.token_hex(4)}")
    kubectl.run("create", "namespace", kubectl.namespace)
    try:
        pasted = command(PAGE, "kubectl create configmap").replace("--namespace argocd", f"-n {kubectl.namespace}")
        subprocess.run(["bash", "-c", pasted], cwd=ROOT, env=dict(environment), check=True)
        with running(default_cache(), kubectl, tmp_path_factory.mktemp("argocd")) as installed:
            yield installed
    finally:
        kubectl.run("delete", "namespace", kubectl.namespace, "--wait=false")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def apply(argocd: ArgoCD, kubectl: Kubectl, repository: Repository) -> Iterator[Apply]:
    """Apply the page's Application of a name, for the test's repository and namespace, with other Helm values."""
    names = []

    def apply(name: str, values: Mapping[str, Any] | None = None) -> str:
        application = next(each for each in manifests(PAGE) if is_application(each, name))
        application["metadata"]["name"] = f"{name}-{kubectl.namespace}"
        source, destination = application["spec"]["source"], application["spec"]["destination"]
        source["repoURL"] = repository.url
        if values:
            source["helm"]["valuesObject"] = dict(values)
        if "namespace" in destination:
            destination["namespace"] = kubectl.namespace
        names.append(argocd.apply(application))
        return names[-1]

    yield apply
    for name in names:
        argocd.kubectl.delete(APPLICATIONS, name, "--ignore-not-found")


def is_application(manifest: Mapping[str, Any], name: str) -> bool:
    return (manifest["kind"], manifest["metadata"]["name"]) == ("Application", name)


def assert_stays_synced(argocd: ArgoCD, name: str) -> None:
    """However often it is compared, Argo CD finds no difference and syncs nothing again."""
    last = argocd.get(name)["status"]["operationState"]
    for _ in range(2):
        status = argocd.refresh(name, hard=True)["status"]
        assert status["sync"]["status"] == "Synced", status["resources"]
    assert argocd.get(name)["status"]["operationState"] == last


def with_names_of_its_own(crd: str, group: str) -> str:
    """Rename what a CRD defines: Argo CD shall not manage the installed one, which other tests use."""
    names = {"splats.dev": group, "SplatCompression": "Copy", "splatcompression": "copie"}
    for old, new in {**names, "[splat, splats]": "[copy]", "[all]": "[copies]"}.items():
        crd = crd.replace(old, new)
    return crd


@pytest.fixture
def crds(kubectl: Kubectl, repository: Repository) -> Iterator[dict[str, str]]:
    """Copy the chart and the CRD into the repository; the name of the chart's CRD and that of the other."""
    shutil.copytree(CHART, repository.folder / "charts" / "splat-operator")
    shutil.copytree(ROOT / "crds", repository.folder / "crds")
    folders = {"chart": "charts/splat-operator/files", "folder": "crds"}
    groups = {place: f"{place}.{kubectl.namespace}.example" for place in folders}
    for place, folder in folders.items():
        file = repository.folder / folder / "splats.dev_splatcompressions.yaml"
        file.write_text(with_names_of_its_own(file.read_text(), groups[place]))
    names = {place: f"copies.{group}" for place, group in groups.items()}
    yield names
    kubectl.run("delete", "crd", *names.values(), "--ignore-not-found")


def test_the_chart_gets_healthy_and_stays_synced_and_its_crd_outlives_it(
    argocd: ArgoCD,
    crds: Mapping[str, str],  # before `apply`, so that they go after the Applications, which would make them again
    apply: Apply,
    repository: Repository,
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
) -> None:
    revision = repository.commit()
    controller = f"test.splats.dev/{kubectl.namespace}"
    own = {"watchNamespaces": [kubectl.namespace], "controllerName": controller}
    values = {**installed_images(Helm(dict(kubectl.environment))), **own, **EVERY_KIND}
    operator, crd = apply("splat-operator", values), apply("splat-crd")
    for name in (operator, crd):
        argocd.wait(name, health="Healthy", revision=revision)
    for name in (operator, crd):
        assert_stays_synced(argocd, name)

    kubectl.apply(compression("garden", bucket.uri("garden.ply"), managedBy=controller, dryRun=True))
    kubectl.wait_for_reason("garden", "DryRun")

    argocd.kubectl.delete(APPLICATIONS, operator)
    assert kubectl.list("deployments") == []
    for name in crds.values():
        kubectl.wait_for_definition(name)


def test_a_folder_of_scenes_follows_git(
    argocd: ArgoCD,
    apply: Apply,
    repository: Repository,
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
) -> None:
    def garden(scene: str) -> dict[str, Any]:
        return compression("garden", bucket.put(f"{scene}.ply", small_scene), retries=1)

    meadow = compression("meadow", bucket.put("meadow.ply", small_scene), deletionPolicy="Delete")
    later = {"name": "viewer", "annotations": {"argocd.argoproj.io/sync-wave": "1"}}
    repository.write("scenes/garden.yaml", garden("garden"))
    repository.write("scenes/meadow.yaml", meadow)
    repository.write("scenes/viewer.yaml", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": later})
    revision = repository.commit()
    name = apply("scenes")
    argocd.wait(name, health="Healthy", revision=revision)
    ends = [each["status"]["completionTime"] for each in kubectl.list("splat")]
    assert len(ends) == 2
    assert kubectl.get("configmap", "viewer")["metadata"]["creationTimestamp"] >= max(ends)
    assert_stays_synced(argocd, name)
    assert {each["metadata"]["generation"] for each in kubectl.list("splat")} == {1}

    first = kubectl.get("splat", "garden")["status"]["jobName"]
    kubectl.patch("splat", "garden", {"spec": {"retries": 5, "activeDeadlineSeconds": 900}})
    kubectl.wait("splat", "garden", "jsonpath={.metadata.generation}=3")
    healed = kubectl.get("splat", "garden")
    assert (healed["spec"]["retries"], healed["status"]["jobName"]) == (1, first)
    assert healed["spec"]["activeDeadlineSeconds"] == 900, "git says nothing about that"

    repository.write("scenes/garden.yaml", garden("hall"))
    (repository.folder / "scenes" / "meadow.yaml").unlink()
    revision = repository.commit()
    argocd.refresh(name)
    argocd.wait(name, health="Healthy", revision=revision)
    (left,) = kubectl.list("splat")
    assert left["status"]["jobName"] != first
    assert {"out/garden.sog", "out/hall.sog"} <= bucket.names()
    assert "out/meadow.sog" not in bucket.names()


def test_health_is_that_of_the_run_with_the_operators_sentence(
    argocd: ArgoCD,
    apply: Apply,
    repository: Repository,
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
    endless_scene: Path,
) -> None:
    scene = bucket.put("small.ply", small_scene)
    scenes = {
        "Succeeded": compression("succeeded", scene),
        "Running": compression("running", bucket.put("endless.ply", endless_scene)),
        "Failed": compression("failed", bucket.uri("missing.ply")),
        "Suspended": compression("suspended", scene, suspend=True),
        "Pending": compression("pending", scene, gpu={"count": 999}),
        "": compression("edited", scene, managedBy=NOBODY),
    }
    repository.write("scenes/all.yaml", *scenes.values())
    repository.commit()
    name = apply("scenes")
    names = {phase: scene["metadata"]["name"] for phase, scene in scenes.items()}
    for phase in filter(None, scenes):
        kubectl.wait("splat", names[phase], "create")
        kubectl.finish(names[phase], phase)
    kubectl.wait("splat", "pending", "condition=Scheduled=false")

    def says(name: str) -> str:
        return str(condition(kubectl.get("splat", name))["message"])

    def shown() -> dict[str, tuple[str, str]]:
        resources = argocd.refresh(name)["status"]["resources"]
        return {each["name"]: (each["health"]["status"], each["health"].get("message", "")) for each in resources}

    def wait_for(health: Mapping[str, str], edited: tuple[str, str]) -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while (seen := shown()) != (
            expected := {**{name: (status, says(name)) for name, status in health.items()}, "edited": edited}
        ):
            assert time.monotonic() < give_up_at, f"{seen} instead of {expected}"
            time.sleep(0.2)

    health = {
        "succeeded": "Healthy",
        "running": "Progressing",
        "failed": "Degraded",
        "suspended": "Suspended",
        "pending": "Progressing",
    }
    wait_for(health, ("Progressing", UNOBSERVED))
    assert "missing.ply" in says("failed")
    assert argocd.get(name)["status"]["health"]["status"] == "Degraded"

    # A resource without an operator: its status is what a finished run has, until the spec is changed.
    finished = {"status": kubectl.get("splat", "succeeded")["status"]}
    kubectl.run("patch", "splat", "edited", "--subresource=status", "--type=merge", f"--patch={json.dumps(finished)}")
    wait_for(health, ("Healthy", says("succeeded")))
    scenes[""]["spec"]["retries"] = 1
    repository.write("scenes/all.yaml", *scenes.values())
    repository.commit()
    wait_for(health, ("Progressing", UNOBSERVED))

    judgements = judge(kubectl.list("splat"))
    assert {name: each.flux.status for name, each in judgements.items()} == {
        "succeeded": "Current",
        "running": "InProgress",
        "failed": "Failed",
        "suspended": "InProgress",
        "pending": "InProgress",
        "edited": "InProgress",
    }
    assert judgements["failed"].flux.message == says("failed")
