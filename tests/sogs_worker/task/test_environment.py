"""The container's environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sogs_worker.errors import UsageError
from sogs_worker.task.environment import Settings, read_settings

WORKER = str(Path(__file__).parents[3] / "worker")
LEAST = {"SPLATS_RUN": "/etc/splats/run.json", "SPLATS_SCRATCH": "/scratch"}


def test_reads_the_variables() -> None:
    more = {
        "SPLATS_VOLUMES": "/volumes",
        "SPLATS_TERMINATION_LOG": "/log",
        "SPLATS_DEVICE": "cuda",
        "SPLATS_CPU_FALLBACK": "1",
        "SPLATS_ATTEMPT": "7",
    }
    assert read_settings({**LEAST, **more}) == Settings(
        run_document=Path("/etc/splats/run.json"),
        scratch=Path("/scratch/splats-run"),
        volumes=Path("/volumes"),
        termination_log=Path("/log"),
        device="cuda",
        cpu_fallback=True,
        attempt="7",
    )


def test_has_defaults() -> None:
    settings = read_settings(LEAST)
    assert (settings.termination_log, settings.device, settings.cpu_fallback) == (
        Path("/dev/termination-log"),
        "cpu",
        False,
    )
    assert settings.attempt != read_settings(LEAST).attempt


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SPLATS_RUN": ""}, "SPLATS_RUN is not set"),
        ({"SPLATS_SCRATCH": ""}, "SPLATS_SCRATCH is not set"),
        ({"SPLATS_DEVICE": "tpu"}, "SPLATS_DEVICE must be cuda or cpu, got 'tpu'"),
    ],
)
def test_refuses(changes: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_settings({**LEAST, **changes})


def test_the_job_begins_without_what_takes_seconds_to_load() -> None:
    code = "import sys, sogs_worker.job.process; print(*{'torch', 'boto3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": WORKER}, capture_output=True, check=True)
    assert done.stdout.strip() == b""
