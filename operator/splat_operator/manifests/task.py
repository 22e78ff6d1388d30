"""The worker's whole task as one JSON document (docs/job.md), without any secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from splat_operator.api.model import Key
from splat_operator.api.spec import S3, Destination, Encoder, Output, Spec

VERSION = 1


def run_document(spec: Spec, key: Key) -> str:
    """What a pod is to compress."""
    output, shards = spec.output, spec.scheduling.parallelism
    document = {
        **_head(key),
        "source": _source(output),
        "destination": _destination(output) | _names(output.destination),
        "encoder": _encoder(output.encoder),
        "preview": output.preview,
        "gate": dict(output.gate) or None,
        "cache": spec.cache,
        "shards": shards if shards > 1 else None,
    }
    return json.dumps(_present(document))


def cleanup_document(output: Output, key: Key) -> str:
    """Which outputs a pod is to delete."""
    return json.dumps(
        {
            **_head(key),
            "operation": "delete",
            "destination": _destination(output),
            "encoder": _encoder(output.encoder),
        }
    )


def _head(key: Key) -> dict[str, Any]:
    return {"version": VERSION, "name": key.name, "namespace": key.namespace}


def _source(output: Output) -> dict[str, Any]:
    source = output.source
    return _present(
        {
            "uri": source.uri,
            "sha256": source.sha256,
            "include": [*source.include] or None,
            "exclude": [*source.exclude] or None,
            "s3": _connection(source.uri, source.s3),
        }
    )


def _names(destination: Destination) -> dict[str, str]:
    """How outputs are named; the default is left out, which a worker of an earlier version does too."""
    return {"names": destination.names} if destination.names != Destination.names else {}


def _destination(output: Output) -> dict[str, Any]:
    uri, s3 = output.destination.uri, output.destination.s3
    return _present({"uri": uri, "s3": _connection(uri, s3, s3.server_side_encryption)})


def _encoder(encoder: Encoder) -> dict[str, Any]:
    return {
        "engine": encoder.engine,
        "format": encoder.format,
        "quality": encoder.quality,
        "shBands": encoder.sh_bands,
        "seed": encoder.seed,
        **({"target": encoder.target} if encoder.target else {}),
    }


def _connection(uri: str, s3: S3, encryption: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """How the server of `uri` is reached; None of a claim, which has none."""
    if uri.startswith("pvc://"):
        return None
    return _present(
        {
            "endpoint": s3.endpoint,
            "region": s3.region,
            "addressingStyle": s3.addressing_style,
            "insecureSkipTLSVerify": s3.insecure_skip_tls_verify,
            "serverSideEncryption": encryption,
        }
    )


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
