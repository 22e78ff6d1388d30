"""File formats of scenes, a module each, and the choice of the reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sogs_worker.encode.origin import describe_losses
from sogs_worker.errors import BadInputError
from sogs_worker.formats.glb.file import read_glb
from sogs_worker.formats.ksplat import read_ksplat
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.formats.sog.file import UNBUNDLED, read_meta, read_sog
from sogs_worker.formats.splat import read_splat
from sogs_worker.formats.spz.file import read_spz
from sogs_worker.naming import ARCHIVE_SUFFIXES
from sogs_worker.splats import Splats

READERS = {
    ".ply": read_ply,
    ".spz": read_spz,
    ".splat": read_splat,
    ".ksplat": read_ksplat,
    ".glb": read_glb,
    ".sog": read_sog,
    ".json": read_sog,
}
"""Readers by the file name's suffix; `.json` is the meta.json of an unbundled scene."""


def read_scene(path: Path) -> Splats:
    """Read a scene in the format that its name says, with notes on all that is odd about it.

    Raises:
        BadInputError: if the format is unknown, or the file is not what its name says.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise BadInputError(f"{path}: is an archive, not a scene; unpack it, or name it to `compress`")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(suffix for suffix in READERS if suffix != ".json")
        raise BadInputError(f"{path}: files of this kind cannot be read; convert the scene to one of {known}")
    splats = reader(path)
    losses = describe_losses(splats)
    return replace(splats, notes=(*splats.notes, losses)) if losses else splats


def scene_bytes(path: Path) -> int:
    """Return what a scene takes on disk: its file, or all files that the metadata of an unbundled one names."""
    return sum(read_meta(path)[1].values()) if path.suffix.lower() == UNBUNDLED else path.stat().st_size
