"""Where the cluster keeps what it builds and what it writes: one folder outside the checkout.

| below the root | |
|---|---|
| `built/<group>/<key>/` | binaries of one group, kept until their key changes |
| `packed/<pins>/` | binaries from `cluster unpack`, used instead |
| `bin/` | links to the binaries in use, for PATH |
| `containerd/` | images and their layers, kept between clusters |
| `cluster/` | state of the running cluster: pids, logs, keys, data |
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.progress import say


@dataclass(frozen=True)
class Cache:
    """Paths below the cache's root."""

    root: Path

    @property
    def bin(self) -> Path:
        """Links to the binaries in use."""
        return self.root / "bin"

    @property
    def containerd(self) -> Path:
        """What containerd keeps for good."""
        return self.root / "containerd"

    @property
    def cluster(self) -> Path:
        """State of the running cluster, fresh at each start."""
        return self.root / "cluster"

    @property
    def logs(self) -> Path:
        """A log for each process; those of the last cluster stay after `down`."""
        return self.root / "cluster-logs"

    @property
    def cdi(self) -> Path:
        """What containerd does for each GPU, in CDI's words."""
        return self.cluster / "cdi"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.cluster / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """The address of containerd."""
        return self.cluster / "containerd.sock"

    def built(self, group: str, key: str) -> Path:
        """The folder of one group's binaries."""
        return self.root / "built" / group / key


def default_cache() -> Cache:
    """`$SPLATS_CACHE`, or `splat-compression` in the user's cache folder."""
    chosen = os.environ.get("SPLATS_CACHE")
    return Cache(Path(chosen).absolute() if chosen else Path.home() / ".cache" / "splat-compression")


def key_of(*parameters: str, folder: Path | None = None) -> str:
    """A name for what is made from `parameters` and the files in `folder`: 16 hexadecimal digits of a SHA-256.

    Covers the relative path and the content of every file, so it is the same in each checkout.
    """
    digest = hashlib.sha256()
    if folder:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            _add(digest, str(path.relative_to(folder)).encode())
            _add(digest, path.read_bytes())
    for parameter in parameters:
        _add(digest, parameter.encode())
    return digest.hexdigest()[:16]


def _add(digest: "hashlib._Hash", content: bytes) -> None:
    # With its length, or "ab" + "c" and "a" + "bc" would be one.
    digest.update(f"{len(content)}:".encode() + content)


def link_into(folder: Path, targets: dict[str, Path]) -> None:
    """Make or renew a link in `folder` for each name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in targets.items():
        link = folder / name
        if not link.is_symlink() or link.readlink() != target:
            draft = folder / f".{name}.new"
            draft.unlink(missing_ok=True)
            draft.symlink_to(target)
            draft.replace(link)


@contextmanager
def exclusive(cache: Cache) -> Iterator[None]:
    """Hold the cache alone: two commands that start or end the cluster would undo each other's work."""
    cache.root.mkdir(parents=True, exist_ok=True)
    with (cache.root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another cluster command is at work; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
