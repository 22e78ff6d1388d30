"""The ways to move one object that are compared, each in a process of its own: `python -m benchmarks.transfer_ways`.

The server and the keys are those of the SDK's environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID...).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from sogs_worker.storage.connection import Connection
from sogs_worker.storage.s3.store import S3Store

MIB = 1 << 20

Way = Callable[[str, str, Path], None]
"""Moves the object `key` of `bucket` to the file, or the file to it."""


def open_plain_client() -> Any:
    """Open the SDK's client with nothing but the address of buckets set."""
    return boto3.client("s3", config=Config(s3={"addressing_style": "path"}))


def open_our_store(bucket: str, path: Path) -> S3Store:
    """Open the bucket as the worker does."""
    endpoint, region = os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_REGION", "us-east-1")
    return S3Store(bucket, Connection("source", endpoint, region, "path"), scratch=path.parent)


def get_by_curl(bucket: str, key: str, path: Path) -> None:
    """One stream, as plain as can be. The signed URL goes through a pipe: others may read a command's arguments."""
    url = open_plain_client().generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    command = ["curl", "--silent", "--fail", "--config", "-", "--output", str(path)]
    subprocess.run(command, input=f'url = "{url}"\n', text=True, check=True)  # noqa: S603


def get_by_sdk(bucket: str, key: str, path: Path) -> None:
    """Use the SDK as it comes."""
    open_plain_client().download_file(bucket, key, str(path))


def get_by_classic(bucket: str, key: str, path: Path) -> None:
    """Use the SDK's own threads with ranges of our size, as many as ours."""
    options = TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=8, preferred_transfer_client="classic")
    open_plain_client().download_file(bucket, key, str(path), Config=options)


def get_by_crt(bucket: str, key: str, path: Path) -> None:
    """Use the AWS common runtime, if it is installed (awscrt).

    Not through boto3, which lets it speak TLS only. It knows no ports: the server must be at 80, or with TLS at 443.
    """
    from botocore.session import get_session
    from s3transfer import crt  # type: ignore[import-untyped]

    session, endpoint = get_session(), os.environ["AWS_ENDPOINT_URL"]
    provider = crt.BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider()
    region = os.environ.get("AWS_REGION", "us-east-1")
    client = crt.create_s3_crt_client(
        region=region, crt_credentials_provider=provider, use_ssl=endpoint.startswith("https")
    )
    options = {"endpoint_url": endpoint, "region_name": region, "config": Config(s3={"addressing_style": "path"})}
    serializer = crt.BotocoreCRTRequestSerializer(session, client_kwargs=options)
    with crt.CRTTransferManager(client, serializer) as manager:
        manager.download(bucket, key, str(path)).result()


def get_by_obstore(bucket: str, key: str, path: Path) -> None:
    """Use the bindings of Rust's object_store, if they are installed (obstore), as one stream."""
    import obstore  # type: ignore[import-not-found]

    with path.open("wb") as file:
        for chunk in obstore.get(open_obstore(bucket), key).stream(min_chunk_size=16 * MIB):
            file.write(chunk)


def put_by_obstore(bucket: str, key: str, path: Path) -> None:
    """Use the same for the way back: parts of our size, as many at once as ours, each with its SHA-256."""
    import obstore

    store = open_obstore(bucket, checksum_algorithm="SHA256")
    obstore.put(store, key, path, chunk_size=16 * MIB, max_concurrency=4)


def open_obstore(bucket: str, **options: str) -> Any:
    """Open the bucket with it; the rest of the address is the environment's."""
    from obstore.store import S3Store as RustStore  # type: ignore[import-not-found]

    region = os.environ.get("AWS_REGION", "us-east-1")
    client = {"allow_http": True}
    return RustStore(bucket, region=region, virtual_hosted_style_request=False, client_options=client, **options)


def get_by_ours(bucket: str, key: str, path: Path) -> None:
    """Use the worker's store."""
    open_our_store(bucket, path).download(key, path)


def put_by_sdk(bucket: str, key: str, path: Path) -> None:
    """Use the SDK as it comes."""
    open_plain_client().upload_file(str(path), bucket, key)


def put_by_ours(bucket: str, key: str, path: Path) -> None:
    """Use the worker's store; its caller knows the digest already, so that takes no time here."""
    store = open_our_store(bucket, path)
    digest = Path(f"{path}.sha256")
    if not digest.exists():
        with path.open("rb") as stream:
            digest.write_text(hashlib.file_digest(stream, "sha256").hexdigest())
    store.upload(path, key, sha256=digest.read_text(), content_type="application/octet-stream")


WAYS: dict[str, Way] = {
    "get: curl, one stream": get_by_curl,
    "get: boto3's defaults": get_by_sdk,
    "get: s3transfer, 8 threads of 16 MiB": get_by_classic,
    "get: AWS common runtime (CRT)": get_by_crt,
    "get: obstore": get_by_obstore,
    "get: sogs-worker": get_by_ours,
    "put: boto3's defaults": put_by_sdk,
    "put: obstore": put_by_obstore,
    "put: sogs-worker": put_by_ours,
}


def main() -> int:
    """Move once; print the seconds, and the processor's, those of curl included."""
    name, bucket, key, path = sys.argv[1:]
    started_s, cpu_started_s = time.perf_counter(), sum(os.times()[:4])
    WAYS[name](bucket, key, Path(path))
    print(time.perf_counter() - started_s, sum(os.times()[:4]) - cpu_started_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
