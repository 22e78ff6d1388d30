"""What is mounted into the worker's container: scratch, the run document, and the claims that it reads and writes."""

from __future__ import annotations

from typing import Any

from splat_operator.api import names
from splat_operator.api.defaults import Scratch
from splat_operator.api.spec import Output

SCRATCH = "/scratch"
CLAIMS = "/volumes"
"""Each claim is mounted below it under its name."""
RUN_FILE = "/etc/splats/run.json"


def volumes(output: Output, scratch: Scratch) -> list[dict[str, Any]]:
    """The pod's volumes."""
    _, _, file = RUN_FILE.rpartition("/")
    field = {"fieldPath": f"metadata.annotations['{names.ANNOTATION_RUN}']"}
    run = {"name": "run", "downwardAPI": {"items": [{"path": file, "fieldRef": field}]}}
    mounted = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims(output).items()]
    return [{"name": "scratch", **_scratch(scratch)}, run, *mounted]


def mounts(output: Output) -> list[dict[str, Any]]:
    """Where the container sees them; only scratch and the destination can be written to."""
    claimed = [{"name": name, "mountPath": f"{CLAIMS}/{claim}"} for name, claim in claims(output).items()]
    return [
        {"name": "scratch", "mountPath": SCRATCH},
        {"name": "run", "mountPath": RUN_FILE.rpartition("/")[0], "readOnly": True},
        *(mount | {"readOnly": True} if mount["name"] == "source" else mount for mount in claimed),
    ]


def claims(output: Output) -> dict[str, str]:
    """The claims by the names of their volumes; one that is both read and written is mounted once, as destination."""
    sides = {"source": _claim(output.source.uri), "destination": _claim(output.destination.uri)}
    if sides["source"] == sides["destination"]:
        del sides["source"]
    return {name: claim for name, claim in sides.items() if claim}


def _scratch(scratch: Scratch) -> dict[str, Any]:
    if scratch.storage_class is None:
        return {"emptyDir": {"sizeLimit": scratch.size} if scratch.size else {}}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": scratch.storage_class,
        "resources": {"requests": {"storage": scratch.size}},
    }
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def _claim(uri: str) -> str | None:
    scheme, _, rest = uri.partition("://")
    return rest.partition("/")[0] if scheme == "pvc" else None
