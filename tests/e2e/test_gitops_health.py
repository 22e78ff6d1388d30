"""The health check for Argo CD on statuses that the operator has written, and Flux's on the same; Flux's manifests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.cache import default_cache
from cluster.go_groups import GITOPS
from cluster.lifecycle import build_besides
from e2e.gitops_health import CHECK, judge
from pages import ROOT, command, manifests
from status_schema import faults, status_schema

# They need no cluster, but programs that take minutes to build the first time: not in `make test-fast`.
pytestmark = [pytest.mark.e2e, pytest.mark.alone]

CASES = yaml.safe_load((CHECK / "health_test.yaml").read_text())["tests"]
FLUX = {"Healthy": "Current", "Degraded": "Failed", "Progressing": "InProgress", "Suspended": "InProgress"}
"""What kstatus calls the same; it has no word for a suspended resource."""


def resource(case: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHECK / case["inputPath"]).read_text())
    return loaded


def test_every_case_of_the_health_check_has_its_status_and_message() -> None:
    expected = {resource(case)["metadata"]["name"]: tuple(case["healthStatus"].values()) for case in CASES}
    judged = judge([resource(case) for case in CASES])
    assert {name: tuple(each.argocd) for name, each in judged.items()} == expected
    assert {name: each.flux.status for name, each in judged.items()} == {
        name: FLUX[status] for name, (status, _) in expected.items()
    }


def test_the_cases_are_all_phases_with_statuses_that_the_api_server_takes() -> None:
    """And no file is left out."""
    assert {str(path.relative_to(CHECK)) for path in (CHECK / "testdata").iterdir()} == {
        case["inputPath"] for case in CASES
    }
    statuses = [resource(case)["status"] for case in CASES]
    assert [faults(status) for status in statuses] == [[]] * len(statuses)
    assert {status.get("phase") for status in statuses} == {None, *status_schema()["properties"]["phase"]["enum"]}


def test_the_pages_flux_manifests_have_the_fields_that_flux_knows() -> None:
    page = [each for each in manifests("gitops.md") if ".toolkit.fluxcd.io/" in each["apiVersion"]]
    program = build_besides(default_cache(), GITOPS) / "flux-manifests"

    def read(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program], input=text, capture_output=True, text=True, check=False)

    text = yaml.safe_dump_all(page)
    answer = read(text)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [f"{each['kind']} {each['metadata']['name']}" for each in page]
    assert 'unknown field "spec.prunes"' in read(text.replace("prune:", "prunes:")).stderr


def test_the_pages_helm_command_puts_the_health_check_where_argo_cds_chart_takes_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """That chart makes the ConfigMap argocd-cm from the value configs.cm; here one that prints it stands for it."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: argo-cd, version: 1.0.0}")
    (tmp_path / "templates" / "cm.yaml").write_text("{{ toYaml .Values.configs.cm }}")
    pasted = command("gitops.md", "helm upgrade argo-cd")
    upgrade, _, values = pasted.partition("--set-file")
    assert upgrade.split()[:4] == ["helm", "upgrade", "argo-cd", "argo/argo-cd"]
    script = f"helm template argo-cd {tmp_path} --set-file {values}"
    printed = subprocess.check_output(["bash", "-c", script], cwd=ROOT, env=environment, text=True)
    key = "resource.customizations.health.splats.dev_SplatCompression"
    assert yaml.safe_load(printed) == {key: (CHECK / "health.lua").read_text()}
