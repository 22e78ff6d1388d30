"""The scenes that tests compress: one made from a seed, and real ones where the folder that holds them is there."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from sogs_worker.formats.ply.file import write_ply

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("SPLATS_DATA", ROOT.parent / "shared" / "data"))


def real_scene(name: str) -> Path:
    """Find a real scene, or skip the test that needs it."""
    path = DATA / "scenes" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the real scenes")
    return path


def made_scene(path: Path, count: int) -> Path:
    """Write the example scene with `count` splats."""
    write_ply(path, _example().make_scene(count))
    return path


def _example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_scene", ROOT / "examples" / "make_scene.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
