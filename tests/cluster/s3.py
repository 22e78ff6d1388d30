"""SeaweedFS, the S3: one server for this machine and the pods."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException

from cluster.api import Api
from cluster.cache import Cache
from cluster.credentials import Credentials
from cluster.processes import Registry
from cluster.settings import NODE_IP, S3_BUCKET, S3_INNER_PORTS, S3_PORT, S3_REGION, S3_SECRET

_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_HTTP_OK = 200


def start_s3(cache: Cache, registry: Registry, credentials: Credentials) -> None:
    """Start SeaweedFS with one user who may do everything."""
    data = cache.cluster / "s3"
    data.mkdir(parents=True, exist_ok=True)
    configuration = cache.cluster / "s3.json"
    key_pair = {"accessKey": credentials.access_key, "secretKey": credentials.secret_key}
    user = {"name": "admin", "credentials": [key_pair], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    configuration.touch(mode=0o600)
    configuration.write_text(json.dumps({"identities": [user]}))
    arguments = ["server", f"-dir={data}", f"-s3.config={configuration}", *_arguments()]
    registry.start("seaweedfs", [str(cache.bin / "weed"), "-logtostderr", *arguments])


def _arguments() -> list[str]:
    """A bucket takes seven volumes, so the default of eight would be used up by the second one."""
    services = ("master.port", "volume.port", "filer.port", "s3.port")
    names = [name for service in services for name in (service, f"{service}.grpc") if name != "s3.port"]
    inner = [f"-{name}={port}" for name, port in zip(names, S3_INNER_PORTS, strict=True)]
    return [
        f"-ip={NODE_IP}",
        *inner,
        "-s3",
        f"-s3.port={S3_PORT}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",  # an S3 says NoSuchBucket, and our users must see what they would see there
        "-volume.max=500",
        "-volume.preStopSeconds=0",
        "-master.volumeSizeLimitMB=1024",
        "-master.telemetry=false",
    ]


def make_bucket(credentials: Credentials) -> bool:
    """Make the bucket for scenes; False while SeaweedFS cannot yet do it."""
    return _call("PUT", f"/{S3_BUCKET}", credentials) == _HTTP_OK


def is_ready(credentials: Credentials) -> bool:
    """True when the bucket can be listed."""
    return _call("GET", f"/{S3_BUCKET}", credentials) == _HTTP_OK


def publish_credentials(api: Api, credentials: Credentials) -> None:
    """Put the key pair into the Secret that jobs name."""
    content = {"AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
    api.create(
        "/api/v1/namespaces/default/secrets",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": S3_SECRET}, "data": encoded},
    )


def _call(verb: str, path: str, credentials: Credentials) -> int:
    connection = HTTPConnection(NODE_IP, S3_PORT, timeout=5)
    try:
        connection.request(verb, path, headers=signed_headers(verb, path, credentials, datetime.now(UTC)))
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def signed_headers(verb: str, path: str, credentials: Credentials, now: datetime) -> dict[str, str]:
    """Headers of a request without body and query, signed by AWS Signature Version 4 for the S3 on this node.

    Source: "Signature Version 4 signing process" in the AWS General Reference.
    """
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"host": f"{NODE_IP}:{S3_PORT}", "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": stamp}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{verb}\n{path}\n\n{lines}\n{names}\n{_EMPTY_SHA256}"
    scope = f"{day}/{S3_REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (day, S3_REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return {**headers, "authorization": authorization}
