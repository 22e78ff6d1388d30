"""The encoder is made ready while the first scene is on its way, not when it has come."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOAD = """
import sys
from sogs_worker.scenes.accelerator import load_torch
assert "torch" not in sys.modules
load_torch("cpu")
assert {"sogs_worker.engines.native", "sogs_worker.scenes.compress"} <= sys.modules.keys()
"""


def test_a_device_that_is_ready_has_the_encoder_loaded() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "worker")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
