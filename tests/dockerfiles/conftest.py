"""The built images, run by runc as a pod runs them: non-root, without capabilities, the root filesystem read-only."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.cache import default_cache
from images import store
from images.buildah import Buildah
from images.image import IMAGES


@dataclass(frozen=True)
class BuiltImage:
    """An image's file system, mounted for reading.

    Attributes:
        root: where.
        config: ``config`` of the OCI image configuration.
        layers: of its manifest, the first the lowest.
        bundle: runc's folder.
        shared: a folder that the container sees as /mnt, the only one it can write.
    """

    root: Path
    config: dict
    layers: list[dict]
    bundle: Path
    shared: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the entry point with other arguments, without network, no longer than a minute."""
        return self.execute(*self.config["Entrypoint"], *arguments)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the image's environment."""
        (self.bundle / "config.json").unlink(missing_ok=True)
        subprocess.run(["runc", "spec"], cwd=self.bundle, check=True)
        spec = json.loads((self.bundle / "config.json").read_text())
        uid, gid = map(int, self.config["User"].split(":"))
        spec["root"] = {"path": str(self.root), "readonly": True}
        spec["process"] = {
            "args": list(command),
            "cwd": self.config["WorkingDir"],
            "env": self.config["Env"],
            "noNewPrivileges": True,
            "user": {"uid": uid, "gid": gid},
        }
        spec["mounts"].append({"destination": "/mnt", "source": str(self.shared), "options": ["bind", "rw"]})
        (self.bundle / "config.json").write_text(json.dumps(spec))
        return subprocess.run(
            ["runc", "run", f"splats-{self.bundle.name}-{os.getpid()}"],
            cwd=self.bundle,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="session")
def operator_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltImage]:
    with _mount("operator", tmp_path_factory.mktemp("operator")) as image:
        yield image


@pytest.fixture(scope="session")
def worker_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltImage]:
    with _mount("worker", tmp_path_factory.mktemp("worker")) as image:
        yield image


@pytest.fixture(params=["operator", "worker"])
def image(request: pytest.FixtureRequest) -> BuiltImage:
    """Each image in turn."""
    return request.getfixturevalue(f"{request.param}_image")


@contextmanager
def _mount(name: str, bundle: Path) -> Iterator[BuiltImage]:
    folder = store.folder_of(default_cache())
    buildah = Buildah(folder)
    with store.lock(folder):
        archive = store.read_archive(IMAGES[name], folder) or store.build_archive(IMAGES[name], folder)
        container = buildah.run("from", "--pull-never", archive.reference)
    try:
        manifest, config = store.read_manifest(archive)
        shared = bundle / "shared"
        shared.mkdir()
        shared.chmod(0o777)  # the container's user writes there
        yield BuiltImage(
            root=Path(buildah.run("mount", container)),
            config=config["config"],
            layers=manifest["layers"],
            bundle=bundle,
            shared=shared,
        )
    finally:
        buildah.run("rm", container)
