"""A real S3 server for tests: SeaweedFS on free loopback ports, with keys of its own, ended by its process id."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from cluster.cache import default_cache, exclusive
from cluster.python_tools import install_tools

START_TIMEOUT_S = 60


@dataclass(frozen=True)
class Identity:
    """A user of the server."""

    name: str
    actions: tuple[str, ...]
    access_key: str = field(default_factory=lambda: secrets.token_hex(10))
    secret_key: str = field(default_factory=lambda: secrets.token_hex(20))

    def configuration(self) -> dict[str, Any]:
        """Write the user down as the server's configuration has it."""
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        return {"name": self.name, "credentials": [keys], "actions": list(self.actions)}


@dataclass(frozen=True)
class Server:
    """A running server, and who may do anything there."""

    endpoint: str
    admin: Identity

    def client(self) -> Any:
        """Open a client that may do anything, independent of the code under test."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.admin.access_key,
            aws_secret_access_key=self.admin.secret_key,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def new_bucket(self) -> str:
        """Create a bucket that no other test uses."""
        name = f"scenes-{secrets.token_hex(4)}"
        self.client().create_bucket(Bucket=name)
        return name


@dataclass(frozen=True)
class S3Server(Server):
    """SeaweedFS, with users of fewer rights and with TLS."""

    tls_endpoint: str
    ca_pem: str
    reader: Identity
    gardener: Identity
    """May read all, and write only what begins with `compressed/garden` in the bucket `gardens`."""

    def keys(self, bucket: str) -> set[str]:
        """List all objects of a bucket."""
        return {entry["Key"] for entry in self.client().list_objects_v2(Bucket=bucket).get("Contents", [])}


def find_weed() -> Path:
    """Install the server's binary from its pin into the cache, once, and say where it is."""
    cache = default_cache()
    with exclusive(cache):  # processes of tests that run side by side each want one
        install_tools(cache)
    return cache.bin / "weed"


def free_ports(count: int) -> list[int]:
    """Ask for loopback ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that is its own CA, and its key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@contextmanager
def running_server(folder: Path) -> Iterator[S3Server]:
    """Run a server on the data in `folder` until the block ends."""
    certificate, key = self_signed(folder)
    http, https, *inner = free_ports(9)
    server = S3Server(
        endpoint=f"http://127.0.0.1:{http}",
        tls_endpoint=f"https://127.0.0.1:{https}",
        ca_pem=certificate.read_text(),
        admin=Identity("admin", ("Admin",)),
        reader=Identity("reader", ("Read", "List")),
        gardener=Identity("gardener", ("Read", "List", "Write:gardens/compressed/garden*")),
    )
    identities = [identity.configuration() for identity in (server.admin, server.reader, server.gardener)]
    (folder / "identities.json").write_text(json.dumps({"identities": identities}))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    arguments = [
        *("-logtostderr", "server", "-s3", "-ip=127.0.0.1", f"-dir={folder}", f"-s3.config={folder}/identities.json"),
        *(f"-{name}={port}" for name, port in zip(names, inner, strict=False)),
        *(f"-s3.port={http}", f"-s3.port.https={https}", f"-s3.port.grpc={inner[-1]}"),
        *(f"-s3.cert.file={certificate}", f"-s3.key.file={key}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false", "-master.telemetry=false"),
        *(
            "-volume.preStopSeconds=0",
            "-master.electionTimeout=1s",
            "-master.volumeSizeLimitMB=256",
            "-volume.max=1000",
        ),
        *(f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"),
    ]
    with (folder / "server.log").open("wb") as log:
        # A key lets the server encrypt at rest; one volume a bucket instead of seven lets tests have many buckets.
        settings = {"WEED_S3_SSE_KEY": secrets.token_hex(32), "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
        process = subprocess.Popen(
            [find_weed(), *arguments], stdout=log, stderr=log, cwd=folder, env={**os.environ, **settings}
        )
        try:
            wait_until_ready(server, process, folder / "server.log")
            yield server
        finally:
            process.kill()
            process.wait()
            # Named after its ports, in a folder that cannot be chosen, and left there.
            for port in (http, *inner):
                for left in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                    left.unlink()


def wait_until_ready(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until an object can be written, which needs the server's volumes too."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            bucket = server.new_bucket()
            server.client().put_object(Bucket=bucket, Key="ready", Body=b"yes")
        except Exception as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the S3 server did not start:\n{log.read_text()[-3000:]}") from error
            time.sleep(0.1)
        else:
            return
