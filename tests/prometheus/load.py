"""A namespace with an operator of its own, and scenes that it compresses, of which some cannot be."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bucket import open_bucket
from kubectl import Kubectl, secret
from scenes import made_scene

SIZES = (3000, 20_000, 50_000)
"""Splats of the scenes; each takes some seconds on a CPU."""
PAUSE_S = 10.0
MISSING, BROKEN = 4, 7
"""Of so many scenes one is not there, and of so many one is no scene."""


@contextmanager
def namespace(environment: Mapping[str, str]) -> Iterator[Kubectl]:
    """Make a namespace with the S3's keys, and delete it with all that is in it."""
    kubectl = Kubectl(environment, f"picture-{secrets.token_hex(4)}")
    kubectl.run("create", "namespace", kubectl.namespace)
    try:
        kubectl.apply(secret("s3-credentials", environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]))
        yield kubectl
    finally:
        kubectl.run("delete", "namespace", kubectl.namespace, "--wait=false")


def compress_for(kubectl: Kubectl, controller: str, folder: Path, seconds: float) -> None:
    """Apply a resource every ten seconds, for so long.

    Args:
        kubectl: of the namespace.
        controller: whose resources they are.
        folder: for the scenes.
        seconds: how long.
    """
    bucket = open_bucket(kubectl.environment, kubectl.namespace)
    files = [made_scene(folder / f"{count}.ply", count) for count in SIZES]
    deadline = time.monotonic() + seconds
    for number in itertools.count(1):
        if time.monotonic() > deadline:
            return
        key = f"scene-{number}.ply"
        if number % BROKEN == 0:
            source = bucket.put_bytes(key, b"no scene")
        elif number % MISSING == 0:
            source = bucket.uri(key)
        else:
            source = bucket.put(key, files[number % len(files)])
        kubectl.apply(_compression(kubectl, f"scene-{number}", source, bucket.uri("out/"), controller))
        time.sleep(PAUSE_S)


def _compression(kubectl: Kubectl, name: str, source: str, destination: str, controller: str) -> dict[str, Any]:
    endpoint = kubectl.environment["S3_ENDPOINT_IN_CLUSTER"]
    s3 = {"endpoint": endpoint, "addressingStyle": "path", "credentialsSecretRef": {"name": "s3-credentials"}}
    return {
        "apiVersion": "splats.dev/v1alpha1",
        "kind": "SplatCompression",
        "metadata": {"name": name},
        "spec": {"source": {"uri": source}, "destination": {"uri": destination}, "s3": s3, "managedBy": controller},
    }
