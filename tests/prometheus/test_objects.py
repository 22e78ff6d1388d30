"""What the Prometheus operator's own definitions say to the chart's objects, by the API server."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import Helm, of_kind
from cluster.cache import default_cache
from cluster.go_toolchain import find_go
from kubectl import Kubectl, KubectlError

pytestmark = pytest.mark.e2e

KINDS = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
PINS = Path(__file__).parent / "definitions"
MODULE = "github.com/prometheus-operator/prometheus-operator"
ALL_ON = [word for kind in KINDS for word in ("--set", f"metrics.{kind[0].lower()}{kind[1:]}.enabled=true")]


def definitions() -> list[dict[str, Any]]:
    """The definitions of the three kinds, from the module that the pins name."""
    command = [find_go(default_cache()), "mod", "download", "-json", MODULE]
    answer = json.loads(subprocess.check_output(command, cwd=PINS, text=True))
    folder = Path(answer["Dir"]) / "example" / "prometheus-operator-crd"
    return [yaml.safe_load((folder / f"monitoring.coreos.com_{kind.lower()}s.yaml").read_text()) for kind in KINDS]


def copy_of(definition: dict[str, Any], group: str) -> dict[str, Any]:
    """The same in another group, and without short names: `kubectl get` must go on to mean the real ones."""
    spec = definition["spec"]
    names = {**spec["names"], "shortNames": None, "categories": None}
    metadata = {"name": f"{names['plural']}.{group}"}
    return {**definition, "metadata": metadata, "spec": {**spec, "group": group, "names": names}}


@pytest.fixture(scope="module")
def group(environment: dict[str, str]) -> Iterator[str]:
    """A group with copies of the definitions: a cluster may have the real ones, and other tests see none of it."""
    made = f"test-{secrets.token_hex(4)}.monitoring.coreos.com"
    kubectl = Kubectl(environment, "default")
    copies = [copy_of(definition, made) for definition in definitions()]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": copies})
    try:
        kubectl.run("create", "-f", "-", stdin=manifest)
        for copy in copies:
            kubectl.wait_for_definition(copy["metadata"]["name"])
        yield made
    finally:
        kubectl.run("delete", "-f", "-", "--wait=false", "--ignore-not-found", stdin=manifest)


@pytest.fixture
def objects(helm: Helm) -> dict[str, dict[str, Any]]:
    """The chart's objects for the Prometheus operator, by kind."""
    rendered = helm.objects(*ALL_ON, namespace="default")
    return {kind: of_kind(rendered, kind)[0] for kind in KINDS}


def judge(environment: dict[str, str], group: str, body: dict[str, Any]) -> None:
    """Have the API server look at an object without keeping it. Raises KubectlError."""
    copy = {**body, "apiVersion": body["apiVersion"].replace("monitoring.coreos.com", group)}
    arguments = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
    Kubectl(environment, "default").run(*arguments, stdin=json.dumps(copy))


def test_monitors_and_rules_are_as_their_definitions_want_them(
    environment: dict[str, str], group: str, objects: dict[str, dict[str, Any]]
) -> None:
    for body in objects.values():
        judge(environment, group, body)


@pytest.mark.parametrize(
    ("kind", "path", "value", "words"),
    [
        ("ServiceMonitor", ("endpoints", 0, "intervall"), "30s", "intervall"),
        ("PodMonitor", ("podMetricsEndpoints", 0, "interval"), "soon", "interval"),
        ("PrometheusRule", ("groups", 0, "rules", 0, "for"), "soon", "for"),
    ],
)
def test_a_mistake_in_them_would_be_refused(
    environment: dict[str, str],
    group: str,
    objects: dict[str, dict[str, Any]],
    kind: str,
    path: tuple[Any, ...],
    value: str,
    words: str,
) -> None:
    at: Any = objects[kind]["spec"]
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(KubectlError, match=words):
        judge(environment, group, objects[kind])
