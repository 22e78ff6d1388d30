"""What the operator writes is kept whole, and what people read in `kubectl get`."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from kubernetes.client import ApiException

from crd.refusals import SMALLEST
from crd.resources import Resources
from crd.schema import merged

pytestmark = pytest.mark.e2e

TIME = "2026-01-02T03:04:05Z"
FAILURE = "s3://scenes/garden.ply does not exist; upload it or correct spec.source.uri"


def _condition(type: str, status: str, reason: str, message: str) -> dict[str, Any]:
    named = {"type": type, "status": status, "reason": reason, "message": message}
    return named | {"lastTransitionTime": TIME, "observedGeneration": 1}


def _conditions(*, ready: str, stalled: str, message: str = "") -> list[dict[str, Any]]:
    return [
        _condition("Ready", ready, "Published", ""),
        _condition("Reconciling", "False", "Finished", ""),
        _condition("Stalled", stalled, "SourceMissing" if message else "Finished", message),
        _condition("Scheduled", "True", "Scheduled", ""),
    ]


SUCCEEDED: dict[str, Any] = {
    "observedGeneration": 1,
    "phase": "Succeeded",
    "conditions": _conditions(ready="True", stalled="False"),
    "progress": {"percent": 100, "stage": "done", "etaSeconds": 0, "scenesDone": 1, "scenesTotal": 1},
    "outputs": [
        {
            "name": "garden",
            "uri": "s3://scenes/compressed/garden.sog",
            "sha256": "0" * 64,
            "bytes": 3000000000,
            "sourceBytes": 48000000000,
            "splats": 200000,
            "ratio": 16,
            "psnr": 41.27,
            "previewUri": "s3://scenes/compressed/garden.png",
        }
    ],
    "manifestUri": "s3://scenes/compressed/garden.manifest.json",
    "inputBytes": 48000000000,
    "outputBytes": 3000000000,
    "compressionRatio": 16.25,
    "splats": 200000,
    "gpuSeconds": 30.5,
    "cost": {"amount": 0.021181, "currency": "USD"},
    "engine": "native",
    "device": "cuda",
    "cacheHits": 0,
    "jobName": "garden-0123456789",
    "startTime": TIME,
    "completionTime": TIME,
    "duration": "42s",
    "failures": [
        {"pod": "garden-0123456789-abcde", "reason": "IOError", "exitCode": 74, "message": "m", "time": TIME},
        {"pod": "garden-0123456789-fghij", "reason": "Evicted", "message": "m", "time": TIME},
    ],
}

FAILED: dict[str, Any] = {
    "observedGeneration": 1,
    "phase": "Failed",
    "conditions": _conditions(ready="False", stalled="True", message=FAILURE),
    "retryOn": "44136fa355",
    "failures": [{"pod": "p", "reason": "SourceMissing", "exitCode": 66, "message": FAILURE, "time": TIME}],
}


def _with_status(resources: Resources, name: str, status: dict[str, Any]) -> str:
    resources.create(merged(SMALLEST, {"metadata": {"name": name}}), dry_run=False)
    resources.patch_status(name, status)
    return name


def _get(resources: Resources, environment: dict[str, str], name: str, *options: str) -> tuple[list[str], str]:
    """The heads of `kubectl get`'s columns, and its row."""
    command = ["kubectl", "get", f"splatcompressions.{resources.group}", name, *options]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    heads, row = answer.stdout.splitlines()
    return heads.split(), row


def test_a_resource_that_no_operator_has_seen_says_so(resources: Resources) -> None:
    resources.create(merged(SMALLEST, {"metadata": {"name": "unseen"}}), dry_run=False)
    assert resources.get("unseen")["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("status", [SUCCEEDED, FAILED], ids=["succeeded", "failed"])
def test_status_is_kept_whole(resources: Resources, status: dict[str, Any]) -> None:
    name = _with_status(resources, f"whole-{status['phase'].lower()}", status)
    assert resources.get(name)["status"] == status


@pytest.mark.parametrize("field", ["pod", "reason", "message", "time"])
def test_failure_has_what_explains_it(resources: Resources, field: str) -> None:
    """The operator always writes these, and readers may rely on them."""
    name = _with_status(resources, f"explained-{field}", FAILED)
    failures = [{key: value for key, value in FAILED["failures"][0].items() if key != field}]
    with pytest.raises(ApiException) as refusal:
        resources.patch_status(name, {"failures": failures})
    assert f"status.failures[0].{field}: Required value" in json.loads(refusal.value.body)["message"]


def test_get_shows_a_success(resources: Resources, environment: dict[str, str]) -> None:
    name = _with_status(resources, "success", SUCCEEDED)
    heads, row = _get(resources, environment, name)
    assert heads == ["NAME", "PHASE", "RATIO", "PROGRESS", "AGE", "MESSAGE"]
    assert row.split()[:4] == [name, "Succeeded", "16.25", "100"]
    assert len(row.split()) == len(heads) - 1  # no message


def test_get_shows_why_it_failed(resources: Resources, environment: dict[str, str]) -> None:
    name = _with_status(resources, "failure", FAILED)
    _, row = _get(resources, environment, name)
    assert row.split()[:2] == [name, "Failed"]
    assert row.endswith(FAILURE)


def test_get_wide_shows_the_totals(resources: Resources, environment: dict[str, str]) -> None:
    name = _with_status(resources, "wide", SUCCEEDED)
    heads, row = _get(resources, environment, name, "-o", "wide")
    assert heads[5:] == ["INPUT", "OUTPUT", "SPLATS", "PSNR", "DEVICE", "DURATION", "MESSAGE"]
    assert row.split()[5:] == ["48000000000", "3000000000", "200000", "41.27", "cuda", "42s"]


def test_writing_status_leaves_spec_alone(resources: Resources) -> None:
    name = _with_status(resources, "apart", FAILED)
    assert resources.get(name)["metadata"]["generation"] == 1
