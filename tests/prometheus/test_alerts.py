"""The chart's alerts, by promtool: each fires when it should, with these words, and is silent when all is well."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import ROOT, Helm, of_kind
from prometheus.page import PAGE, RULES, examples, values_example

pytestmark = pytest.mark.e2e

CASES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
SWITCHED_ON = ("--set", "metrics.prometheusRule.enabled=true")


def spec_of(helm: Helm, *options: str) -> dict[str, Any]:
    """The rules as the chart renders them."""
    (rule,) = of_kind(helm.objects(*SWITCHED_ON, *options), "PrometheusRule")
    found: dict[str, Any] = rule["spec"]
    return found


def alerts_of(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in spec["groups"] for rule in group["rules"] if "alert" in rule}


@pytest.fixture(scope="module")
def rules(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of rules, in a folder of its own."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(spec_of(helm)))
    return path


def promtool(programs: Path, *arguments: str, folder: Path) -> None:
    command = [programs / "promtool", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_rules(programs: Path, rules: Path) -> None:
    promtool(programs, "check", "rules", "--lint=all", "--lint-fatal", rules.name, folder=rules.parent)


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alert_fires_and_is_silent_as_in(programs: Path, rules: Path, cases: Path) -> None:
    copy = rules.parent / cases.name
    copy.write_text(cases.read_text())
    promtool(programs, "test", "rules", copy.name, folder=rules.parent)


def test_every_alert_has_a_case_in_which_it_fires_and_a_neighbour_in_which_it_is_silent(helm: Helm) -> None:
    assert {path.stem for path in CASES} == set(alerts_of(spec_of(helm)))
    for path in CASES:
        tests = yaml.safe_load(path.read_text())["tests"]
        # A case in which it never fires, although there is something to judge.
        fires = [any("exp_alerts" in check for check in test["alert_rule_test"]) for test in tests]
        assert set(fires) == {True, False}, path.name
        assert {check["alertname"] for test in tests for check in test["alert_rule_test"]} == {path.stem}
        assert all(test["input_series"] for test in tests), path.name


def test_every_alert_is_explained_where_its_annotation_says(helm: Helm) -> None:
    headings = [line.removeprefix("### ") for line in PAGE.read_text().splitlines() if line.startswith("### Splat")]
    alerts = alerts_of(spec_of(helm))
    assert headings == list(alerts)
    for name, rule in alerts.items():
        assert rule["annotations"]["runbook"] == f"{PAGE.relative_to(ROOT)}#{name.lower()}"
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        assert rule["labels"].keys() == {"severity"}


@pytest.mark.parametrize(
    ("options", "matchers"),
    [
        ((), 'namespace="splats", job="splats-splat-operator-metrics"'),
        (("metrics.podMonitor.enabled=true",), 'namespace="splats", job="splats/splats-splat-operator"'),
        (
            ("metrics.podMonitor.enabled=true", "metrics.serviceMonitor.enabled=true"),
            'namespace="splats", job="splats-splat-operator-metrics"',
        ),
        (('metrics.prometheusRule.selector=release="gpu"',), 'release="gpu"'),
    ],
    ids=["service", "pod monitor", "both monitors", "selector"],
)
def test_every_series_is_one_of_the_release(helm: Helm, options: tuple[str, ...], matchers: str) -> None:
    """However they are scraped; another release's in the same Prometheus are not counted."""
    spec = spec_of(helm, *[word for value in options for word in ("--set", value)])
    for group in spec["groups"]:
        for rule in group["rules"]:
            selectors = rule["expr"].split("{")[1:]
            assert selectors
            assert all(selector.startswith(matchers) for selector in selectors)


def test_thresholds_are_the_values(helm: Helm) -> None:
    prefix = "metrics.prometheusRule"
    values = {
        f"{prefix}.noLeader.for": ("SplatOperatorNoLeader", "for", "77m"),
        f"{prefix}.blind.silentSeconds": ("SplatOperatorBlind", "expr", 777),
        f"{prefix}.queueStuck.ageSeconds": ("SplatOperatorQueueStuck", "expr", 778),
        f"{prefix}.passErrors.for": ("SplatOperatorPassErrors", "for", "78m"),
        f"{prefix}.failing.share": ("SplatCompressionsFailing", "expr", 0.77),
        f"{prefix}.failing.runs": ("SplatCompressionsFailing", "expr", 779),
        f"{prefix}.failing.window": ("SplatCompressionsFailing", "expr", "79m"),
        f"{prefix}.waiting.for": ("SplatCompressionsWaiting", "for", "80m"),
        f"{prefix}.ratioLow.below": ("SplatCompressionRatioLow", "expr", 7.75),
        f"{prefix}.ratioLow.runs": ("SplatCompressionRatioLow", "expr", 780),
        f"{prefix}.ratioLow.window": ("SplatCompressionRatioLow", "expr", "81m"),
        "intervals.relistSeconds": ("SplatOperatorListStale", "expr", 100.5),
    }
    options = [word for name, (_, _, value) in values.items() for word in ("--set-json", f"{name}={json.dumps(value)}")]
    alerts = alerts_of(spec_of(helm, *options))
    for name, (alert, field, value) in values.items():
        shown = 2 * value + 600 if name == "intervals.relistSeconds" else value
        assert re.search(rf"\b{shown:g}\b" if isinstance(shown, float | int) else shown, alerts[alert][field]), name


def test_the_page_s_values_turn_everything_on(helm: Helm, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values_example()))
    kinds = {body["kind"] for body in helm.objects("--values", str(tmp_path / "values.yaml"))}
    assert {"ServiceMonitor", "PrometheusRule"} < kinds
    assert "ConfigMap" in kinds


def test_the_page_s_command_writes_the_rules_as_a_file(helm: Helm, environment: dict[str, str], tmp_path: Path) -> None:
    (command,) = [block for block in examples("console") if "prometheusrule.yaml" in block]
    script = command.removeprefix("$ ").replace(RULES, str(tmp_path / RULES))
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=environment, check=True)
    (rule,) = of_kind(
        helm.objects(*SWITCHED_ON, release="splat-operator", namespace="splat-operator"), "PrometheusRule"
    )
    assert yaml.safe_load((tmp_path / RULES).read_text()) == rule["spec"]
