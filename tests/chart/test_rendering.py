"""What Helm makes of the chart."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import CHART, ROOT, Helm, of_kind
from chart.rights import Right, granted
from splat_operator.api.defaults import Defaults
from splat_operator.api.environment import read_settings
from splat_operator.api.settings import Settings

pytestmark = pytest.mark.e2e

GOLDEN = ROOT / "tests" / "chart" / "golden"
NO_CRD = ("--set", "crds.enabled=false")

DIGEST = f"sha256:{'ab' * 32}"

# Every value away from its default.
EVERYTHING = {
    "global": {"imageRegistry": "mirror.example", "imagePullSecrets": [{"name": "mirror"}]},
    "fullnameOverride": "compressor",
    "replicas": 0,
    "leaderElection": {"enabled": False},
    "image": {
        "registry": "registry.example",
        "repository": "splat-operator",
        "tag": "dev",
        "digest": DIGEST,
        "pullPolicy": "Always",
    },
    "imagePullSecrets": [{"name": "registry"}],
    "worker": {
        "image": {"repository": "team/splat-worker", "tag": "dev", "pullPolicy": "Never"},
        "imagePullSecrets": [{"name": "worker"}],
        "resources": {"requests": {"cpu": "1", "memory": "4Gi"}},
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "runtimeClassName": "nvidia",
        "s3": {"endpoint": "https://s3.example:8333", "credentialsSecretRef": {"name": "s3-credentials"}},
        "scratch": {"size": "50Gi", "storageClassName": "fast"},
        "networkPolicy": {
            "enabled": True,
            "dns": [{"ipBlock": {"cidr": "10.96.0.10/32"}}],
            "egress": [
                {"cidr": "10.0.5.0/24", "ports": [8333]},
                {"cidr": "0.0.0.0/0"},
                {"cidr": "::/0", "ports": [443]},
            ],
        },
        "cpuFallback": True,
        "fixedUser": False,
        "allowUnrestrictedPods": True,
    },
    "allowed": {
        "sources": ["s3://scenes/", "https://example.com/"],
        "destinations": ["s3://scenes/compressed/"],
        "endpoints": ["aws", "https://s3.example:8333"],
        "images": ["registry.example/team/", "registry.example:5000/worker"],
        "serviceAccounts": ["reader"],
    },
    "admissionPolicy": {"enabled": False},
    "cost": {"gpuHour": {"nvidia.com/gpu": 2.5}, "currency": "EUR", "label": "team"},
    "watchNamespaces": ["scenes", "teams-a"],
    "controllerName": "example.com/next",
    "crds": {"enabled": False, "keep": False},
    "rbac": {"create": True, "aggregateToDefaultRoles": False},
    "serviceAccount": {"create": True, "name": "operator", "annotations": {"example.com/a": "b"}},
    "logLevel": "debug",
    "workers": 16,
    "intervals": {"progressSeconds": 2.5, "relistSeconds": 600},
    "logReadsPerSecond": 100,
    "metrics": {
        "service": {"enabled": True, "annotations": {"prometheus.io/scrape": "true"}},
        "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
        "podMonitor": {"enabled": True, "interval": "1m", "labels": {"release": "prometheus"}},
        "prometheusRule": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "selector": 'namespace="splats", service="compressor-metrics"',
            "noLeader": {"for": "2m"},
            "blind": {"silentSeconds": 120},
            "queueStuck": {"ageSeconds": 60},
            "passErrors": {"for": "1h"},
            "failing": {"share": 0.25, "runs": 20, "window": "1d"},
            "waiting": {"for": "4h"},
            "ratioLow": {"below": 10.5, "runs": 10, "window": "1d"},
        },
        "dashboard": {"enabled": True, "labels": {"dashboards": "gpu"}, "annotations": {"grafana_folder": "GPU"}},
    },
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "apiServerPorts": [6443],
        "apiServerCIDRs": ["10.0.0.10/32"],
    },
    "podDisruptionBudget": {"enabled": True, "minAvailable": "50%"},
    "resources": {"limits": {"memory": "1Gi"}},
    "podSecurityContext": {"runAsNonRoot": True},
    "securityContext": {"readOnlyRootFilesystem": True},
    "nodeSelector": {"pool": "system"},
    "tolerations": [{"key": "system", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "podAnnotations": {"prometheus.io/port": "8081"},
    "podLabels": {"team": "scans"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
    "test": {"spec": {"gpu": {"count": 0}}, "timeoutSeconds": 60},
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-ca"}},
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: as-text}\n",
    ],
}

ACCOUNT = "splats-splat-operator"
LEASE = "splats-splat-operator"
ON_THE_LEASE = {
    Right("create", "leases.coordination.k8s.io"),
    Right("get", "leases.coordination.k8s.io", LEASE),
    Right("update", "leases.coordination.k8s.io", LEASE),
}
LIST_NODES = Right("list", "nodes")


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


def test_lint(helm: Helm, everything: tuple[str, str]) -> None:
    for options in ((), everything):
        assert "0 chart(s) failed" in helm.run("lint", str(CHART), "--strict", *options)


@pytest.mark.parametrize(
    ("keep", "annotations"), [("true", {"helm.sh/resource-policy": "keep"}), ("false", None)], ids=["keep", "go"]
)
def test_crd_is_the_file_with_the_releases_metadata(helm: Helm, keep: str, annotations: dict[str, str] | None) -> None:
    (rendered,) = of_kind(helm.objects("--set", f"crds.keep={keep}"), "CustomResourceDefinition")
    source = yaml.safe_load((ROOT / "crds" / "splats.dev_splatcompressions.yaml").read_text())
    assert rendered["metadata"].pop("labels")["app.kubernetes.io/name"] == "splat-operator"
    assert rendered["metadata"].pop("annotations", None) == annotations
    assert rendered == source


def test_rights_in_the_whole_cluster(helm: Helm) -> None:
    objects = helm.objects(*NO_CRD)
    everywhere = granted(objects, ACCOUNT, "any")
    assert granted(objects, ACCOUNT, "splats") == everywhere | ON_THE_LEASE
    assert LIST_NODES in everywhere
    assert {role["metadata"]["name"] for role in of_kind(objects, "ClusterRole")} == {
        ACCOUNT,
        f"{ACCOUNT}-view",
        f"{ACCOUNT}-edit",
    }


def test_rights_in_some_namespaces_only(helm: Helm) -> None:
    options = ("--set", "watchNamespaces={scenes,teams-a}", "--set", "rbac.aggregateToDefaultRoles=false")
    objects = helm.objects(*NO_CRD, *options)
    everywhere = granted(helm.objects(*NO_CRD), ACCOUNT, "any")
    for namespace in ("scenes", "teams-a"):
        assert granted(objects, ACCOUNT, namespace) == everywhere - {LIST_NODES}
    assert granted(objects, ACCOUNT, "splats") == ON_THE_LEASE
    assert granted(objects, ACCOUNT, "any") == set()
    assert of_kind(objects, "ClusterRole") + of_kind(objects, "ClusterRoleBinding") == []


def test_one_of_some_namespaces_may_be_the_releases(helm: Helm) -> None:
    """Names of roles must not collide there."""
    objects = helm.objects(*NO_CRD, "--set", "watchNamespaces={splats}")
    names = [role["metadata"]["name"] for role in of_kind(objects, "Role")]
    assert sorted(names) == [ACCOUNT, f"{ACCOUNT}-leader"]
    assert granted(objects, ACCOUNT, "splats") > ON_THE_LEASE


def test_no_right_is_dangerous(helm: Helm) -> None:
    """Whatever is added: no Secrets, no pods of its own, no more rights for itself, nothing by a wildcard."""
    given = granted(helm.objects(*NO_CRD), ACCOUNT, "splats")
    assert not [right for right in given if "*" in f"{right.verb}{right.resource}"]
    assert not [right for right in given if right.resource.startswith(("secrets", "serviceaccounts", "configmaps"))]
    assert not [right for right in given if right.resource.endswith("rbac.authorization.k8s.io")]
    assert {right.verb for right in given if right.resource.startswith("pods")} <= {"get", "list", "watch"}
    assert {right.verb for right in given if right.resource.startswith("nodes")} == {"list"}


def test_without_election_there_are_no_rights_on_leases(helm: Helm) -> None:
    objects = helm.objects(*NO_CRD, "--set", "leaderElection.enabled=false")
    assert granted(objects, ACCOUNT, "splats") == granted(objects, ACCOUNT, "any")
    assert of_kind(objects, "Role") == []


def test_settings_are_those_that_the_operator_reads(helm: Helm, everything: tuple[str, str]) -> None:
    """The operator itself reads what the chart makes of both ends of each value."""
    for options in ((*NO_CRD, "--set", "replicas=2"), everything):
        (deployment,) = of_kind(helm.objects(*options), "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        settings = read_settings({each["name"]: each.get("value", "a-pod") for each in container["env"]})
        assert (settings.lease is None) == (options == everything)
        assert settings.worker_fixed_user == (options != everything)


def test_defaults_are_those_of_the_operator(helm: Helm) -> None:
    (deployment,) = of_kind(helm.objects(*NO_CRD), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    settings = read_settings({each["name"]: each.get("value", "a-pod") for each in container["env"]})
    defaults = Defaults(resources={"requests": {"cpu": "500m", "memory": "2Gi"}})
    assert settings == Settings(settings.worker_image, lease=("splats", LEASE), identity="a-pod", defaults=defaults)


def test_images_that_the_annotations_list_are_those_that_run(helm: Helm) -> None:
    (deployment,) = of_kind(helm.objects(*NO_CRD), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    worker = next(each["value"] for each in container["env"] if each["name"] == "SPLATS_WORKER_IMAGE")
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    listed = yaml.safe_load(annotations["artifacthub.io/images"])
    assert [each["image"] for each in listed] == [container["image"], worker]


def test_suites_of_helm_unittest(chart_tools: Path) -> None:
    """They stand in the chart's folder `tests`, and each of them makes a decision of the templates plain."""
    command = [str(chart_tools / "helm-unittest"), "--strict", str(CHART)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
