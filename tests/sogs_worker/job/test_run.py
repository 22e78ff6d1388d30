"""The Job's entry from start to end: what is published, what is told, and that a failure leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3_server import Identity

from .conftest import Ended, Job, build_ply

STOP_TIMEOUT_S = 5.0
NOTHING_PUBLISHED = {"raw/garden.ply"}


def has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


class TestSuccess:
    def test_publishes_a_bundle_and_its_manifest(self, job: Job) -> None:
        ended = job.finish(job.start())

        assert ended.code == 0, ended.errors
        assert job.server.keys(job.bucket) == {
            "raw/garden.ply",
            "compressed/garden.sog",
            "compressed/my-garden.manifest.json",
        }
        bundle, source = job.get("compressed/garden.sog"), job.get("raw/garden.ply")
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            meta = json.loads(archive.read("meta.json"))
        assert (meta["version"], meta["count"]) == (2, 300)
        assert ended.message["outputs"] == [
            {
                "name": "garden",
                "uri": f"s3://{job.bucket}/compressed/garden.sog",
                "sha256": hashlib.sha256(bundle).hexdigest(),
                "bytes": len(bundle),
                "sourceBytes": len(source),
                "splats": 300,
                "ratio": round(len(source) / len(bundle), 2),
            }
        ]
        totals = {name: ended.message[name] for name in ("inputBytes", "outputBytes", "splats", "gpuSeconds", "device")}
        assert totals == {
            "inputBytes": len(source),
            "outputBytes": len(bundle),
            "splats": 300,
            "gpuSeconds": 0.0,
            "device": "cpu",
        }
        manifest = json.loads(job.get("compressed/my-garden.manifest.json"))
        assert manifest == {
            **ended.message,
            "encoder": job.document["encoder"],
            "encoderVersion": manifest["encoderVersion"],
        }

    def test_tells_its_progress(self, job: Job) -> None:
        begun_s = time.monotonic()
        lines = [line for line in job.run().lines if "stage" in line]
        percents = [line["percent"] for line in lines]
        assert len(lines) <= time.monotonic() - begun_s + 2  # one a second, and the first and the last at once
        assert (lines[0]["stage"], lines[-1]["stage"]) == ("read", "done")
        assert percents == sorted(percents)
        assert (percents[0], percents[-1]) == (0, 100)
        assert {(line["scenesDone"], line["scenesTotal"]) for line in lines[:-1]} == {(0, 1)}
        assert lines[-1]["scenesDone"] == 1

    def test_writes_to_an_exact_key_with_a_preview(self, job: Job) -> None:
        job.document["destination"]["uri"] = f"s3://{job.bucket}/scenes/v2/final.sog"
        job.document["preview"] = True
        ended = job.finish(job.start())
        assert ended.code == 0, ended.errors
        written = {"scenes/v2/final.sog", "scenes/v2/final.png", "scenes/v2/final.manifest.json"}
        assert job.server.keys(job.bucket) == {"raw/garden.ply"} | written
        assert ended.message["outputs"][0]["previewUri"] == f"s3://{job.bucket}/scenes/v2/final.png"
        assert job.get("scenes/v2/final.png").startswith(b"\x89PNG")

    @pytest.mark.skipif(has_gpu(), reason="this machine has a GPU, so nothing falls back")
    def test_goes_on_with_the_cpu_where_it_may(self, job: Job) -> None:
        job.environment |= {"SPLATS_DEVICE": "cuda", "SPLATS_CPU_FALLBACK": "1"}
        ended = job.finish(job.start())
        assert (ended.code, ended.message["device"], ended.message["gpuSeconds"]) == (0, "cpu", 0.0)
        assert any("going on with the CPU" in line.get("message", "") for line in ended.lines)

    def test_accepts_the_announced_content_and_replaces_an_earlier_output(self, job: Job) -> None:
        digest = hashlib.sha256(job.get("raw/garden.ply")).hexdigest()
        job.document["source"]["sha256"] = digest.upper()
        job.put("compressed/garden.sog", b"of an earlier run")
        job.put("compressed/my-garden.manifest.json", b"{}")
        ended = job.run()
        assert ended.code == 0, ended.errors
        assert json.loads(job.get("compressed/my-garden.manifest.json"))["splats"] == 300
        assert job.get("compressed/garden.sog").startswith(b"PK")


def change(**fields: Any) -> Callable[[Job], None]:
    """Change fields of the document."""
    return lambda job: job.document.update(fields)


def source(uri: str) -> Callable[[Job], None]:
    """Read another address."""
    return lambda job: job.document["source"].update(uri=uri.replace("BUCKET", job.bucket))


def destination(uri: str) -> Callable[[Job], None]:
    """Write to another address."""
    return lambda job: job.document["destination"].update(uri=uri.replace("BUCKET", job.bucket))


def content(body: bytes) -> Callable[[Job], None]:
    """Read another content."""
    return lambda job: job.put("raw/garden.ply", body)


def environment(**variables: str | None) -> Callable[[Job], None]:
    """Set variables, or remove those that are None."""

    def prepare(job: Job) -> None:
        for name, value in variables.items():
            job.environment.pop(name, None)
            if value is not None:
                job.environment[name] = value

    return prepare


def refusing_endpoint(job: Job) -> None:
    """Name a port of which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        job.document["source"]["s3"]["endpoint"] = f"http://127.0.0.1:{taken.getsockname()[1]}"


