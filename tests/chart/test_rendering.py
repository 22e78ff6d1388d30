"""What Helm makes of the chart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import CHART, ROOT, Helm, HelmError, of_kind
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


def test_no_rights_are_made_where_others_make_them(helm: Helm) -> None:
    kinds = {body["kind"] for body in helm.objects(*NO_CRD, "--set", "rbac.create=false")}
    policies = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert kinds == {"ServiceAccount", "Deployment", "Service", *policies}


def test_several_operators_elect_one(helm: Helm) -> None:
    (deployment,) = of_kind(helm.objects(*NO_CRD, "--set", "replicas=3"), "Deployment")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["strategy"]["type"] == "RollingUpdate"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each for each in container["env"]}
    assert env["SPLATS_LEASE"]["value"] == f"splats/{LEASE}"
    assert env["SPLATS_IDENTITY"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_one_operator_without_election_is_never_two(helm: Helm) -> None:
    (deployment,) = of_kind(helm.objects(*NO_CRD, "--set", "leaderElection.enabled=false"), "Deployment")
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert not {"SPLATS_LEASE", "SPLATS_IDENTITY"} & {each["name"] for each in container["env"]}


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
    requests = {"requests": {"cpu": "500m", "memory": "2Gi"}}
    defaults = Defaults(resources=requests)
    assert settings == Settings("splat-worker:0.1.0", lease=("splats", LEASE), identity="a-pod", defaults=defaults)


@pytest.mark.parametrize(
    ("options", "image"),
    [
        ("image.tag=dev", "splat-operator:dev"),
        ("image.registry=registry.example", "registry.example/splat-operator:0.1.0"),
        ("global.imageRegistry=mirror.example", "mirror.example/splat-operator:0.1.0"),
        ("global.imageRegistry=mirror.example,image.registry=own.example", "own.example/splat-operator:0.1.0"),
        (f"image.tag=dev,image.digest={DIGEST}", f"splat-operator@{DIGEST}"),
    ],
)
def test_an_image_is_named_by(helm: Helm, options: str, image: str) -> None:
    (deployment,) = of_kind(helm.objects(*NO_CRD, "--set", options), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == image


def test_notes_warn_of_images_that_no_registry_has(helm: Helm) -> None:
    def notes(*options: str) -> str:
        return helm.run("install", "splats", str(CHART), "--dry-run=client", *NO_CRD, *options).partition("NOTES:")[2]

    assert notes().count("without a registry") == 2
    assert "without a registry" not in notes("--set", "global.imageRegistry=registry.example")


def test_a_service_monitor_without_a_service_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmError, match=r"use metrics\.podMonitor"):
        helm.template("--set", "metrics.service.enabled=false,metrics.serviceMonitor.enabled=true")


def test_version_with_a_plus_sign_makes_labels(helm: Helm, tmp_path: Path) -> None:
    """As a build's version has one; an API server takes no label with it."""
    copy = shutil.copytree(CHART, tmp_path / "chart")
    about = yaml.safe_load((copy / "Chart.yaml").read_text())
    (copy / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.1.0+build.5", "appVersion": "0.1.0+b"}))
    for body in yaml.safe_load_all(helm.run("template", "splats", str(copy))):
        labels = body["metadata"]["labels"]
        assert labels["helm.sh/chart"] == "splat-operator-0.1.0_build.5"
        assert labels["app.kubernetes.io/version"] == "0.1.0_b"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("imge.tag=dev", "imge"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("worker.cpuFallback=yes", "/worker/cpuFallback"),
        ("worker.fixedUser=no", "/worker/fixedUser"),
        ("image.digest=latest", "/image/digest"),
        ("workers=0", "/workers"),
        ("logLevel=loud", "/logLevel"),
        ("metrics.serviceMonitor.interval=soon", "/metrics/serviceMonitor/interval"),
        ("replicas=two", "/replicas"),
        ("worker.s3.endpiont=https://s3.example", "endpiont"),
        ("worker.scratch.storageClassName=fast", "worker.scratch.storageClassName needs worker.scratch.size"),
        ("cost.gpuHour.nvidia\\.com/gpu=free", "/cost/gpuHour/nvidia.com~1gpu"),
        ("allowed.images={registry.example/worker:1}", "/allowed/images/0"),
        ("worker.networkPolicy.enabled=true", "worker.networkPolicy needs watchNamespaces"),
        *(
            (f"worker.networkPolicy.egress[0].cidr={cidr}", "/worker/networkPolicy/egress/0/cidr")
            for cidr in (
                "169.254.0.0/16",
                "169.254.169.254/32",
                "169.0.0.0/8",
                "128.0.0.0/1",
                "fd00::/8",
                "fc00::/7",
                "s3",
            )
        ),
        ("replicas=2,leaderElection.enabled=false", "/replicas"),
        ("leaderElection=false", "/leaderElection"),
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
