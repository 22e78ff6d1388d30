"""What is kept of an object: the fields that parsing reads, as compressed JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from splat_operator.api.names import (
    ANNOTATION_INDEX,
    ANNOTATION_QUEUE,
    ANNOTATION_SUSPENDED,
    ANNOTATION_TEMPLATE,
    ANNOTATION_UID,
    CONTAINER,
    LABEL_CLEANUP,
    LABEL_COMPRESSION,
    LABEL_MANAGED_BY,
    LABEL_QUEUE,
    PLURAL,
)
from splat_operator.api.spec import Json
from splat_operator.cluster.paths import JOBS, PODS, WORKLOADS
from splat_operator.cluster.workloads import strip_workload

_LABELS = (LABEL_CLEANUP, LABEL_COMPRESSION, LABEL_MANAGED_BY, LABEL_QUEUE)
_ANNOTATIONS = (ANNOTATION_INDEX, ANNOTATION_QUEUE, ANNOTATION_SUSPENDED, ANNOTATION_TEMPLATE, ANNOTATION_UID)
_CONDITIONS = ("Complete", "Failed", "PodScheduled", "DisruptionTarget")
_META = (
    *("name", "namespace", "uid", "resourceVersion", "generation"),
    *("creationTimestamp", "deletionTimestamp", "finalizers"),
)
_JOB_SPEC = ("suspend", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "completions")
_JOB_STATUS = ("startTime", "completionTime", "succeeded", "failed")
_POD_STATUS = ("phase", "reason", "message")

_PRESET = json.dumps(
    {
        "finalizers": ["splats.dev/outputs"],
        "spec": {
            "activeDeadlineSeconds": 0,
            "backoffLimit": 3,
            "cache": "Use",
            "deletionPolicy": "Retain",
            "destination": {"uri": "s3://"},
            "dryRun": False,
            "encoder": {"engine": "native", "format": "sog", "quality": "balanced", "seed": 0, "shBands": 3},
            "gpu": {"count": 1, "resourceName": "nvidia.com/gpu"},
            "parallelism": 1,
            "preview": False,
            "retries": 3,
            "s3": {
                "addressingStyle": "auto",
                "credentialsSecretRef": {"name": "s3-credentials"},
                "endpoint": "http://",
            },
            "source": {"uri": "s3://"},
            "suspend": False,
            "ttlSecondsAfterFinished": 86400,
        },
        "status": {
            "cacheHits": 0,
            "compressionRatio": 15.0,
            "conditions": [
                {
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                    "message": "Compressed to s3:// times smaller.",
                    "observedGeneration": 1,
                    "reason": "Succeeded",
                    "status": "True",
                    "type": kind,
                }
                for kind in ("Ready", "Reconciling", "Stalled", "Scheduled")
            ]
            + [{"reason": "AsExpected", "status": "False"}, {"lastProbeTime": None, "type": "Complete"}],
            "completionTime": "2026-01-01T00:00:00Z",
            "containerStatuses": [{"name": CONTAINER, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
            "device": "cuda",
            "duration": "42s",
            "engine": "native",
            "gpuSeconds": 0,
            "inputBytes": 0,
            "jobName": "",
            "manifestUri": "s3://.manifest.json",
            "observedGeneration": 1,
            "outputBytes": 0,
            "outputs": [
                {
                    "bytes": 0,
                    "name": "",
                    "psnr": 0,
                    "ratio": 0,
                    "sha256": "",
                    "sourceBytes": 0,
                    "splats": 0,
                    "uri": ".sog",
                }
            ],
            "phase": "Succeeded",
            "progress": {"percent": 100, "scenesDone": 1, "scenesTotal": 1, "stage": "done"},
            "startTime": "2026-01-01T00:00:00Z",
            "termination": {"containerID": "", "finishedAt": "", "message": "", "startedAt": ""},
        },
        "metadata": {
            "annotations": dict.fromkeys(_ANNOTATIONS, ""),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": dict.fromkeys(_LABELS, "splat-operator"),
            "ownerReferences": [
                {"apiVersion": "batch/v1", "controller": True, "kind": "Job", "uid": ""},
                {"apiVersion": "splats.dev/v1alpha1", "controller": True, "kind": "SplatCompression", "uid": ""},
            ],
        },
    },
    sort_keys=True,
    separators=(",", ":"),
).encode()
"""What most objects say: the compressor refers to it, and so needs a third of the bytes for each."""


def strip(kind: str, raw: Json, *, labels: tuple[str, ...] = ()) -> dict[str, Any]:
    """The part of an object of a watched kind that parsing reads, and these labels; the rest is dropped."""
    return {"metadata": _strip_meta(raw["metadata"], labels), **_BODIES[kind](raw)}


def pack(body: Json) -> bytes:
    """The body as compressed JSON; equal bodies give equal bytes."""
    packer = zlib.compressobj(level=1, wbits=-15, zdict=_PRESET)
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return packer.compress(text) + packer.flush()


def unpack(data: bytes) -> dict[str, Any]:
    """What was packed."""
    unpacker = zlib.decompressobj(wbits=-15, zdict=_PRESET)
    body: dict[str, Any] = json.loads(unpacker.decompress(data) + unpacker.flush())
    return body


def _strip_meta(meta: Json, more: tuple[str, ...]) -> dict[str, Any]:
    labels, annotations = _only(meta.get("labels"), (*_LABELS, *more)), _only(meta.get("annotations"), _ANNOTATIONS)
    owners = [
        _only(owner, ("apiVersion", "kind", "uid", "controller"))
        for owner in meta.get("ownerReferences") or []
        if owner.get("controller")
    ]
    parts = {"labels": labels, "annotations": annotations, "ownerReferences": owners}
    return {**_only(meta, _META), **{name: part for name, part in parts.items() if part}}


def _strip_resource(raw: Json) -> dict[str, Any]:
    """All of it: the spec decides the Job, and a status is patched from what it was."""
    return {"spec": raw.get("spec", {}), "status": raw.get("status") or {}}


def _strip_job(raw: Json) -> dict[str, Any]:
    status = raw.get("status") or {}
    return {
        "spec": _only(raw.get("spec"), _JOB_SPEC),
        "status": {**_only(status, _JOB_STATUS), "conditions": _conditions(status)},
    }


def _strip_pod(raw: Json) -> dict[str, Any]:
    status = raw.get("status") or {}
    worker = [item for item in status.get("containerStatuses") or [] if item["name"] == CONTAINER]
    containers = {"containerStatuses": worker, "initContainerStatuses": status.get("initContainerStatuses") or []}
    return {
        "status": {
            **_only(status, _POD_STATUS),
            "conditions": _conditions(status),
            **{name: [_strip_container(item) for item in items] for name, items in containers.items() if items},
        }
    }


def _strip_container(item: Json) -> dict[str, Any]:
    return _only(item, ("name", "state", "started"))


def _conditions(status: Json) -> list[dict[str, Any]]:
    wanted = ("type", "status", "reason", "message", "lastTransitionTime")
    return [_only(item, wanted) for item in status.get("conditions") or [] if item["type"] in _CONDITIONS]


def _only(mapping: Json | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: mapping[name] for name in names if name in mapping} if mapping else {}


_BODIES: Mapping[str, Callable[[Json], dict[str, Any]]] = {
    PLURAL: _strip_resource,
    JOBS: _strip_job,
    PODS: _strip_pod,
    WORKLOADS: strip_workload,
}
