"""What the making of outputs asks of the place where they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from sogs_worker.publish.manifest import Output, OutputFile
from sogs_worker.publish.provenance import Provenance
from sogs_worker.publish.staged import Staged
from sogs_worker.scenes.make import Product
from sogs_worker.storage.base import Moved


@dataclass(frozen=True)
class Made:
    """An output, what it was made from, and what of it is still to be published."""

    output: Output
    name: PurePosixPath
    provenance: Provenance
    staged: tuple[Staged, ...] = ()


class Destination(Protocol):
    """Takes outputs under the names of their scenes. Its methods are called from several threads.

    Attributes:
        knows_content: whether outputs are found again by what they were made from, so that it must be known.
    """

    knows_content: bool

    def claim(self, names: Sequence[PurePosixPath]) -> None:
        """Learn which outputs are coming, before the work: those of the source first, then those of each archive.

        Raises:
            UsageError: they cannot all be there.
        """

    def begin(self, name: PurePosixPath) -> str:
        """Say where an output goes. Asked of scene after scene as their turns come, of those that fail too."""

    def find(self, name: PurePosixPath, provenance: Provenance) -> Made | None:
        """Return the output that is there already and need not be made.

        Raises:
            WorkerError: it must not be made.
        """

    def deliver(self, name: PurePosixPath, product: Product, provenance: Provenance, moved: Moved) -> Made:
        """Take an output; `moved` is told of its bytes."""


def describe_output(
    product: Product, name: PurePosixPath, uri: str, files: Sequence[OutputFile], preview_uri: str | None
) -> Output:
    """Say what a manifest says of an output.

    Args:
        product: the output.
        name: of its scene.
        uri: of its target.
        files: as they have arrived, the target last.
        preview_uri: of its picture.
    """
    return Output(
        name=str(name),
        uri=uri,
        sha256=files[-1].sha256,
        bytes=sum(file.bytes for file in files),
        source_bytes=product.source_bytes,
        splats=product.splats,
        removed=product.dropped.counts,
        trials=product.trials,
        psnr=product.psnr,
        preview_uri=preview_uri,
        files=tuple(files) if len(files) > 1 else (),
    )