def reader_only(job: Job) -> None:
    """Write with credentials that may only read."""
    job.authenticate(job.server.reader, "DESTINATION")


def wrong_secret(job: Job) -> None:
    """Read with a wrong secret key."""
    job.authenticate(Identity("admin", (), access_key=job.server.admin.access_key), "SOURCE")


def two_keys(job: Job) -> None:
    """Announce another content than there is."""
    job.document["source"]["sha256"] = "0" * 64


FAILURES = [
    ("version", change(version=2), (64, "Usage"), "version is 2, this worker knows 1"),
    ("ftp", source("ftp://host/garden.ply"), (64, "Usage"), "spec.source.uri is 'ftp://host/garden.ply'"),
    ("no document", environment(SPLATS_RUN="/none.json"), (64, "Usage"), "/none.json cannot be read"),
    ("text", content(b"hello, world\n"), (65, "BadInput"), "/raw/garden.ply"),
    ("truncated", content(build_ply(300)[:-100]), (65, "BadInput"), "/raw/garden.ply"),
    ("empty", content(b""), (65, "BadInput"), "/raw/garden.ply"),
    ("digest", two_keys, (65, "BadInput"), "correct spec.source.sha256"),
    ("kind", source("s3://BUCKET/raw/garden.obj"), (65, "BadInput"), "garden.obj is of a kind that cannot be read"),
    ("key", source("s3://BUCKET/raw/grden.ply"), (66, "SourceMissing"), "/raw/grden.ply does not exist; upload it"),
    (
        "bucket",
        source("s3://no-such-bucket/a.ply"),
        (66, "SourceMissing"),
        "The bucket 'no-such-bucket' does not exist",
    ),
    ("refused", refusing_endpoint, (69, "ServiceUnavailable"), "refuses connections"),
    ("wrong secret", wrong_secret, (77, "NotPermitted"), "Secret 's3-credentials' (SignatureDoesNotMatch)"),
    ("read only", reader_only, (77, "NotPermitted"), "may not write s3://"),
    ("no destination", destination("s3://no-such-bucket/"), (78, "Configuration"), "correct spec.destination.uri"),
    (
        "half a key",
        environment(SOURCE_AWS_SECRET_ACCESS_KEY=None),
        (78, "Configuration"),
        "has no AWS_SECRET_ACCESS_KEY",
    ),
    (
        "scratch",
        environment(SPLATS_SCRATCH="/dev/null/no"),
        (78, "Configuration"),
        "/dev/null/no/splats-run cannot be written to",
    ),
    ("CA", environment(SOURCE_CA_PEM="no PEM"), (78, "Configuration"), "source's CA is not a PEM certificate"),
]


class TestFailure:
    @pytest.mark.parametrize(
        ("prepare", "expected", "words"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
    )
    def test_is_told_in_one_sentence(
        self, job: Job, prepare: Callable[[Job], None], expected: tuple[int, str], words: str
    ) -> None:
        prepare(job)
        ended = job.run()
        assert ended.failure == expected
        assert words in ended.sentence
        assert_one_sentence(job, ended)
        assert job.server.keys(job.bucket) == NOTHING_PUBLISHED

    @pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
    def test_without_a_gpu(self, job: Job) -> None:
        job.environment["SPLATS_DEVICE"] = "cuda"
        ended = job.run()
        assert ended.failure == (81, "NoGPU")
        assert "set spec.gpu.count to 0" in ended.sentence

    @pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
    def test_what_is_there_needs_no_gpu(self, job: Job) -> None:
        job.document["cache"] = "Use"
        assert job.run().code == 0
        job.environment["SPLATS_DEVICE"] = "cuda"
        assert job.run().message["cacheHits"] == 1
        job.document["encoder"]["seed"] = 1
        assert job.run().failure == (81, "NoGPU")

    def test_of_the_disk(self, job: Job) -> None:
        job.put("raw/garden.ply", build_ply(20_000))
        # The kernel refuses files above 64 KiB, as a full disk would.
        ended = job.finish(job.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))))
        assert ended.failure == (74, "IOError")
        assert "raise the ephemeral-storage" in ended.sentence
        assert_one_sentence(job, ended)

    def test_of_the_last_write_is_told_before_the_work(self, job: Job) -> None:
        # These credentials may write the bundle and not the manifest, the last thing that a run writes.
        job.server.client().create_bucket(Bucket="gardens")
        job.document["destination"]["uri"] = "s3://gardens/compressed/"
        job.authenticate(job.server.gardener, "DESTINATION")
        ended = job.run()
        assert not any(line.get("stage") == "encode" for line in ended.lines)
        assert ended.failure == (77, "NotPermitted")
        assert "may not write s3://gardens/compressed/my-garden.manifest.json" in ended.sentence
        assert job.server.keys("gardens") == set()


