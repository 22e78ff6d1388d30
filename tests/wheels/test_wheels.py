"""The packages as pip installs them: a wheel and what it says it needs, in an environment that has nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from packed_scenes import pack_spz4

ROOT = Path(__file__).parents[2]
PINS = {"operator": ("operator",), "worker": ("worker", "torch")}
"""Of each package, the files with the pins that its image installs."""

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def find_uv() -> str:
    """Find the installer that has made this environment."""
    cache = Path(os.environ.get("SPLATS_CACHE", Path.home() / ".cache/splat-compression"))
    return shutil.which("uv") or str(next(cache.glob("uv-*/bin/uv")))


def run(*command: str | Path, folder: Path = Path("/"), code: int = 0) -> str:
    """Run a command outside of the repository, without the settings of this process; return what it prints."""
    ours = ("PYTHON", "VIRTUAL_ENV", "SPLATS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def install(package: str, folder: Path) -> Path:
    """Build a wheel and install it into an empty environment, its needs in the versions of the pins; return its bin."""
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "dist")
    run(*build, folder=ROOT / package)
    (wheel,) = (folder / "dist").iterdir()
    uv, environment = find_uv(), folder / "environment"
    run(uv, "venv", "--quiet", "--python", sys.executable, environment)
    pins = [f"--constraint={ROOT}/requirements/{name}.txt" for name in PINS[package]]
    run(uv, "pip", "install", "--quiet", "--python", environment / "bin/python", *pins, wheel)
    return environment / "bin"


def needs(package: str) -> list[Requirement]:
    document = tomllib.loads((ROOT / package / "pyproject.toml").read_text())
    return [Requirement(text) for text in document["project"]["dependencies"]]


@pytest.mark.parametrize("package", PINS)
def test_the_image_installs_what_the_wheel_needs(package: str) -> None:
    text = "\n".join((ROOT / f"requirements/{name}.txt").read_text() for name in PINS[package])
    for need in needs(package):
        versions = re.findall(rf"^{need.name}==(\S+)", text, re.MULTILINE)
        assert versions, f"{need.name} has no pin; run `make pins`"
        assert all(need.specifier.contains(version) for version in versions), f"{need}: pinned {versions}"


@pytest.mark.long
def test_the_workers_wheel_needs_all_that_its_command_uses(tmp_path: Path) -> None:
    folder = install("worker", tmp_path)
    run(folder / "python", "-c", IMPORT_ALL, "sogs_worker")
    (tmp_path / "scene.spz").write_bytes(pack_spz4())  # which is unpacked by a library of its own
    run(folder / "sogs-worker", "compress", "--device=cpu", tmp_path / "scene.spz", tmp_path / "scene.sog")
    assert "5, 0 of them unusable" in run(folder / "sogs-worker", "inspect", tmp_path / "scene.sog")


def test_the_operators_wheel_needs_all_that_it_uses(tmp_path: Path) -> None:
    folder = install("operator", tmp_path)
    run(folder / "python", "-c", IMPORT_ALL, "splat_operator")
    assert "SPLATS_WORKER_IMAGE is not set" in run(folder / "python", "-m", "splat_operator", code=os.EX_CONFIG)
