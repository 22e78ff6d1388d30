"""Which Job belongs to which spec: names and hashes that depend on what the user wrote and on nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from splat_operator.api.spec import S3, Destination, Encoder, Output, Scheduling, Source


def job_name(*, resource_name: str, uid: str, output: Output) -> str:
    """Name of the Job that makes `output` for the resource: at most 63 characters for a name of at most 52.

    The same resource and the same decisive part of the spec give the same name, so that creating twice is a conflict.
    """
    return f"{resource_name}-{digest([uid, _output(output)])}"


def resource_of(job_name: str) -> str:
    """The name of the resource that a Job of that name is of, if it is one of these."""
    return job_name.rpartition("-")[0]


def cleanup_name(*, resource_name: str, uid: str) -> str:
    """Name of the Job that deletes the resource's outputs, as long as the others' and different from them."""
    return f"{resource_name}-{digest([uid, 'cleanup'])}"


def template_hash(scheduling: Scheduling) -> str:
    """Hash of the part of the spec that only says where and with what a pod runs."""
    return digest(_scheduling(scheduling))


def digest(value: Any) -> str:
    """Ten hexadecimal digits for a value of JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def _output(output: Output) -> dict[str, Any]:
    """What decides the output, under names that are for the hash alone: those in the code may change, these may not.

    Beside each value stands the one that is left out, so that a field of a later version changes the hash of no spec
    that does not set it, and runs nothing again.
    """
    return _set(
        {
            "source": (_source(output.source), {}),
            "destination": (_destination(output.destination), {}),
            "encoder": (_encoder(output.encoder), {}),
            "preview": (output.preview, False),
            "gate": (output.gate, {}),
            "image": (output.image, None),
        }
    )


def _source(source: Source) -> dict[str, Any]:
    return _set(
        {
            "uri": (source.uri, ""),
            "sha256": (source.sha256, None),
            "include": ([*source.include], []),
            "exclude": ([*source.exclude], []),
            "s3": (_s3(source.s3), {}),
        }
    )


def _destination(destination: Destination) -> dict[str, Any]:
    return _set(
        {
            "uri": (destination.uri, ""),
            "names": (destination.names, "{path}"),
            "s3": (_s3(destination.s3), {}),
        }
    )


def _s3(s3: S3) -> dict[str, Any]:
    return _set(
        {
            "endpoint": (s3.endpoint, None),
            "region": (s3.region, None),
            "addressing_style": (s3.addressing_style, "auto"),
            "insecure_skip_tls_verify": (s3.insecure_skip_tls_verify, False),
            "credentials_secret": (s3.credentials_secret, None),
            "ca_secret": (s3.ca_secret, None),
            "server_side_encryption": (s3.server_side_encryption, None),
        }
    )


def _encoder(encoder: Encoder) -> dict[str, Any]:
    return _set(
        {
            "engine": (encoder.engine, "native"),
            "format": (encoder.format, "sog"),
            "quality": (encoder.quality, "balanced"),
            "sh_bands": (encoder.sh_bands, 3),
            "seed": (encoder.seed, 0),
            "target": (encoder.target, {}),
        }
    )


def _scheduling(scheduling: Scheduling) -> dict[str, Any]:
    """The same for where and with what a pod runs."""
    return _set(
        {
            "gpu_resource": (scheduling.gpu_resource, "nvidia.com/gpu"),
            "gpu_count": (scheduling.gpu_count, 1),
            "resources": (scheduling.resources, {}),
            "image_pull_policy": (scheduling.image_pull_policy, None),
            "pod": (scheduling.pod, {}),
            "pod_template": (scheduling.pod_template, {}),
            "parallelism": (scheduling.parallelism, 1),
            "queue": (scheduling.queue, None),
            "queue_priority": (scheduling.queue_priority, None),
        }
    )


def _set(entries: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: value for name, (value, left_out) in entries.items() if value != left_out}
