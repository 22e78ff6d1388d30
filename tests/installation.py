"""`python3 -m installation`: the operator, from its chart, into the embedded cluster or the current context.

On the embedded cluster the images are those that `python3 -m images` has loaded. With CLUSTER=current, REGISTRY names
where they were pushed to, and TAG their tag.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cluster.cache import default_cache
from cluster.errors import ClusterError
from images.image import IMAGES
from images.store import folder_of, read_archive

CHART = Path(__file__).parents[1] / "charts" / "splat-operator"
RELEASE = "splat-operator"
TIMEOUT = "120s"


def embedded_values() -> dict[str, str]:
    """Values for images that are on the node already, and GPUs that are advertised only."""
    archive = read_archive(IMAGES["operator"], folder_of(default_cache()))
    if archive is None:
        raise ClusterError("The operator's image is not built from this tree: build it first (make images).")
    return {
        "image.repository": "localhost/splat-operator",
        "image.tag": "dev",
        "worker.image.repository": "localhost/splat-worker",
        "worker.image.tag": "dev",
        "worker.cpuFallback": "true",
        # A machine with two cores is to run the pods of several tests at one time.
        "worker.resources.requests.cpu": "50m",
        "worker.resources.requests.memory": "128Mi",
        # The tag stays when the image changes; this makes the change one of the pod.
        "podAnnotations.splats\\.dev/image": archive.digest,
    }


def registry_values() -> dict[str, str]:
    """Values for images that the user has pushed."""
    if "REGISTRY" not in os.environ:
        raise ClusterError("REGISTRY is not set: push the images (make images says how) and name the registry.")
    registry, tag = os.environ["REGISTRY"], os.environ.get("TAG", "dev")
    return {
        "image.repository": f"{registry}/splat-operator",
        "image.tag": tag,
        "worker.image.repository": f"{registry}/splat-worker",
        "worker.image.tag": tag,
    }


def main() -> int:
    """Install or upgrade and wait until the operator is ready; helm's exit code."""
    current = os.environ.get("CLUSTER") == "current"
    environment = dict(os.environ)
    try:
        values = registry_values() if current else embedded_values()
    except ClusterError as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    if not current:
        cache = default_cache()
        environment |= {"PATH": f"{cache.bin}:{os.environ['PATH']}", "KUBECONFIG": str(cache.kubeconfig)}
    namespace = os.environ.get("NAMESPACE", RELEASE)
    command = ["helm", "upgrade", "--install", RELEASE, CHART, "--namespace", namespace]
    # The CRD may be there already, from crds/ or from a release that kept it.
    command += ["--create-namespace", "--take-ownership"]
    for name, value in values.items():
        command += ["--set-string" if name.startswith("podAnnotations") else "--set", f"{name}={value}"]
    done = subprocess.run(
        [*command, "--wait", "--timeout", TIMEOUT], env=environment, check=False, capture_output=True, text=True
    )
    print(done.stderr.strip() if done.returncode else f"install: {RELEASE} is ready in namespace {namespace}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
