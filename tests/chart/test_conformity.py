"""What users apply has no field that its kind does not have: kubeconform, as their pipelines run it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from chart.helm import CHART, ROOT, Helm
from chart.schemas import LOCATION, write_schemas
from kubectl import Kubectl

pytestmark = pytest.mark.e2e

MONITORS = "ServiceMonitor,PodMonitor,PrometheusRule"
"""Kinds of the Prometheus operator, which the cluster of the tests does not have."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "charts").rglob("*.md"))]
Conform = Callable[[str], dict[str, list[str]]]


@pytest.fixture
def conform(environment: dict[str, str], chart_tools: Path, tmp_path: Path) -> Conform:
    """A function that judges manifests: their names by what kubeconform says of them."""
    kubectl = Kubectl(environment, "default")

    def judge(manifests: str) -> dict[str, list[str]]:
        objects = [body for body in yaml.safe_load_all(manifests) if body]
        write_schemas(kubectl, {(body["apiVersion"], body["kind"]) for body in objects}, tmp_path)
        options = ("-strict", "-verbose", "-output", "json", "-skip", MONITORS)
        command = [str(chart_tools / "kubeconform"), *options, "-schema-location", f"{tmp_path}/{LOCATION}", "-"]
        done = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)
        said: dict[str, list[str]] = {}
        for each in json.loads(done.stdout)["resources"]:
            words = each.get("msg") or each["status"]
            said.setdefault(words, []).append(f"{each['kind']}/{each['name']}")
        return said

    return judge


VALID, SKIPPED = "statusValid", "statusSkipped"


def test_all_that_the_chart_renders_conforms(helm: Helm, conform: Conform) -> None:
    """With the CRD and the objects of `helm test`."""
    said = conform(helm.run("template", "splats", str(CHART)))
    assert said.keys() == {VALID}
    kinds = {name.partition("/")[0] for name in said[VALID]}
    assert kinds > {"CustomResourceDefinition", "Deployment", "Service", "SplatCompression", "Pod"}


def test_all_that_values_can_add_conforms(conform: Conform) -> None:
    everything = (ROOT / "tests" / "chart" / "golden" / "everything.yaml").read_text()
    assert conform(everything).keys() == {VALID, SKIPPED}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_each_example_conforms(conform: Conform, path: Path) -> None:
    assert conform(path.read_text()).keys() == {VALID}


def test_manifests_on_pages_conform_and_the_api_server_takes_them(
    helm: Helm, environment: dict[str, str], conform: Conform
) -> None:
    """Also the one in the notes that an installation prints."""
    notes = helm.run("install", "splats", str(CHART), "--dry-run=client", "--set", "crds.enabled=false")
    texts = [*(page.read_text() for page in PAGES), notes.partition("NOTES:")[2]]
    manifests = [manifest for text in texts for manifest in manifests_in(text)]
    assert len(manifests) >= 3  # one each of README.md, the chart's README and the notes
    together = "\n---\n".join(manifests)
    assert conform(together).keys() == {VALID}
    Kubectl(environment, "default").run("apply", "--dry-run=server", "-f", "-", stdin=together)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("destination:", "destinaton:", id="field of ours"),
        pytest.param("endpoint:", "endpiont:", id="nested field of ours"),
        pytest.param("name: garden", "nmae: garden", id="field of all kinds"),
        pytest.param("kind: SplatCompression", "kind: SplatCompresion", id="kind"),
    ],
)
def test_a_typo_is_refused(conform: Conform, old: str, new: str) -> None:
    example = (ROOT / "examples" / "job.yaml").read_text()
    assert conform(example.replace(old, new)).keys().isdisjoint({VALID, SKIPPED})


def test_a_typo_in_a_template_is_refused(helm: Helm, conform: Conform) -> None:
    deployment = helm.template("--show-only", "templates/deployment.yaml")
    for name in ("replicas", "serviceAccountName", "readinessProbe", "periodSeconds"):
        assert name in deployment
        assert VALID not in conform(deployment.replace(f"{name}:", f"{name}s:"))


def manifests_in(text: str) -> Iterator[str]:
    """The manifests among the fenced blocks and here-documents of a text, but for those of other projects' kinds."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"<<EOF\n(.*?)^ *EOF", text, re.MULTILINE | re.DOTALL)
    for body in (body for block in blocks for body in yaml.safe_load_all(block)):
        if isinstance(body, dict) and "kind" in body:
            group, _, _ = str(body.get("apiVersion")).rpartition("/")
            if "." not in group or group == "splats.dev" or group.endswith(".k8s.io"):
                yield yaml.safe_dump(body)
