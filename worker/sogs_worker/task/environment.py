"""Where a run finds and leaves things: the environment of docs/job.md."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sogs_worker.errors import UsageError

OWN_FOLDER = "splats-run"
"""Emptied by each attempt: nothing else of what the scratch folder may hold is touched."""

ATTEMPT = "SPLATS_ATTEMPT"
"""Set by the supervisor for the process that works, so that both speak of the same attempt."""


@dataclass(frozen=True)
class Settings:
    """The container's side of a run.

    Attributes:
        run_document: the file that says what to do.
        scratch: a folder of the run's own to work in; everything else is read-only.
        volumes: the folder with the mounted claims, by their names; None: there are none.
        termination_log: the file that takes the result.
        device: `cuda` or `cpu`.
        cpu_fallback: whether `cuda` may become `cpu` where the container sees no GPU.
        attempt: tells this attempt at the task from others.
    """

    run_document: Path
    scratch: Path
    volumes: Path | None
    termination_log: Path
    device: str
    cpu_fallback: bool
    attempt: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the variables.

    Raises:
        UsageError: one is missing or not one of its values.
    """
    for name in ("SPLATS_RUN", "SPLATS_SCRATCH"):
        if not environment.get(name):
            raise UsageError(f"{name} is not set: `sogs-worker run` is the entry of a Job, use `compress` by hand")
    device = environment.get("SPLATS_DEVICE", "cpu")
    if device not in ("cuda", "cpu"):
        raise UsageError(f"SPLATS_DEVICE must be cuda or cpu, got {device!r}")
    return Settings(
        run_document=Path(environment["SPLATS_RUN"]),
        scratch=Path(environment["SPLATS_SCRATCH"]) / OWN_FOLDER,
        volumes=Path(environment["SPLATS_VOLUMES"]) if environment.get("SPLATS_VOLUMES") else None,
        termination_log=termination_log(environment),
        device=device,
        cpu_fallback=environment.get("SPLATS_CPU_FALLBACK") == "1",
        attempt=environment.get(ATTEMPT) or uuid.uuid4().hex,
    )


def termination_log(environment: Mapping[str, str]) -> Path:
    """Name the file that takes the result; it is needed even where the other variables are wrong."""
    return Path(environment.get("SPLATS_TERMINATION_LOG", "/dev/termination-log"))
