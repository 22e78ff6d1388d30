"""The worker without its encoder, for end-to-end tests of the operator: it says and leaves what the real one does."""

from __future__ import annotations

import copy
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ended, Job

ROOT = Path(__file__).parents[3]
QUICK = f"{ROOT / 'worker'}:{ROOT / 'tests/quick_worker'}"
VALUES = ("sha256", "bytes", "ratio", "seconds", "outputBytes")
"""What differs: an output's content, and time."""


def run(job: Job, name: str, *, is_quick: bool) -> tuple[Ended, set[str], dict[str, Any]]:
    """Run the job's document with a destination of that name: how it ended, its keys, its manifest."""
    again = copy.copy(job)
    again.document = copy.deepcopy(job.document)
    again.document["destination"]["uri"] = f"s3://{job.bucket}/{name}/"
    if is_quick:
        again.environment = {**job.environment, "PYTHONPATH": QUICK}
    ended = again.finish(again.start())
    assert ended.code == 0, ended.errors
    keys = {key.removeprefix(f"{name}/") for key in job.server.keys(job.bucket) if key.startswith(f"{name}/")}
    return ended, keys, json.loads(again.get(f"{name}/my-garden.manifest.json"))


def comparable(document: Any, name: str) -> Any:
    """Leave out what may differ between two runs into destinations of different names."""
    if isinstance(document, dict):
        return {key: None if key in VALUES else comparable(value, name) for key, value in document.items()}
    if isinstance(document, list):
        return [comparable(each, name) for each in document]
    return document.replace(f"/{name}/", "/") if isinstance(document, str) else document


@pytest.mark.parametrize("preview", [False, True])
def test_it_leaves_what_the_real_one_leaves(job: Job, preview: bool) -> None:
    job.document["preview"] = preview
    job.environment |= {"SPLATS_DEVICE": "cuda", "SPLATS_CPU_FALLBACK": "1"}
    real, real_keys, real_manifest = run(job, "real", is_quick=False)
    quick, quick_keys, quick_manifest = run(job, "quick", is_quick=True)
    assert quick_keys == real_keys
    assert comparable(quick.message, "quick") == comparable(real.message, "real")
    assert comparable(quick_manifest, "quick") == comparable(real_manifest, "real")
    assert {frozenset(line) for line in quick.lines if "stage" in line} == {
        frozenset(line) for line in real.lines if "stage" in line
    }


def test_another_scene_gives_another_output(job: Job) -> None:
    first, _, _ = run(job, "first", is_quick=True)
    again, _, _ = run(job, "again", is_quick=True)
    job.put("raw/garden.ply", job.get("raw/garden.ply").replace(b"\nelement", b"\ncomment other\nelement", 1))
    other, _, _ = run(job, "other", is_quick=True)
    digests = [ended.message["outputs"][0]["sha256"] for ended in (first, again, other)]
    assert digests[0] == digests[1] != digests[2]


def test_a_missing_scene_is_the_real_ones_failure(job: Job) -> None:
    job.environment["PYTHONPATH"] = QUICK
    job.document["source"]["uri"] = f"s3://{job.bucket}/nowhere.ply"
    ended = job.run()
    assert (ended.code, ended.message["error"]["reason"]) == (66, "SourceMissing")


def test_an_endless_scene_runs_until_it_is_stopped(job: Job) -> None:
    job.environment["PYTHONPATH"] = QUICK
    scene = job.get("raw/garden.ply")
    job.put("raw/garden.ply", re.sub(rb"\nelement", b"\ncomment endless\nelement", scene, count=1))
    process = job.start()
    assert process.stdout
    while '"stage": "encode"' not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    ended = job.finish(process)
    assert (ended.code, ended.message["error"]["reason"]) == (75, "Interrupted")
    assert job.server.keys(job.bucket) == {"raw/garden.ply"}
