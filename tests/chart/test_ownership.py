"""Whose the CRD is when releases come and go: what the chart's README says, with a CRD that no other test uses."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart.generated import CRD
from chart.helm import CHART, ROOT, Helm, HelmError
from kubectl import Kubectl

pytestmark = pytest.mark.e2e

NAMES = {"kind": "Relic", "listKind": "RelicList", "plural": "relics", "singular": "relic"}
ALONE = ("--set", "replicas=0,rbac.create=false,metrics.service.enabled=false,admissionPolicy.enabled=false")


@pytest.fixture
def kubectl(environment: dict[str, str]) -> Iterator[Kubectl]:
    client = Kubectl(environment, f"test-{secrets.token_hex(4)}")
    client.run("create", "namespace", client.namespace)
    yield client
    client.run("delete", "namespace", client.namespace, "--wait=false")


@pytest.fixture
def crd(kubectl: Kubectl) -> Iterator[str]:
    """The name of a CRD, which is removed in the end whatever has become of it."""
    name = f"{NAMES['plural']}.{kubectl.namespace}.splats.dev"
    yield name
    kubectl.run("delete", "crd", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def chart(crd: str, tmp_path: Path) -> Path:
    """The chart with that CRD in the place of its own."""
    copy = shutil.copytree(CHART, tmp_path / "splat-operator")
    body = yaml.safe_load((copy / "files" / CRD).read_text())
    body["metadata"]["name"] = crd
    body["spec"] |= {"group": crd.partition(".")[2], "names": NAMES}
    (copy / "files" / CRD).write_text(yaml.safe_dump(body, sort_keys=False))
    return copy


def test_the_crd_and_its_resources_outlive_releases_and_are_taken_up_again(
    helm: Helm, kubectl: Kubectl, chart: Path, crd: str
) -> None:
    where = ("--namespace", kubectl.namespace)

    def install(release: str, *options: str) -> None:
        helm.run("install", release, str(chart), *where, *ALONE, *options)

    install("first")
    kubectl.wait_for_definition(crd)
    example = yaml.safe_load((ROOT / "examples" / "job.yaml").read_text())
    kubectl.apply(example | {"apiVersion": f"{crd.partition('.')[2]}/v1alpha1", "kind": NAMES["kind"]})
    made = kubectl.get(crd, "garden")["metadata"]["uid"]

    assert NAMES["plural"] in helm.run("uninstall", "first", *where)  # says what it keeps
    install("first")
    helm.run("uninstall", "first", *where)
    with pytest.raises(HelmError, match="invalid ownership metadata"):
        install("second")
    install("second", "--take-ownership")
    assert kubectl.get(crd, "garden")["metadata"]["uid"] == made

    helm.run("upgrade", "second", str(chart), *where, *ALONE, "--set", "crds.keep=false")
    helm.run("uninstall", "second", *where)
    kubectl.wait("crd", crd, "delete")


def test_the_crd_changes_with_the_chart_and_back(helm: Helm, kubectl: Kubectl, chart: Path, crd: str) -> None:
    where = ("--namespace", kubectl.namespace)

    def short_names() -> list[str]:
        return list(kubectl.get("crd", crd)["spec"]["names"].get("shortNames", []))

    helm.run("install", "first", str(chart), *where, *ALONE)
    path = chart / "files" / CRD
    path.write_text(
        path.read_text().replace("plural: relics", f"plural: relics\n    shortNames: [{kubectl.namespace}]")
    )
    helm.run("upgrade", "first", str(chart), *where, *ALONE)
    assert short_names() == [kubectl.namespace]
    helm.run("rollback", "first", *where)
    assert short_names() == []
