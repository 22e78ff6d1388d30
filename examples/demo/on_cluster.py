"""The demo's second half: upload the scenes, apply a SplatCompression for each, follow them, show the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import yaml

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 900
FINISHED = ("Succeeded", "Failed")
NEEDED = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "S3_ENDPOINT_IN_CLUSTER")


def main(out: Path, scenes: dict[str, Path]) -> int:
    """Compress the scenes on the cluster; 0 when all have succeeded."""
    os.environ.update(cluster_environment())
    s3 = boto3.client("s3")
    for name, path in scenes.items():
        s3.upload_file(str(path), "scenes", f"{name}.ply")
        print(f"demo: uploaded {path} to s3://scenes/{name}.ply")
        kubectl("delete", "splat", name, "--ignore-not-found")
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump(build_resource(name)))
        print(f"demo: applied examples/job.yaml as {name}, with the endpoint of this cluster")
    statuses = {name: follow(name) for name in scenes}
    print(kubectl("get", "splat", *scenes, "-o", "wide"))
    for name, status in statuses.items():
        if status["phase"] == "Succeeded":
            show(s3, name, status, out)
    return 0 if all(status["phase"] == "Succeeded" for status in statuses.values()) else 1


def cluster_environment() -> dict[str, str]:
    """Read what `make cluster-env` exports; with CLUSTER=current that is for the user to export."""
    script = 'eval "$(make -s cluster-env)" && env -0'
    shown = subprocess.run(["bash", "-c", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    exported = dict(entry.split("=", 1) for entry in shown.split("\0") if "=" in entry)
    if missing := [name for name in NEEDED if name not in exported]:
        sys.exit(f"demo: {', '.join(missing)} must be set, so that this machine and the pods find the S3")
    return {**exported, "AWS_DEFAULT_REGION": exported["AWS_REGION"]}


def build_resource(name: str) -> dict[str, Any]:
    """examples/job.yaml with the scene's name and the cluster's S3."""
    resource: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "job.yaml").read_text())
    resource["metadata"]["name"] = name
    resource["spec"]["source"]["uri"] = f"s3://scenes/{name}.ply"
    resource["spec"]["s3"]["endpoint"] = os.environ["S3_ENDPOINT_IN_CLUSTER"]
    return resource


def follow(name: str) -> dict[str, Any]:
    """Print what the status says whenever it changes, until the end; return the last status."""
    started, last = time.monotonic(), ""
    while time.monotonic() - started < TIMEOUT_S:
        status: dict[str, Any] = json.loads(kubectl("get", "splat", name, "-o", "json")).get("status", {})
        progress = status.get("progress", {})
        line = f"{status.get('phase', 'Pending')} {progress.get('stage', '')} {progress.get('percent', 0)} %"
        if line != last:
            print(f"demo: {name:10} {time.monotonic() - started:4.0f} s  {line}", flush=True)
            last = line
        if status.get("phase") in FINISHED:
            return status
        time.sleep(1)
    sys.exit(f"demo: {name} did not finish in {TIMEOUT_S} s; kubectl describe splat {name} says how it stands")


def show(s3: Any, name: str, status: dict[str, Any], out: Path) -> None:
    """Fetch the bundle and draw it."""
    uri = status["outputs"][0]["uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    bundle, picture = out / f"{name}.sog", out / f"{name}.png"
    s3.download_file(bucket, key, str(bundle))
    subprocess.run(
        [Path(sys.executable).with_name("sogs-worker"), "render", "--overwrite", bundle, picture], check=True
    )
    print(f"demo: {uri}  {status['inputBytes']:,} -> {status['outputBytes']:,} bytes; {picture} shows it")


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl; end the demo with its own words if it fails."""
    done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"demo: kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    pairs = (pair.split("=", 1) for pair in sys.argv[2:])
    sys.exit(main(Path(sys.argv[1]), {name: Path(path) for name, path in pairs}))
