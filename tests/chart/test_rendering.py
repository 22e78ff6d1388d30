"""What Helm makes of the chart."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from chart.helm import CHART, ROOT, Helm, HelmError, of_kind

pytestmark = pytest.mark.e2e

GOLDEN = ROOT / "tests" / "chart" / "golden"
NO_CRD = ("--set", "crds.enabled=false")

# Every value away from its default.
EVERYTHING = {
    "fullnameOverride": "compressor",
    "image": {"repository": "registry.example/splat-operator", "tag": "dev", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "worker": {
        "image": {"repository": "registry.example/splat-worker", "tag": "dev", "pullPolicy": "Never"},
        "cpuFallback": True,
        "allowUnrestrictedPods": True,
    },
    "allowed": {
        "sources": ["s3://scenes/", "https://example.com/"],
        "destinations": ["s3://scenes/compressed/"],
        "endpoints": ["aws", "https://s3.example:8333"],
    },
    "watchNamespaces": ["scenes", "teams-a"],
    "controllerName": "example.com/next",
    "crds": {"enabled": False, "keep": False},
    "rbac": {"create": True, "aggregateToDefaultRoles": False},
    "serviceAccount": {"create": True, "name": "operator", "annotations": {"example.com/a": "b"}},
    "resources": {"limits": {"memory": "1Gi"}},
    "nodeSelector": {"pool": "system"},
    "tolerations": [{"key": "system", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "podAnnotations": {"prometheus.io/port": "8081"},
}

RULES = [
    {"apiGroups": ["splats.dev"], "resources": ["splatcompressions"], "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": ["splats.dev"], "resources": ["splatcompressions/status"], "verbs": ["patch"]},
    {"apiGroups": ["splats.dev"], "resources": ["splatcompressions/finalizers"], "verbs": ["update"]},
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "list"]},
]


@pytest.fixture
def everything(tmp_path: Any) -> tuple[str, str]:
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(EVERYTHING))
    return ("--values", str(path))


def _compare(text: str, name: str, request: pytest.FixtureRequest) -> None:
    """Compare with a golden file; `--update-golden` writes it instead."""
    path = GOLDEN / name
    if request.config.getoption("--update-golden", default=False):
        path.write_text(text)
    assert text == path.read_text()


def test_defaults_are_as_the_golden_file(helm: Helm, request: pytest.FixtureRequest) -> None:
    _compare(helm.template(*NO_CRD), "defaults.yaml", request)


def test_everything_set_is_as_the_golden_file(
    helm: Helm, everything: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    _compare(helm.template(*everything), "everything.yaml", request)


def test_everything_is_away_from_its_default() -> None:
    """So that a value nobody uses shows in the golden files."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert EVERYTHING.keys() == defaults.keys()
    assert [name for name in defaults if EVERYTHING[name] == defaults[name]] == []


def test_lint(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.run("lint", str(CHART), "--strict")


@pytest.mark.parametrize(
    ("keep", "annotations"), [("true", {"helm.sh/resource-policy": "keep"}), ("false", None)], ids=["keep", "go"]
)
def test_crd_is_the_file_with_the_releases_metadata(helm: Helm, keep: str, annotations: dict[str, str] | None) -> None:
    (rendered,) = of_kind(helm.objects("--set", f"crds.keep={keep}"), "CustomResourceDefinition")
    source = yaml.safe_load((ROOT / "crds" / "splats.dev_splatcompressions.yaml").read_text())
    assert rendered["metadata"].pop("labels")["app.kubernetes.io/name"] == "splat-operator"
    assert rendered["metadata"].pop("annotations", None) == annotations
    assert rendered == source


def test_crd_can_be_left_out(helm: Helm) -> None:
    assert of_kind(helm.objects(*NO_CRD), "CustomResourceDefinition") == []


def test_rights_in_the_whole_cluster(helm: Helm) -> None:
    objects = helm.objects(*NO_CRD)
    roles = {role["metadata"]["name"]: role["rules"] for role in of_kind(objects, "ClusterRole")}
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    assert roles["splats-splat-operator"] == [*RULES, nodes]
    assert roles.keys() == {"splats-splat-operator", "splats-splat-operator-view", "splats-splat-operator-edit"}
    assert of_kind(objects, "Role") == []


def test_rights_in_some_namespaces_only(helm: Helm) -> None:
    options = ("--set", "watchNamespaces={scenes,teams-a}", "--set", "rbac.aggregateToDefaultRoles=false")
    objects = helm.objects(*NO_CRD, *options)
    assert {role["metadata"]["namespace"]: role["rules"] for role in of_kind(objects, "Role")} == {
        "scenes": RULES,
        "teams-a": RULES,
    }
    assert {binding["metadata"]["namespace"] for binding in of_kind(objects, "RoleBinding")} == {"scenes", "teams-a"}
    assert of_kind(objects, "ClusterRole") + of_kind(objects, "ClusterRoleBinding") == []


def test_no_rights_are_made_where_others_make_them(helm: Helm) -> None:
    kinds = {body["kind"] for body in helm.objects(*NO_CRD, "--set", "rbac.create=false")}
    assert kinds == {"ServiceAccount", "Deployment"}


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("imge.tag=dev", "imge"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("worker.cpuFallback=yes", "/worker/cpuFallback"),
        ("watchNamespaces={Scenes}", "/watchNamespaces/0"),
        ("serviceAccount.create=false", "serviceAccount.name must name an existing ServiceAccount"),
    ],
)
def test_refuses_wrong_values(helm: Helm, option: str, words: str) -> None:
    with pytest.raises(HelmError) as refusal:
        helm.template("--set", option)
    assert words in str(refusal.value)


def test_release_named_after_the_chart_is_not_named_twice(helm: Helm) -> None:
    (deployment,) = of_kind(helm.objects(release="splat-operator"), "Deployment")
    assert deployment["metadata"]["name"] == "splat-operator"
