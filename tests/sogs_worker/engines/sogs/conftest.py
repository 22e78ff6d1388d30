"""The older release of the original, as PyPI has it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cluster.cache import default_cache


@pytest.fixture(scope="session")
def sogs_1_0_0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it, without what it needs, into a folder."""
    uv = max(default_cache().root.glob("uv-*/bin/uv"), key=lambda path: path.stat().st_mtime)
    folder = tmp_path_factory.mktemp("sogs-1.0.0")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--target", folder, "sogs==1.0.0"]
    subprocess.run(command, check=True)
    return folder
