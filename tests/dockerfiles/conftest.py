"""The built images, run by runc as a pod runs them: non-root, without capabilities, the root filesystem read-only."""

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.cache import default_cache
from images import store
from images.buildah import Buildah
from images.image import IMAGES, ROOT, Image

SOURCES = {"sogs": "pyproject.toml", "PLAS": "setup.py"}


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
    with _mount(IMAGES["operator"], tmp_path_factory.mktemp("operator")) as image:
        yield image


@pytest.fixture(scope="session")
def worker_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltImage]:
    with _mount(IMAGES["worker"], tmp_path_factory.mktemp("worker")) as image:
        yield image


@pytest.fixture(scope="session")
def sogs_sources() -> Path:
    """Folder of the two packages that no index has, as Dockerfile.worker pins them."""
    folder = Path(os.environ.get("SOGS_SOURCES", "/nowhere"))
    if not all((folder / name / file).exists() for name, file in SOURCES.items()):
        pytest.skip(f"SOGS_SOURCES names no folder with the sources {' and '.join(SOURCES)}")
    return folder


@pytest.fixture(scope="session")
def sogs_image(sogs_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltImage]:
    """The worker's image with the engine sogs, made of sources in its context; torch is the CPU's still."""
    worker = IMAGES["worker"]
    image = dataclasses.replace(
        worker,
        name="worker-sogs",
        reference="localhost/splat-worker:sogs",
        build_args=(("TORCH", ""), ("SOGS", " ".join(f"vendor/{name}" for name in SOURCES))),
    )
    root = tmp_path_factory.mktemp("context")
    for name in (".dockerignore", worker.dockerfile, *worker.inputs):
        _copy(ROOT / name, root / name)
    for name in SOURCES:
        _copy(sogs_sources / name, root / "vendor" / name)
    with _mount(image, tmp_path_factory.mktemp("sogs"), root=root) as built:
        yield built


@pytest.fixture(params=["operator", "worker"])
def image(request: pytest.FixtureRequest) -> BuiltImage:
    """Each image in turn."""
    return request.getfixturevalue(f"{request.param}_image")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)


@contextmanager
def _mount(image: Image, bundle: Path, *, root: Path = ROOT) -> Iterator[BuiltImage]:
    folder = store.folder_of(default_cache())
    buildah = Buildah(folder)
    with store.lock(folder):
        archive = store.read_archive(image, folder, root=root) or store.build_archive(image, folder, root=root)
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
