"""Encoders: each turns a scene into the planes and metadata of one format; chosen by name from a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import NoGPUError

if TYPE_CHECKING:
    from sogs_worker.formats.sog.layout import EncodedScene
    from sogs_worker.render.camera import Camera
    from sogs_worker.splats import Splats


class Engine(Protocol):
    """Encodes scenes."""

    def __call__(
        self,
        splats: Splats,
        *,
        parameters: Parameters,
        device: str,
        progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
    ) -> EncodedScene:
        """Encode a scene."""


def require_engine(parameters: Parameters, device: str) -> None:
    """Make sure that an engine can do on a device what it is asked for.

    Raises:
        NoGPUError: it cannot, or lacks its packages.
    """
    if parameters.is_fitted:
        if device != "cuda":
            raise NoGPUError(
                f"encoder.quality {parameters.quality} fits splats to pictures, which needs an NVIDIA GPU, and this is"
                " the CPU; use a GPU node, or fast, balanced or best"
            )
        from sogs_worker.render.cuda.program import require_bindings

        require_bindings()
    if parameters.engine == "sogs":
        from sogs_worker.engines.sogs.packages import require_packages

        require_packages(device)


def choose_engine(parameters: Parameters, cameras: Sequence[Camera] = ()) -> Engine:
    """Return the engine that the parameters name; `cameras` are as `native.encode` has them."""
    if parameters.engine == "sogs":
        from sogs_worker.engines import sogs

        return sogs.encode
    from sogs_worker.engines import native  # loads torch

    return partial(native.encode, cameras=cameras)
