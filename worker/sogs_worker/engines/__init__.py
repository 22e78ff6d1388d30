"""Encoders: each turns a scene into the planes and metadata of one format; chosen by name from a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import UsageError
from sogs_worker.splats import Splats

if TYPE_CHECKING:
    from sogs_worker.formats.layout import EncodedScene


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


def choose_engine(parameters: Parameters) -> Engine:
    """Return the engine that the parameters name."""
    from sogs_worker.engines import native  # loads torch

    engines: dict[str, Engine] = {"native": native.encode}
    if parameters.engine not in engines:
        raise UsageError(f"engine must be {' or '.join(engines)} in this version, got {parameters.engine!r}")
    return engines[parameters.engine]