def assert_one_sentence(job: Job, ended: Ended) -> None:
    """Check what every failure has: one line with an end, in the log too, no traceback and no secret."""
    assert "\n" not in ended.sentence
    assert ended.sentence.endswith(".")
    assert ended.message_bytes <= 4096
    assert any(line.get("message") == ended.sentence for line in ended.lines)
    assert not any("traceback" in line for line in ended.lines)
    assert ended.errors == ""
    assert not any("stays hidden" in line.get("message", "") for line in ended.lines)
    told = json.dumps([ended.message, ended.lines]) + ended.errors
    for name, value in job.environment.items():
        if name.endswith("_KEY") or name.endswith("_KEY_ID"):
            assert value not in told


def wait_for_stage(process: subprocess.Popen[str], stage: str) -> None:
    """Read the log until it is in a stage; one that takes less than a second may have no line."""
    assert process.stdout
    for line in process.stdout:
        if json.loads(line).get("stage") == stage:
            return
    pytest.fail(f"the run ended before {stage}: {process.stderr and process.stderr.read()}")


class TestStop:
    # Longer than the second that a stage may wait for its line: a large encoding, and drawing views for the gate.
    @pytest.mark.parametrize("stage", ["read", "encode", "verify"])
    def test_publishes_nothing(self, job: Job, stage: str) -> None:
        if stage == "verify":
            job.document["gate"] = {"minPSNR": 1.0}
        else:
            job.put("raw/garden.ply", build_ply(200_000, sh_bands=3))
            job.document["encoder"]["quality"] = "best"
        process = job.start()
        wait_for_stage(process, stage)
        begun_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        ended = job.finish(process)

        assert time.monotonic() - begun_s < STOP_TIMEOUT_S
        assert ended.failure == (75, "Interrupted")
        assert_one_sentence(job, ended)
        assert job.server.keys(job.bucket) == NOTHING_PUBLISHED
        assert "Uploads" not in job.server.client().list_multipart_uploads(Bucket=job.bucket)

    def test_keeps_what_another_run_has_published(self, job: Job) -> None:
        job.put("compressed/garden.sog", b"of an earlier run")
        process = job.start()
        wait_for_stage(process, "read")
        process.send_signal(signal.SIGTERM)
        assert job.finish(process).code == 75
        assert job.get("compressed/garden.sog") == b"of an earlier run"


def test_names_a_worker_that_was_killed(job: Job) -> None:
    """What the kernel does when memory is short."""
    job.put("raw/garden.ply", build_ply(200_000, sh_bands=3))
    process = job.start()
    wait_for_stage(process, "encode")
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    ended = job.finish(process)
    assert ended.failure == (70, "Internal")
    assert "raise the memory of spec.resources.limits" in ended.sentence


def test_native_words_are_lines_too(job: Job) -> None:
    job.environment["PYTHONFAULTHANDLER"] = "1"  # so that the interpreter writes to standard error when it dies
    process = job.start()
    wait_for_stage(process, "read")
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGABRT)
    ended = job.finish(process)
    assert ended.failure == (70, "Internal")
    assert "Fatal Python error: Aborted" in [line.get("message") for line in ended.lines]
    assert ended.errors == ""


def test_what_nobody_expected_is_a_line_with_its_traceback(job: Job) -> None:
    fail = "def fail(*_): raise ValueError('https://host/a.ply?sig=0a1b')"
    script = f"import sys\nfrom sogs_worker.job import process\n{fail}\nprocess.run_task = fail\n"
    script += "sys.exit(process.main())"
    ended = job.finish(job.start(command=[sys.executable, "-c", script]))
    assert ended.failure == (70, "Internal")
    assert "unexpectedly (ValueError: https://host/a.ply); report it" in ended.sentence
    (trace,) = [line["traceback"] for line in ended.lines if "traceback" in line]
    assert trace.startswith("Traceback")
    assert "in fail" in trace
    assert "0a1b" not in json.dumps([ended.lines, ended.message]) + ended.errors
