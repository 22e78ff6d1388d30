"""The Job that makes one output: a pure function from the spec to a manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from splat_operator import names, volumes
from splat_operator.identity import job_name, template_hash
from splat_operator.model import Key
from splat_operator.settings import Settings
from splat_operator.spec import S3, Output, Scheduling, Spec

USER = 65532
"""Numeric, so that the kubelet can check runAsNonRoot; the worker's image is made for it."""

TERMINATION_LOG = "/dev/termination-log"

Json = dict[str, Any]


def build_job(*, spec: Spec, key: Key, uid: str, settings: Settings) -> Json:
    """Manifest of the Job for the resource `key` with that UID. ttlSecondsAfterFinished is absent.

    The operator sets it once the result stands in the status: a Job that its TTL removes before that would run again.
    """
    job_labels = labels(key.name)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(resource_name=key.name, uid=uid, output=spec.output),
            "namespace": key.namespace,
            "labels": job_labels,
            "annotations": {names.ANNOTATION_TEMPLATE: template_hash(spec.scheduling)},
            "ownerReferences": [_owner_reference(key, uid)],
        },
        "spec": {
            **mutable_fields(spec),
            "podFailurePolicy": _pod_failure_policy(),
            "template": {
                "metadata": {
                    "labels": job_labels,
                    "annotations": {names.ANNOTATION_RUN: run_document(spec.output, key, cache=spec.cache)},
                },
                "spec": _pod_spec(spec, settings),
            },
        },
    }


def labels(resource_name: str) -> dict[str, str]:
    """Labels of the Job and its pods."""
    return {
        names.LABEL_NAME: "splat-worker",
        names.LABEL_MANAGED_BY: names.MANAGER,
        names.LABEL_COMPRESSION: resource_name,
    }


def mutable_fields(spec: Spec) -> Json:
    """Fields of the Job's spec that may change while it exists; those unset are left out."""
    deadline = {} if spec.active_deadline_s is None else {"activeDeadlineSeconds": spec.active_deadline_s}
    return {"suspend": spec.suspend, "backoffLimit": spec.retries, **deadline}


def run_document(output: Output, key: Key, *, cache: str) -> str:
    """The worker's whole task as JSON (docs/job.md), without any secret."""
    source, destination, encoder = output.source, output.destination, output.encoder
    encryption = destination.s3.server_side_encryption
    document = {
        "version": 1,
        "name": key.name,
        "namespace": key.namespace,
        "source": _present({"uri": source.uri, "sha256": source.sha256, "s3": _connection(source.uri, source.s3)}),
        "destination": _present(
            {"uri": destination.uri, "s3": _connection(destination.uri, destination.s3, encryption)}
        ),
        "encoder": {
            "engine": encoder.engine,
            "format": encoder.format,
            "quality": encoder.quality,
            "shBands": encoder.sh_bands,
            "seed": encoder.seed,
        },
        "preview": output.preview,
        "gate": dict(output.gate) or None,
        "cache": cache,
    }
    return json.dumps(_present(document))


def _connection(uri: str, s3: S3, encryption: Mapping[str, Any] | None = None) -> Json | None:
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


def _owner_reference(key: Key, uid: str) -> Json:
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "name": key.name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod_failure_policy() -> Json:
    """Disruptions use up no retry (first, so that the exit code of a disrupted pod does not count)."""
    return {
        "rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailJob",
                "onExitCodes": {
                    "containerName": names.CONTAINER,
                    "operator": "In",
                    "values": list(names.PERMANENT_EXIT_CODES),
                },
            },
        ]
    }


def _pod_spec(spec: Spec, settings: Settings) -> Json:
    scheduling = spec.scheduling
    return {
        "restartPolicy": "Never",
        # The worker stops within 5 s of SIGTERM; the rest is for a slow disk.
        "terminationGracePeriodSeconds": 10,
        "enableServiceLinks": False,
        # The worker never calls the API; a service account is named for the cloud's credentials that hang on it.
        "automountServiceAccountToken": "serviceAccountName" in scheduling.pod,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **scheduling.pod,
        "containers": [_container(spec, settings)],
        "volumes": volumes.volumes(spec.output),
    }


def _container(spec: Spec, settings: Settings) -> Json:
    return {
        "name": names.CONTAINER,
        "image": spec.output.image or settings.worker_image,
        "imagePullPolicy": spec.scheduling.image_pull_policy or settings.worker_image_pull_policy,
        "command": ["sogs-worker", "run"],
        "env": _environment(spec, settings),
        "resources": _resources(spec.scheduling),
        "volumeMounts": volumes.mounts(spec.output),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
    }


def _resources(scheduling: Scheduling) -> Json:
    """The user's requests and limits and the GPUs, which Kubernetes wants equal in both."""
    gpus = {scheduling.gpu_resource: str(scheduling.gpu_count)} if scheduling.gpu_count else {}
    merged = {kind: {**scheduling.resources.get(kind, {}), **gpus} for kind in ("requests", "limits")}
    return {**scheduling.resources, **{kind: amounts for kind, amounts in merged.items() if amounts}}


def _environment(spec: Spec, settings: Settings) -> list[Json]:
    values = {
        "SPLATS_RUN": volumes.RUN_FILE,
        "SPLATS_SCRATCH": volumes.SCRATCH,
        "SPLATS_VOLUMES": volumes.CLAIMS if volumes.claims(spec.output) else None,
        "SPLATS_TERMINATION_LOG": TERMINATION_LOG,
        "SPLATS_DEVICE": "cuda" if spec.scheduling.gpu_count else "cpu",
        "SPLATS_CPU_FALLBACK": "1" if settings.cpu_fallback else None,
        "SPLATS_CREDENTIALS_SOURCE": spec.output.source.s3.credentials_secret,
        "SPLATS_CREDENTIALS_DESTINATION": spec.output.destination.s3.credentials_secret,
        # Libraries put caches into these, and only the scratch folder can be written.
        "HOME": volumes.SCRATCH,
        "TMPDIR": volumes.SCRATCH,
    }
    plain = [{"name": name, "value": value} for name, value in values.items() if value is not None]
    return [*plain, *_secrets("SOURCE_", spec.output.source.s3), *_secrets("DESTINATION_", spec.output.destination.s3)]


def _secrets(prefix: str, s3: S3) -> list[Json]:
    credentials = s3.credentials_secret and [
        _secret(prefix, "AWS_ACCESS_KEY_ID", s3.credentials_secret),
        _secret(prefix, "AWS_SECRET_ACCESS_KEY", s3.credentials_secret),
        _secret(prefix, "AWS_SESSION_TOKEN", s3.credentials_secret, optional=True),
    ]
    ca = s3.ca_secret and [_secret(prefix, "CA_PEM", s3.ca_secret, key="ca.crt")]
    return [*(credentials or []), *(ca or [])]


def _secret(prefix: str, variable: str, secret: str, *, key: str | None = None, optional: bool = False) -> Json:
    reference = {"name": secret, "key": key or variable, **({"optional": True} if optional else {})}
    return {"name": prefix + variable, "valueFrom": {"secretKeyRef": reference}}


def _present(fields: Mapping[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
