"""A run of the original in a process of its own, as its own command is.

It is not safe to run twice in one process: torchpq's k-means puts zeros into 512 bytes of the GPU's memory that are not
its own, and what PLAS keeps there from one run to the next has been seen to suffer (docs/engines.md).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines.sogs.arrays import to_arrays
from sogs_worker.errors import NoGPUError, StorageError, WorkerError
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.version1 import DocumentV1
from sogs_worker.naming import META
from sogs_worker.splats import Splats

MODULE = "sogs_worker.engines.sogs.original"
SPLATS = "splats.npz"
COPIES = "copies.npy"
"""What goes to the process and what, beside the scene, comes back."""

EXCEPTION = re.compile(r"[\w.]*(Error|Exception)\b")
"""How the line of a traceback begins that says what was raised."""

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
        StorageError: the temporary folder cannot take what goes there.
        WorkerError: the original failed.
    """
    try:
        with TemporaryDirectory(prefix="sogs-") as name:
            arrays: dict[str, Any] = to_arrays(splats)
            np.savez(Path(name, SPLATS), **arrays)
            del arrays
            _run([name, str(count), device, str(seed), str(os.getpid())], progress)
            return _read_scene(Path(name), has_sh=splats.sh_bands > 0), np.load(Path(name, COPIES))
    except BrokenPipeError:  # of who reads our own output, told of the progress
        raise
    except OSError as error:
        place = error.filename or gettempdir()
        raise StorageError(f"{place}: {error.strerror or error}; make room there or set TMPDIR") from error


def _run(arguments: Sequence[str], progress: Callable[[float], None]) -> None:
    """Run the process to its end."""
    # It needs no credentials, and what the packages do with their environment is not known here.
    environment = {name: value for name, value in os.environ.items() if "AWS_" not in name}
    environment["PYTHONIOENCODING"] = "utf-8"  # it prints check marks
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        with subprocess.Popen(  # noqa: S603 - our own module, a folder and numbers
            [sys.executable, "-Pu", "-m", MODULE, *arguments],
            stdout=subprocess.PIPE,
            stderr=words,
            env=environment,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                _listen(process.stdout or [], progress)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            words.seek(0)
            raise _failure(process.returncode, words.read())


def _listen(lines: IO[str] | list[str], progress: Callable[[float], None]) -> None:
    """Turn what the original says of files that are ready into progress."""
    for line in lines:
        for word in line.split():
            if word in SHARES:
                progress(SHARES[word])


def _failure(code: int, words: str) -> WorkerError:
    """Say why it failed; all that it said goes where a log is kept."""
    if code == NoGPUError.exit_code:
        return NoGPUError(words.strip().rpartition("\n")[2])
    print(words, end="", file=sys.stderr, flush=True)
    # Of a traceback the line that says what, whatever else an error of CUDA goes on to say.
    reason = ([line for line in words.splitlines() if EXCEPTION.match(line)] or words.split("\n")[-2:-1] or [""])[-1]
    if "OutOfMemoryError" in reason:
        return WorkerError("the GPU has too little memory for this scene and the engine sogs; use the engine native")
    if code < 0 or reason.startswith("MemoryError"):
        return WorkerError(
            f"the original SOGS was ended ({reason or f'signal {-code}'}); if memory is short give it more, or use the"
            " engine native"
        )
    return WorkerError(f"the original SOGS failed ({reason or f'exit code {code}'}); use the engine native")


def _read_scene(folder: Path, *, has_sh: bool) -> EncodedScene:
    document = json.loads((folder / META).read_bytes())
    if not has_sh:  # what became of the placeholder
        del document["shN"]
    names = [name for section in document.values() for name in section["files"]]
    return EncodedScene(DocumentV1(document), {name: (folder / name).read_bytes() for name in names}, Dropped())
