"""A run of the original in a process of its own, as its own command is.

It is not safe to run twice in one process: torchpq's k-means puts zeros into 512 bytes of the GPU's memory that are not
its own (docs/engines.md), and once they are those of a table that PLAS keeps, its sort puts one splat into all places.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.dropped import Dropped
from sogs_worker.engines.sogs.arrays import to_arrays
from sogs_worker.errors import NoGPUError, WorkerError
from sogs_worker.formats.layout import EncodedScene
from sogs_worker.formats.sog_v1 import DocumentV1
from sogs_worker.splats import Splats

MODULE = "sogs_worker.engines.sogs.original"
META = "meta.json"
SPLATS = "splats.npz"
COPIES = "copies.npy"
"""What goes to the process and what, beside the scene, comes back."""

SHARES = {
    "means_l.webp": 0.15,
    "means_u.webp": 0.18,
    "scales.webp": 0.21,
    "quats.webp": 0.24,
    "sh0.webp": 0.27,
    "shN_centroids.webp": 0.97,
    "shN_labels.webp": 0.99,
}
"""The share of the time that is over when it tells of a file: it sorts before the first, clusters before the sixth."""


def run_original(
    splats: Splats, *, count: int, device: str, seed: int, progress: Callable[[float], None]
) -> tuple[EncodedScene, NDArray[np.bool_]]:
    """Compress splats.

    Args:
        splats: the first `count`, and then copies of them.
        count: those that are no copies.
        device: where to.
        seed: of all random draws.
        progress: told the fraction that is done.

    Returns:
        The scene, of version 1, and which of its splats are copies, (N,).

    Raises:
        NoGPUError: a package fails to load.
        WorkerError: the original failed.
    """
    with TemporaryDirectory(prefix="sogs-") as name, TemporaryFile("w+", errors="replace") as words:
        folder = Path(name)
        arrays: dict[str, Any] = to_arrays(splats)
        np.savez(folder / SPLATS, **arrays)
        command = [
            sys.executable,
            "-Pu",
            "-m",
            "sogs_worker.engines.sogs.original",
            name,
            str(count),
            device,
            str(seed),
        ]
        with subprocess.Popen(  # noqa: S603 - our own module, and numbers
            command, stdout=subprocess.PIPE, stderr=words, text=True, errors="replace"
        ) as process:
            try:
                _listen(process.stdout or [], progress)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise _failure(process.returncode, words)
        return _read_scene(folder, has_sh=splats.sh_bands > 0), np.load(folder / COPIES)


def _listen(lines: IO[str] | list[str], progress: Callable[[float], None]) -> None:
    """Turn what the original says of files that are ready into progress."""
    for line in lines:
        for word in line.split():
            if word in SHARES:
                progress(SHARES[word])


def _failure(code: int, words: IO[str]) -> WorkerError:
    """Say why it failed, which its last line tells."""
    words.seek(0)
    last = next((line.strip() for line in reversed(words.read().splitlines()) if line.strip()), "it said nothing")
    if code == NoGPUError.exit_code:
        return NoGPUError(last)
    if "OutOfMemoryError" in last:
        return WorkerError("the GPU has too little memory for this scene and the engine sogs; use the engine native")
    return WorkerError(f"the original SOGS failed with exit code {code} ({last}); use the engine native")


def _read_scene(folder: Path, *, has_sh: bool) -> EncodedScene:
    document = json.loads((folder / META).read_bytes())
    if not has_sh:  # what became of the placeholder
        del document["shN"]
    names = [name for section in document.values() for name in section["files"]]
    return EncodedScene(DocumentV1(document), {name: (folder / name).read_bytes() for name in names}, Dropped())
