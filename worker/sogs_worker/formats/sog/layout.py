"""Attributes of SOG version 2 become planes, and planes images, while the next attribute is being made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.dropped import Dropped
from sogs_worker.encode.palette import Palette
from sogs_worker.encode.positions import Means
from sogs_worker.encode.quantized import Coded
from sogs_worker.formats.sog.entry_order import order_entries
from sogs_worker.formats.sog.meta import FILES, Meta, PaletteMeta
from sogs_worker.formats.sog.planes import build_palette_plane, build_plane
from sogs_worker.formats.sog.vp8l import encode_vp8l
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Model

Bytes = NDArray[np.uint8]


class Metadata(Protocol):
    """What the images of a scene mean, of any version."""

    @property
    def count(self) -> int:
        """Splats."""
        ...

    def to_document(self) -> dict[str, Any]:
        """Return the content of meta.json."""
        ...

    def to_json(self) -> bytes:
        """Return meta.json."""
        ...


@dataclass(frozen=True)
class EncodedScene:
    """A scene ready to be written.

    Attributes:
        meta: what the images' numbers mean.
        images: WebP files by name.
        dropped: splats that the scene does not have any more.
        notes: what a person should know of how it was made, as sentences without a full stop.
    """

    meta: Metadata
    images: Mapping[str, bytes]
    dropped: Dropped
    notes: tuple[str, ...] = ()


class Layout:
    """Takes the attributes of one scene in any order; use it in a `with` block, and call `finish` at its end.

    One thread makes the images, on the `device` (`cpu` or `cuda`), while attributes are still being made.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._threads = ThreadPoolExecutor(max_workers=1)
        self._images: dict[str, Future[bytes]] = {}
        self._codebooks: dict[str, Floats] = {}
        self._means: Means | None = None
        self._palette: PaletteMeta | None = None

    def __enter__(self) -> Layout:
        """Start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the images; those not begun are not made if the block has failed."""
        self._threads.shutdown(cancel_futures=error is not None)

    def add_means(self, means: Means) -> None:
        """Add the positions."""
        self._means = means
        self._add("means_l.webp", lambda: build_plane(self._upload((means.steps & 0xFF).astype(np.uint8))))
        self._add("means_u.webp", lambda: build_plane(self._upload((means.steps >> 8).astype(np.uint8))))

    def add_scales(self, scales: Coded) -> None:
        """Add the scales."""
        self._codebooks["scales"] = scales.codebook
        self._add("scales.webp", lambda: build_plane(self._upload(scales.indices)))

    def add_rotations(self, rotations: Bytes) -> None:
        """Add the rotations, (N, 4) uint8."""
        self._add("quats.webp", lambda: build_plane(self._upload(rotations)))

    def add_colours(self, sh0: Coded, alphas: Bytes) -> None:
        """Add the constant SH coefficients and the alphas, (N,) uint8."""
        self._codebooks["sh0"] = sh0.codebook
        self._add("sh0.webp", lambda: build_plane(self._upload(np.concatenate([sh0.indices, alphas[:, None]], axis=1))))

    def add_palette(self, palette: Palette) -> None:
        """Add the other SH coefficients; their entries are numbered anew."""
        count, coefficients, _ = palette.entries.shape
        self._palette = PaletteMeta(count, SH_COEFFICIENTS.index(coefficients), palette.codebook)
        entries = self._upload(palette.entries)
        order = order_entries(entries)
        numbers = order.argsort().cpu().numpy().astype(np.uint16)
        self._add("shN_labels.webp", lambda: build_plane(self._upload(_split_labels(numbers[palette.labels]))))
        self._add("shN_centroids.webp", lambda: build_palette_plane(entries[order]))

    def finish(self, dropped: Dropped, model: Model = Model.DEFAULT) -> EncodedScene:
        """Wait for the images and describe them; `dropped` are the splats left out, `model` is the scene's."""
        if self._means is None:
            raise ValueError("the scene has no positions: add_means was not called")
        meta = Meta(
            count=len(self._means.steps),
            mins=self._means.mins,
            maxs=self._means.maxs,
            scales=self._codebooks["scales"],
            sh0=self._codebooks["sh0"],
            palette=self._palette,
            files={name: files for name, files in FILES.items() if self._palette or name != "shN"},
            model=model,
        )
        images = {name: self._images[name].result() for name in meta.file_names}
        return EncodedScene(meta, images, dropped)

    def _add(self, name: str, build: Callable[[], Tensor]) -> None:
        self._images[name] = self._threads.submit(lambda: encode_vp8l(build()))

    def _upload(self, texels: Bytes) -> Tensor:
        return torch.from_numpy(texels).to(self._device)


def _split_labels(labels: NDArray[np.uint16]) -> Bytes:
    """Return (N, 3) uint8: low byte, high byte, 0."""
    return np.stack([labels & 0xFF, labels >> 8, np.zeros_like(labels)], axis=1).astype(np.uint8)
