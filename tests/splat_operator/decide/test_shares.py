"""Several pods share one run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from compressions import (
    RESULT,
    at,
    condition,
    decide,
    failed_pod,
    job,
    observed,
    of_type,
    pod,
    resource,
    running_pod,
    said,
    succeeded_pod,
    unschedulable_pod,
    written,
)
from splat_operator.api.model import CreateJob, Pod

WORDS = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."

SHARED = resource(parallelism=2, source={"uri": "s3://scenes/raw/"})


def part(index: int, **changes: Any) -> Pod:
    entry = {**RESULT["outputs"][0], "name": f"scene-{index}"}
    text = json.dumps({**RESULT, "outputs": [entry], "scenes": 1, **changes})
    return replace(succeeded_pod(text, name=f"garden-{index}"), index=index)


def test_job_is_indexed() -> None:
    (created,) = of_type(decide(observed(SHARED)), CreateJob)
    spec = created.manifest["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 2, 2)
    variables = {each["name"]: each for each in spec["template"]["spec"]["containers"][0]["env"]}
    field = variables["SPLATS_RUN_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert field == "metadata.labels['batch.kubernetes.io/controller-uid']"


def test_totals_are_of_all_pods() -> None:
    done = job(SHARED, completions=2, is_complete=True)
    pods = [part(1, splats=7, device="NVIDIA H100"), part(0), part(0)]
    pods = [replace(pod, container=replace(pod.container, started_at=at(0))) for pod in pods]
    status = written(decide(observed(SHARED, jobs=[done], pods=pods)))
    assert status["phase"] == "Succeeded"
    assert [output["name"] for output in status["outputs"]] == ["scene-0", "scene-1"]
    assert (status["inputBytes"], status["outputBytes"], status["splats"]) == (2000, 200, 57)
    assert (status["compressionRatio"], status["gpuSeconds"]) == (10.0, 3 * 42.0)
    assert status["device"] == "NVIDIA H100, cpu"
    assert (status["progress"]["scenesDone"], status["progress"]["scenesTotal"]) == (2, 2)


def test_a_pod_that_is_gone_takes_its_figures_along_and_not_the_outcome() -> None:
    done = job(SHARED, completions=2, is_complete=True)
    status = written(decide(observed(SHARED, jobs=[done], pods=[part(0)])))
    assert status["phase"] == "Succeeded"
    assert "lack those of 1 pods that are gone; the manifest has all" in condition(status, "Ready")["message"]


def test_no_result_at_all_is_missed() -> None:
    done = job(SHARED, completions=2, is_complete=True)
    status = written(decide(observed(SHARED, jobs=[done])))
    assert condition(status, "Ready")["reason"] == "ResultMissing"


def test_a_pod_waits_for_the_others_gpu_as_long_as_it_takes() -> None:
    hasty = resource(parallelism=2, source={"uri": "s3://scenes/raw/"}, pendingDeadlineSeconds=300)
    first = replace(part(0), container=replace(part(0).container, finished_at=at(1200)))
    pods = [first, pod(name="b", index=1)]
    seen = observed(hasty, jobs=[job(hasty, completions=2)], pods=pods)
    status = written(decide(seen, now=at(1201)))
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Running", "Running")
    late = written(decide(seen, now=at(1501)))
    assert (late["phase"], condition(late, "Ready")["reason"]) == ("Failed", "Starting")


def test_a_pod_that_finds_no_node_is_told_while_another_runs() -> None:
    pods = [running_pod(name="a", index=0), unschedulable_pod(WORDS, name="b", index=1)]
    status = written(decide(observed(SHARED, jobs=[job(SHARED, completions=2)], pods=pods)))
    assert WORDS in condition(status, "Ready")["message"]


def test_the_failure_that_no_retry_can_help_is_the_cause() -> None:
    failed = job(SHARED, completions=2, failure=("PodFailurePolicy", ""), failed_pods=2)
    pods = [
        failed_pod(65, said("BadInput", "b.ply: truncated."), name="b", index=1),
        failed_pod(69, said("ServiceUnavailable", "busy."), name="a", index=0, created_at=at(9)),
    ]
    ready = condition(written(decide(observed(SHARED, jobs=[failed], pods=pods))), "Ready")
    assert (ready["reason"], ready["message"]) == ("BadInput", "b.ply: truncated.")


def test_a_run_goes_on_while_a_pod_has_ended() -> None:
    pods = [part(0), running_pod(name="b", index=1)]
    status = written(decide(observed(SHARED, jobs=[job(SHARED, completions=2)], pods=pods)))
    assert (status["phase"], condition(status, "Ready")["message"]) == ("Running", "1 of 2 pods are running.")


def test_a_run_is_not_ending_before_its_last_pod() -> None:
    seen = observed(SHARED, jobs=[job(SHARED, completions=2)], pods=[part(0)])
    assert "waits for its pod" in condition(written(decide(seen)), "Ready")["message"]
