"""The packages of the original, looked for where the engine is chosen and imported nowhere but in its own process."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType
from typing import Protocol, cast

from torch import Tensor

from sogs_worker.errors import NoGPUError

PACKAGES = ("cupy", "torchpq", "kornia", "plas", "sogs")
"""What the original needs, besides what this worker always has."""

VERSION = "1.1.0"
"""Of sogs; 1.0.0, the only one on PyPI, writes another, older format."""

REMEDY = "install them as Dockerfile.worker does, or use the engine native"


class Original(Protocol):
    """The module sogs.sogs_compression."""

    def run_compression(self, compress_dir: str, splats: dict[str, Tensor], verbose: bool) -> None:
        """Compress splats into a folder; changes the dictionary."""
        ...

    def log_transform(self, x: Tensor) -> Tensor:
        """Return sign(x) log(1 + |x|)."""
        ...


def require_packages(device: str) -> None:
    """Refuse to go on without the packages or a GPU.

    Raises:
        NoGPUError: the device is not `cuda`, or a package is missing or of another version.
    """
    if (found := _installed_version()) not in (VERSION, None):
        raise NoGPUError(
            f"the engine sogs needs sogs {VERSION} of github.com/playcanvas/sogs, and {found} is installed, which"
            f" writes another format; {REMEDY}"
        )
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise NoGPUError(f"the engine sogs needs {', '.join(missing)}, not installed here; {REMEDY}")
    if device != "cuda":
        raise NoGPUError(
            "the engine sogs runs on NVIDIA GPUs only, and this is the CPU; use a GPU node or the engine native"
        )


def import_original() -> Original:
    """Import the original, which starts CUDA; for a process of its own.

    Raises:
        NoGPUError: a package fails to load or is of another version.
    """
    # Its reader of PLY files, which is under the GPL, is imported by the original and used by its own command alone.
    reader = ModuleType("plyfile")
    reader.__dict__.update(PlyData=None, PlyElement=None)
    sys.modules["plyfile"] = reader
    try:
        module = importlib.import_module("sogs.sogs_compression")
    except Exception as error:  # of any of its packages: a library that is not there, a driver too old
        raise NoGPUError(f"the engine sogs cannot be loaded ({type(error).__name__}: {error}); {REMEDY}") from error
    if not hasattr(module, "pack_quaternion_to_rgba_tensor"):
        raise NoGPUError(
            f"the engine sogs needs sogs {VERSION}, and the one on the path writes another, older format; {REMEDY}"
        )
    return cast(Original, module)


def _installed_version() -> str | None:
    """Return the version of sogs; None if it is on the path without being installed."""
    try:
        return version("sogs")
    except PackageNotFoundError:
        return None
