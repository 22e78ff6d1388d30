"""Scenes and outputs of the command line that are in a bucket."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.proxy import FaultProxy, Rule, stall
from s3_server import S3Server
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import write_ply
from splat_builders import build_splats
from warm_worker import run_warm

REPOSITORY = Path(__file__).parents[3]
COMPRESS = ("compress", "--overwrite", "--quality", "fast", "--device", "cpu")


@dataclass(frozen=True)
class Remote:
    """A bucket and a command line that finds it by the SDK's variables."""

    server: S3Server
    bucket: str
    folder: Path

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def put(self, key: str, body: bytes) -> None:
        self.server.client().put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        content: bytes = self.server.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def environment(self, endpoint: str) -> dict[str, str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY / "worker"),
            "TMPDIR": str(self.folder / "tmp"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": self.server.admin.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.admin.secret_key,
            "AWS_REGION": "us-east-1",
        }

    def start(self, endpoint: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "sogs_worker", *COMPRESS, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environment(endpoint), cwd=self.folder, text=True, **pipes)

    def compress(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment(self.server.endpoint)
        done = run_warm(*COMPRESS, *arguments, environment=environment, folder=self.folder)
        return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def ply(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("scene") / "scene.ply"
    write_ply(path, build_splats(200))
    return path.read_bytes()


@pytest.fixture
def remote(s3: S3Server, tmp_path: Path, ply: bytes) -> Remote:
    """Hold a bucket with a scene."""
    made = Remote(s3, s3.new_bucket(), tmp_path)
    made.put("raw/garden.ply", ply)
    return made


def records(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_prefix_becomes_bundles_below_another(remote: Remote, ply: bytes) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("hall/scan.ply", ply)
        file.writestr("yard/scan.ply", ply)
    remote.put("raw/deep/tour.zip", archive.getvalue())
    done = remote.compress("--json", remote.uri("raw/"), remote.uri("out/"))
    assert done.returncode == 0, done.stderr
    assert {(record["input"], record["output"]) for record in records(done)} == {
        (remote.uri("raw/garden.ply"), remote.uri("out/garden.sog")),
        (remote.uri("raw/deep/tour.zip/hall/scan.ply"), remote.uri("out/deep/tour/hall/scan.sog")),
        (remote.uri("raw/deep/tour.zip/yard/scan.ply"), remote.uri("out/deep/tour/yard/scan.sog")),
    }
    (remote.folder / "one.sog").write_bytes(remote.get("out/deep/tour/yard/scan.sog"))
    assert len(read_scene(remote.folder / "one.sog")) == 200
    assert all(json.loads(line) for line in done.stderr.splitlines())
    assert list((remote.folder / "tmp").iterdir()) == []


def test_objects_and_files_go_together(remote: Remote, ply: bytes) -> None:
    (remote.folder / "lawn.ply").write_bytes(ply)
    done = remote.compress("lawn.ply", remote.uri("raw/garden.ply"), "out/")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (remote.folder / "out").iterdir()} == {"lawn.sog", "garden.sog"}
    done = remote.compress("lawn.ply", remote.uri("exactly/this.sog"))
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(io.BytesIO(remote.get("exactly/this.sog"))) as bundle:
        for name in bundle.namelist():
            remote.put(f"raw/unbundled/{name}", bundle.read(name))
    for source in ("raw/unbundled/meta.json", "raw/unbundled/"):
        done = remote.compress("--json", remote.uri(source), "out/")
        (record,) = records(done)
        assert (record["input"], record["output"]) == (remote.uri("raw/unbundled/meta.json"), "out/unbundled.sog")


def test_an_unbundled_output_replaces_an_earlier_one(remote: Remote, ply: bytes) -> None:
    done = remote.compress("--json", "--format", "sog-unbundled", remote.uri("raw/garden.ply"), remote.uri("out/"))
    (record,) = records(done)
    assert record["output"] == remote.uri("out/garden/meta.json")
    keys = {key for key in remote.server.keys(remote.bucket) if key.startswith("out/")}
    planes = {"means_l", "means_u", "quats", "scales", "sh0", "shN_centroids", "shN_labels"}
    assert keys == {"out/garden/meta.json", *(f"out/garden/{name}.webp" for name in planes)}
    assert record["bytes"] == sum(len(remote.get(key)) for key in keys)
    head = remote.server.client().head_object(Bucket=remote.bucket, Key="out/garden/sh0.webp")
    assert head["ContentType"] == "image/webp"
    first = remote.get("out/garden/meta.json")
    (remote.folder / "lawn.ply").write_bytes(ply)
    options = ("--format", "sog-unbundled", "--sh-bands", "0")
    done = remote.compress(*options, "lawn.ply", remote.uri("out/garden/meta.json"))
    assert (done.returncode, done.stdout.split()[0]) == (0, "garden/meta.json")
    assert remote.get("out/garden/meta.json") != first
    assert b"shN" not in remote.get("out/garden/meta.json")


def test_while_planes_are_sent_there_is_no_metadata(remote: Remote) -> None:
    remote.put("out/garden/meta.json", b"of an earlier scene")
    stalled = Rule(stall(100), when=lambda request: request.method == "PUT" and "sh0.webp" in request.target)
    with FaultProxy(remote.server.endpoint, rules=[stalled]) as proxy:
        source, target = remote.uri("raw/garden.ply"), remote.uri("out/garden/meta.json")
        process = remote.start(proxy.endpoint, "--format", "sog-unbundled", source, target)
        while not any("sh0.webp" in each.target for each in proxy.requests):
            assert process.poll() is None
            time.sleep(0.02)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 75
    assert "out/garden/meta.json" not in remote.server.keys(remote.bucket)


def test_what_is_wrong_is_said_of_the_object(remote: Remote) -> None:
    remote.put("raw/broken.ply", b"no scene")
    done = remote.compress(remote.uri("raw/none.ply"), remote.uri("raw/"), remote.uri("out/"))
    faults = [line for line in done.stderr.splitlines() if line.startswith("sogs-worker:")]
    assert done.returncode == 66
    assert len(faults) == 2
    assert f"{remote.uri('raw/none.ply')} does not exist; upload it or correct IN" in faults[0]
    assert remote.uri("raw/broken.ply") in faults[1]
    assert tempfile.gettempdir() not in done.stdout + done.stderr
    assert "garden.sog" in done.stdout


def test_an_output_that_cannot_be_is_told_at_once(remote: Remote) -> None:
    done = remote.compress(remote.uri("raw/garden.ply"), f"s3://{remote.bucket}-none/out/")
    assert done.returncode == 78
    assert done.stderr.rstrip().endswith("create it or correct OUT")
    assert "fetching" not in done.stderr


def test_an_input_is_not_overwritten(remote: Remote, ply: bytes) -> None:
    remote.put("raw/garden.sog", ply)
    done = remote.compress(remote.uri("raw/garden.sog"), remote.uri("raw/"))
    assert (done.returncode, remote.get("raw/garden.sog")) == (64, ply)
    assert f"{remote.uri('raw/garden.sog')}: an input would be overwritten" in done.stderr


def test_an_interruption_while_it_fetches_sends_nothing(remote: Remote, ply: bytes) -> None:
    remote.put("raw/second.ply", ply)
    stalled = Rule(stall(100), when=lambda request: request.method == "GET" and "raw/garden.ply" in request.target)
    with FaultProxy(remote.server.endpoint, rules=[stalled]) as proxy:
        process = remote.start(
            proxy.endpoint, remote.uri("raw/garden.ply"), remote.uri("raw/second.ply"), remote.uri("out/")
        )
        while not any(each.method == "GET" for each in proxy.requests):
            assert process.poll() is None
            time.sleep(0.02)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "interrupted, no half-written output is left" in errors
    assert not [key for key in remote.server.keys(remote.bucket) if key.startswith("out/")]
    assert list((remote.folder / "tmp").iterdir()) == []
