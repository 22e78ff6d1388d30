"""Without its packages or a GPU the engine sogs says in one sentence what is missing, with exit code 81."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from scenes import made_scene
from sogs_worker.engines.sogs.packages import PACKAGES, require_packages
from sogs_worker.errors import NoGPUError

needs_none = pytest.mark.skipif(any(map(find_spec, PACKAGES)), reason="packages of the original are installed here")
needs_all = pytest.mark.skipif(not all(map(find_spec, PACKAGES)), reason="the original's packages are not installed")


def compress(scene: Path, *options: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command; `path` is searched for packages first."""
    worker = Path(sys.modules[require_packages.__module__].__file__ or "").parents[3]
    command = [sys.executable, "-m", "sogs_worker", "compress", str(scene), str(scene.with_suffix(".sog")), *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, str(worker)])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@needs_none
def test_missing_packages_are_named(tmp_path: Path) -> None:
    done = compress(made_scene(tmp_path / "a.ply", 300), "--engine", "sogs")
    assert done.returncode == 81
    assert done.stderr.splitlines()[-1].endswith(
        "the engine sogs needs cupy, torchpq, kornia, plas, sogs, not installed here; install them as"
        " Dockerfile.worker does, or use the engine native"
    )
    assert not (tmp_path / "a.sog").exists()
    assert '"stage"' not in done.stderr, "nothing was read"


@needs_none
def test_the_release_on_pypi_is_refused_for_its_format(sogs_1_0_0: Path, tmp_path: Path) -> None:
    done = compress(made_scene(tmp_path / "a.ply", 300), "--engine", "sogs", path=str(sogs_1_0_0))
    assert done.returncode == 81
    assert "sogs 1.1.0 of github.com/playcanvas/sogs, and 1.0.0 is installed" in done.stderr.splitlines()[-1]


@needs_none
def test_the_engine_native_imports_nothing_of_it(tmp_path: Path) -> None:
    assert compress(made_scene(tmp_path / "a.ply", 300), "--device", "cpu").returncode == 0


@needs_all
def test_the_cpu_is_refused() -> None:
    with pytest.raises(NoGPUError, match="runs on NVIDIA GPUs only"):
        require_packages("cpu")


@needs_all
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_machine_without_a_gpu_is_refused(tmp_path: Path) -> None:
    done = compress(made_scene(tmp_path / "a.ply", 300), "--engine", "sogs")
    assert (done.returncode, "NVIDIA GPUs only" in done.stderr) == (81, True)
