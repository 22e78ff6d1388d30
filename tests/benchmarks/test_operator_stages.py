"""What kwok is told, and what the operator reads of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from benchmarks.operator.kwok import command, write_configuration
from benchmarks.operator.manifests import FAKE, LABEL, PODS_A_NODE, node, nodes_for, resource
from benchmarks.operator.stages import OWNER, START_S, build_logs, build_stages
from benchmarks.operator.worker import log_line, termination_message

from splat_operator.api.names import CONTAINER, LABEL_COMPRESSION
from splat_operator.decide.report import parse_progress, parse_result

MAX_MESSAGE_BYTES = 4096
"""That the kubelet takes."""


def by_name(stages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {stage["metadata"]["name"]: stage["spec"] for stage in stages}


def test_the_operator_reads_the_result() -> None:
    message = termination_message("garden")
    assert len(message) < MAX_MESSAGE_BYTES
    result = parse_result(message)
    assert result
    assert result.place == "s3://scenes/compressed/garden.sog"
    assert result.status["compressionRatio"] == result.status["outputs"][0]["ratio"] == 15.76
    assert not result.is_cached


def test_the_message_of_a_pod_names_its_resource() -> None:
    (step,) = by_name(build_stages(run_s=1))["pod-succeeded"]["steps"]
    (line,) = [line for line in step["patch"]["template"].splitlines() if "message:" in line]
    # As Go's templates and then YAML read it.
    rendered = yaml.safe_load(line.replace(OWNER, "garden"))
    assert rendered == {"message": termination_message("garden")}
    assert f"`{LABEL_COMPRESSION}`" in OWNER


def test_a_pod_starts_and_succeeds_after_its_time() -> None:
    stages = by_name(build_stages(run_s=2.5))
    assert stages["pod-running"]["delay"] == {"durationMilliseconds": round(1000 * START_S)}
    assert stages["pod-succeeded"]["delay"] == {"durationMilliseconds": 2500}


def test_a_pod_that_runs_on_is_only_ended_by_its_deletion() -> None:
    assert set(by_name(build_stages(run_s=None))) == {"node-ready", "pod-running", "pod-deleted"}


def test_no_stage_of_a_living_pod_is_for_one_that_is_deleted() -> None:
    keys = {
        name: {(each["key"], each["operator"]) for each in spec["selector"]["matchExpressions"]}
        for name, spec in by_name(build_stages(run_s=1)).items()
    }
    for name in ("pod-running", "pod-succeeded"):
        assert (".metadata.deletionTimestamp", "DoesNotExist") in keys[name]
    assert keys["pod-deleted"] == {(".metadata.deletionTimestamp", "Exists")}


@pytest.mark.parametrize("run_s", [1.0, None])
def test_the_configuration_is_documents_of_yaml(tmp_path: Path, run_s: float | None) -> None:
    documents = [*build_stages(run_s=run_s), build_logs(tmp_path / "worker.log")]
    write_configuration(tmp_path, documents)
    read = list(yaml.safe_load_all((tmp_path / "kwok.yaml").read_text()))
    assert read[0]["kind"] == "KwokConfiguration"
    assert read[1:] == documents


def test_the_log_is_that_of_the_worker() -> None:
    (log,) = build_logs(Path("/somewhere/worker.log"))["spec"]["logs"]
    assert log == {"containers": [CONTAINER], "logsFile": "/somewhere/worker.log"}
    line = log_line("2026-01-01T00:00:00+00:00", 40)
    time, stream, tag, content = line.split(" ", 3)
    assert (time, stream, tag) == ("2026-01-01T00:00:00+00:00", "stdout", "F")
    progress = parse_progress(content)
    assert progress
    assert (progress.percent, progress.stage) == (40, "encode")


def test_kwok_plays_the_nodes_of_its_run_alone(tmp_path: Path) -> None:
    line = command(tmp_path, namespace="bench-1", port=7)
    labels = node("bench-1", 0, port=7)["metadata"]["labels"]
    assert f"--manage-nodes-with-label-selector={LABEL}={labels[LABEL]}" in line
    assert "--server-address=127.0.0.1:7" in line


def test_resources_go_where_nothing_else_does() -> None:
    spec, target = resource("bench-1", "garden")["spec"], node("bench-1", 0, port=7)
    assert spec["nodeSelector"].items() <= target["metadata"]["labels"].items()
    (taint,) = target["spec"]["taints"]
    (toleration,) = spec["tolerations"]
    assert {**toleration, "operator": "Equal"} == {**taint, "operator": "Equal"}
    assert taint["effect"] == "NoSchedule"
    assert taint["key"] == FAKE


@pytest.mark.parametrize(("pods", "nodes"), [(1, 1), (PODS_A_NODE, 1), (PODS_A_NODE + 1, 2), (10_301, 21)])
def test_there_is_room_for_all_pods_at_a_time(pods: int, nodes: int) -> None:
    assert nodes_for(pods) == nodes
    room = node("bench-1", 0, port=7)["status"]["allocatable"]
    assert nodes * int(room["pods"]) >= pods
    assert room["nvidia.com/gpu"] == room["pods"]
