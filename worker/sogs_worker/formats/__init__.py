"""File formats of scenes, a module each, and the choice of the reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from sogs_worker.encode.origin import describe_losses
from sogs_worker.errors import BadInputError
from sogs_worker.files import naming
from sogs_worker.formats.found import refuse_other_kinds
from sogs_worker.formats.glb.file import read_glb
from sogs_worker.formats.glb.writing import write_glb
from sogs_worker.formats.ksplat import read_ksplat
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.formats.ply.packing import write_compressed_ply
from sogs_worker.formats.sog.file import UNBUNDLED, read_meta, read_sog
from sogs_worker.formats.sog.streamed import is_streamed, read_streamed, streamed_files
from sogs_worker.formats.splat import read_splat
from sogs_worker.formats.spz.file import read_spz
from sogs_worker.formats.spz.packing import write_spz
from sogs_worker.naming import ARCHIVE_SUFFIXES
from sogs_worker.splats import WORLD, Splats

Writer = Callable[[Path, Splats], None]


def read_json(path: Path) -> Splats:
    """Read the scene that a JSON file stands for: an unbundled SOG, or a streamed one."""
    return read_streamed(path) if is_streamed(path) else read_sog(path)


READERS = {
    ".ply": read_ply,
    ".spz": read_spz,
    ".splat": read_splat,
    ".ksplat": read_ksplat,
    ".glb": read_glb,
    ".sog": read_sog,
    ".json": read_json,
}
"""Readers by the file name's suffix."""

WRITERS: dict[str, Writer] = {
    ".compressed.ply": lambda path, splats: write_compressed_ply(path, _in_float32(splats)),
    ".ply": write_ply,
    ".spz": lambda path, splats: write_spz(path, _in_float32(splats)),
    ".glb": lambda path, splats: write_glb(path, _in_float32(splats)),
}
"""Writers of whole scenes by the end of the file name, the longer ones first; SOG has the encoder."""


def read_scene(path: Path) -> Splats:
    """Read a scene in the format that its name says, with notes on all that is odd about it.

    Raises:
        BadInputError: if the format is unknown, or the file is not what its name says.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    with naming(path):
        path.stat()  # first of all it must be there
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise BadInputError(f"{path}: is an archive, not a scene; unpack it, or name it to `compress`")
    reader = READERS.get(path.suffix.lower())
    refuse_other_kinds(path)
    if reader is None:
        known = ", ".join(suffix for suffix in READERS if suffix != ".json")
        raise BadInputError(f"{path}: files of this kind cannot be read; convert the scene to one of {known}")
    splats = reader(path)
    losses = describe_losses(splats)
    return replace(splats, notes=(*splats.notes, losses)) if losses else splats


def _in_float32(splats: Splats) -> Splats:
    """Count positions from 0 for formats that have nothing finer; a note says what that costs."""
    if splats.origin == WORLD:
        return splats
    return replace(splats, positions=splats.world_positions().astype(np.float32), origin=WORLD)


def find_writer(name: str) -> Writer | None:
    """Return the writer of the format that the end of a file's name says, if there is one."""
    return next((write for suffix, write in WRITERS.items() if name.lower().endswith(suffix)), None)


def scene_bytes(path: Path) -> int:
    """Return what a scene takes on disk: its file, or all files that the metadata of an unbundled one names."""
    if path.suffix.lower() != UNBUNDLED:
        return path.stat().st_size
    return sum((streamed_files(path) if is_streamed(path) else read_meta(path)[1]).values())
