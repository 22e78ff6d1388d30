"""The node's GPUs: which kind is asked for, what describes them, and what a machine without a driver is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import gpus
from cluster.cache import Cache
from cluster.errors import ClusterError

REAL = {"devices": [{"name": "GPU-1", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}]}}]}


@pytest.fixture
def empty(tmp_path: Path) -> Cache:
    """A cache without a cluster."""
    return Cache(tmp_path)


@pytest.mark.parametrize(("value", "wanted"), [("", None), ("advertised", False), ("real", True)])
def test_the_variable_says_which(monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool | None) -> None:
    monkeypatch.setenv("GPUS", value)
    assert gpus.are_real_wanted() is wanted


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUS", "2")
    with pytest.raises(ClusterError, match="say advertised, or real"):
        gpus.are_real_wanted()


def test_without_a_cluster_there_are_none(empty: Cache) -> None:
    assert (gpus.count(empty), gpus.are_real(empty)) == (0, False)


@pytest.mark.parametrize(
    ("specification", "count", "real"),
    [
        pytest.param(gpus.advertised_specification(), 16, False, id="advertised"),
        pytest.param(REAL, 1, True, id="real"),
    ],
)
def test_a_cluster_has_what_its_specification_says(
    empty: Cache, specification: dict[str, object], count: int, real: bool
) -> None:
    gpus.write_specification(empty, json.dumps(specification))
    assert (gpus.count(empty), gpus.are_real(empty)) == (count, real)


def test_a_machine_without_a_driver_is_told_what_is_missing(empty: Cache) -> None:
    empty.bin.mkdir()
    tool = empty.bin / "nvidia-ctk"
    tool.write_text("#!/bin/sh\necho level=warning >&2\necho failed to initialize NVML >&2\nexit 1\n")
    tool.chmod(0o755)
    with pytest.raises(ClusterError, match=r"does nvidia-smi work\? nvidia-ctk: failed to initialize NVML"):
        gpus.describe_gpus(empty, real=True)
