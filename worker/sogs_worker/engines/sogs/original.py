"""The process of the original: `python -m sogs_worker.engines.sogs.original FOLDER COUNT DEVICE SEED PARENT`.

It takes the splats from the folder and leaves there what the original writes. Started by `process`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sogs_worker.engines.sogs.packages import import_original
from sogs_worker.engines.sogs.process import COPIES, SPLATS
from sogs_worker.engines.sogs.squares import Prints, expected_prints, find_copies, fingerprints
from sogs_worker.errors import WorkerError

PR_SET_PDEATHSIG = 1


class SplatTensors(dict[str, Tensor]):
    """The original's dictionary, which notes how the splats are sorted.

    At once, and not when the original is done: its k-means writes into memory that is not its own, see `process`.
    """

    prints: Prints

    def pop(self, name: str) -> Tensor:  # type: ignore[override]
        """Give the opacities away, as the original asks when it has sorted."""
        self.prints = fingerprints(self)
        return super().pop(name)


def main(arguments: Sequence[str]) -> int:
    """Compress, and return the exit code; the last line of standard error says why it failed."""
    folder, count, device = Path(arguments[0]), int(arguments[1]), arguments[2]
    seed, parent = map(int, arguments[3:])
    # Without a parent nobody waits for the result: it may end from now on, and while this module was loaded.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1
    try:
        original = import_original()
        with np.load(folder / SPLATS) as arrays:
            splats = SplatTensors({name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files})
        expected = expected_prints(original, splats)
        torch.manual_seed(seed)
        np.random.seed(seed)  # the generator that PLAS and torchpq draw from
        original.run_compression(str(folder), splats, False)
        np.save(folder / COPIES, find_copies(expected, splats.prints, count))
    except WorkerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
