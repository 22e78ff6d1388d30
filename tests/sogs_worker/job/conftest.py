"""Whole runs: a real process, a real S3 server, a real scene."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3_server import Identity, S3Server
from warm_worker import run_warm

REPOSITORY = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "sogs_worker", "run")
PROPERTIES = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2")
ROTATIONS = ("rot_0", "rot_1", "rot_2", "rot_3")


def build_ply(splats: int, *, sh_bands: int = 0, seed: int = 0) -> bytes:
    """Make a scene of random splats, as trainers write it."""
    rest = tuple(f"f_rest_{index}" for index in range(3 * (0, 3, 8, 15)[sh_bands]))
    names = (*PROPERTIES[:6], *rest, *PROPERTIES[6:], *ROTATIONS)
    values = np.random.default_rng(seed).normal(size=(splats, len(names))).astype("<f4")
    values[:, [names.index(f"scale_{axis}") for axis in range(3)]] -= 4  # small splats, soon drawn
    header = "".join(f"property float {name}\n" for name in names)
    return (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {splats}\n{header}end_header\n".encode()
        + values.tobytes()
    )


@dataclass
class Job:
    """One run: its document, its environment and its folder."""

    server: S3Server
    bucket: str
    folder: Path
    document: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, body: bytes) -> None:
        """Upload a source."""
        self.server.client().put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        """Download an object."""
        content: bytes = self.server.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def authenticate(self, identity: Identity, *sides: str) -> None:
        """Give the credentials of both sides or of one."""
        for side in sides or ("SOURCE", "DESTINATION"):
            self.environment[f"{side}_AWS_ACCESS_KEY_ID"] = identity.access_key
            self.environment[f"{side}_AWS_SECRET_ACCESS_KEY"] = identity.secret_key
            self.environment[f"SPLATS_CREDENTIALS_{side}"] = "s3-credentials"

    def start(
        self, preexec_fn: Callable[[], None] | None = None, command: Sequence[str] = COMMAND
    ) -> subprocess.Popen[str]:
        """Start the run as the container does, after `preexec_fn` in its process; `command` is another process's."""
        (self.folder / "run.json").write_text(json.dumps(self.document))
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec_fn,
        )

    def finish(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for the end and collect what the run left."""
        output, errors = process.communicate(timeout=300)
        return self._collect(process.returncode, output, errors)

    def run(self) -> Ended:
        """Run from start to end, in processes that need not load torch."""
        (self.folder / "run.json").write_text(json.dumps(self.document))
        done = run_warm("run", environment=self.environment, folder=self.folder)
        return self._collect(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _collect(self, code: int, output: str, errors: str) -> Ended:
        message = (self.folder / "termination-log").read_bytes()
        lines = [json.loads(line) for line in output.splitlines()]
        return Ended(code, json.loads(message), len(message), lines, errors)


@dataclass(frozen=True)
class Ended:
    """What a run left: exit code, termination message and its length, the log's lines, standard error."""

    code: int
    message: Mapping[str, Any]
    message_bytes: int
    lines: list[dict[str, Any]]
    errors: str

    @property
    def failure(self) -> tuple[int, str]:
        """Exit code and reason."""
        return self.code, self.message["error"]["reason"]

    @property
    def sentence(self) -> str:
        """What the user reads."""
        return str(self.message["error"]["message"])


@pytest.fixture
def job(s3: S3Server, tmp_path: Path) -> Job:
    """Prepare a run that succeeds: 300 splats with one SH band."""
    bucket = s3.new_bucket()
    connection = {
        "endpoint": s3.endpoint,
        "region": "us-east-1",
        "addressingStyle": "path",
        "insecureSkipTLSVerify": False,
    }
    document = {
        "version": 1,
        "name": "my-garden",
        "namespace": "default",
        "source": {"uri": f"s3://{bucket}/raw/garden.ply", "s3": connection},
        "destination": {"uri": f"s3://{bucket}/compressed/", "s3": connection},
        "encoder": {"engine": "native", "format": "sog", "quality": "fast", "shBands": 3, "seed": 0},
        "preview": False,
    }
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY / "worker"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "SPLATS_RUN": str(tmp_path / "run.json"),
        "SPLATS_SCRATCH": str(tmp_path / "scratch"),
        "SPLATS_TERMINATION_LOG": str(tmp_path / "termination-log"),
        "SPLATS_DEVICE": "cpu",
    }
    prepared = Job(s3, bucket, tmp_path, json.loads(json.dumps(document)), environment)
    prepared.authenticate(s3.admin)
    prepared.put("raw/garden.ply", build_ply(300, sh_bands=1))
    return prepared
