"""A worker that is told to stop publishes nothing, however early it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl, condition

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]


def test_runs_that_are_stopped_as_they_start_publish_nothing(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    """The Job controller looks once a second: eight runs meet different moments of the worker's first one."""
    source = bucket.put("garden.ply", small_scene)
    names = [f"garden-{number}" for number in range(8)]
    for name in names:
        kubectl.apply(compression(name, source, retries=0, activeDeadlineSeconds=1, gpu={"count": 0}))
    for name in names:
        assert condition(kubectl.finish(name, "Failed"))["reason"] == "DeadlineExceeded"
    kubectl.run("wait", "pods", "--all", "--for=delete", "--timeout=60s")
    assert bucket.names() == {"garden.ply"}
