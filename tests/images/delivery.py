"""Where a built image goes: into the embedded cluster's containerd, or by the user's hand into a registry."""

import time
from pathlib import Path

from cluster.cache import Cache
from cluster.container_runtime import ctr, load_image
from cluster.progress import say
from images.store import Archive


def deliver(archive: Archive, cache: Cache) -> None:
    """Import the archive unless containerd has this very image or is not there.

    Raises:
        ClusterError: containerd refuses it.
    """
    if not cache.containerd_socket.exists():
        say(
            f"{archive.reference} waits in {archive.path}: start the cluster (make cluster), then load it (make images)"
        )
    elif _find_digest(archive.reference, cache) != archive.digest:
        started = time.monotonic()
        load_image(cache, Path(archive.path))
        say(f"loaded {archive.reference} in {time.monotonic() - started:.0f} s")


def explain_push(archive: Archive) -> None:
    """Say how the image reaches a cluster that is not this machine's own."""
    name = archive.reference.removeprefix("localhost/")
    say(f"to push: skopeo copy oci-archive:{archive.path} docker://YOUR-REGISTRY/{name}")


def _find_digest(reference: str, cache: Cache) -> str:
    """Digest of the image that containerd has under the name; empty without one."""
    lines = ctr(cache, "images", "list", f"name=={reference}").splitlines()[
        1:
    ]  # below the headings: REF TYPE DIGEST ...
    return lines[0].split()[2] if lines else ""
