"""Streamed SOG: a manifest, `lod-meta.json`, and a tree of pieces, each at several levels of detail.

Read is its finest level, as one scene, with the environment, which viewers always show. A piece at a level is a run of
rows of a unit, which is an unbundled SOG ("Streamed SOG" of PlayCanvas' manual, version 1).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

import numpy as np

from sogs_worker.encode.origin import centre
from sogs_worker.errors import BadInputError
from sogs_worker.files import naming
from sogs_worker.formats.sog.file import read_meta, read_sog
from sogs_worker.formats.sog.meta_fields import shown
from sogs_worker.naming import MAX_STREAMED_BYTES, STREAMED
from sogs_worker.splats import ARRAYS, SH_COEFFICIENTS, Floats, Splats

MARK = b'"lodLevels"'
MARK_WITHIN = 1 << 16
"""By this, in so many first bytes, a manifest is known that has another name."""

FINEST = "0"


@dataclass(frozen=True)
class Run:
    """Consecutive rows of a unit."""

    offset: int
    count: int


@dataclass(frozen=True)
class Manifest:
    """What belongs to the finest level.

    Attributes:
        levels: how many there are.
        units: rows of each unit that has some of that level, by the unit's path from the manifest's folder.
        environment: the unit of what surrounds the scene; None without.
    """

    levels: int
    units: dict[PurePosixPath, list[Run]]
    environment: PurePosixPath | None

    @property
    def files(self) -> list[PurePosixPath]:
        """All units that are read."""
        return [*self.units, *([self.environment] if self.environment else [])]


def is_streamed(path: Path) -> bool:
    """Say whether a file is the manifest of a streamed SOG, by its name or its beginning; False where there is none."""
    if path.name.lower() == STREAMED:
        return True
    try:
        with path.open("rb") as file:
            return MARK in file.read(MARK_WITHIN)
    except OSError:
        return False


def read_streamed(path: Path) -> Splats:
    """Read the finest level of a streamed SOG.

    Raises:
        BadInputError: names the manifest or the unit and what is wrong with it.
        SourceMissingError, NotPermittedError: if a file cannot be opened.
    """
    manifest = read_manifest(path)
    parts = []
    for name, runs in manifest.units.items():
        unit = path.parent / name
        with naming(unit):
            parts.append(_take_runs(read_sog(unit), runs))
    if manifest.environment:
        parts.append(read_sog(path.parent / manifest.environment))
    return replace(_join(parts), notes=(f"a streamed SOG, of whose {manifest.levels} levels the finest is read",))


def streamed_files(path: Path) -> dict[str, int]:
    """Return what each file of the finest level takes on disk, by its path from the manifest's folder."""
    sizes_bytes = {path.name: path.stat().st_size}
    for name in read_manifest(path).files:
        _, files = read_meta(path.parent / name)
        sizes_bytes |= {str(name.with_name(file)): size_bytes for file, size_bytes in files.items()}
    return sizes_bytes


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest.

    Raises:
        BadInputError: without the file's name; says which field is wrong and what is there.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInputError("the manifest of a streamed SOG is not valid JSON; copy it again") from error
    if not isinstance(document, dict) or document.get("version", 1) != 1:
        what = f"version {shown(document.get('version'))}" if isinstance(document, dict) else shown(document)
        raise BadInputError(f"expected version 1 of a streamed SOG, got {what}; write it again")
    filenames, levels = document.get("filenames"), document.get("lodLevels")
    if not isinstance(filenames, list) or not _is_count(levels):
        raise BadInputError("the manifest of a streamed SOG has no filenames or no lodLevels; write it again")
    units: defaultdict[PurePosixPath, list[Run]] = defaultdict(list)
    for node in _walk(document.get("tree")):
        reference = node.get("lods", {}).get(FINEST)
        if reference is not None:
            file, run = _parse_reference(reference, len(filenames))
            units[_parse_path(filenames[file])].append(run)
    total = sum(run.count for runs in units.values() for run in runs)
    if total == 0:
        raise BadInputError("the streamed SOG has no splats at its finest level; write it again")
    counts = document.get("counts")
    if isinstance(counts, list) and counts and counts[0] != total:
        raise BadInputError(f"the manifest counts {shown(counts[0])} splats, but its tree has {total}; write it again")
    environment = document.get("environment")
    return Manifest(levels, dict(units), None if environment is None else _parse_path(environment))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest's file; see `read_streamed` and `parse_manifest`."""
    with naming(path):
        with path.open("rb") as file:
            data = file.read(MAX_STREAMED_BYTES + 1)
        if len(data) > MAX_STREAMED_BYTES:
            raise BadInputError(f"the manifest has more than {MAX_STREAMED_BYTES:,} bytes; write it with larger pieces")
        return parse_manifest(data)


def _walk(tree: object) -> Iterator[dict[str, Any]]:
    """Yield the nodes of the tree."""
    left = [tree]
    while left:
        node = left.pop()
        if not isinstance(node, dict) or not isinstance(node.get("lods", {}), dict):
            raise BadInputError(f"a node of the manifest's tree is {shown(node)}; write it again")
        children = node.get("children", [])
        if not isinstance(children, list):
            raise BadInputError(f"a node of the manifest's tree has the children {shown(children)}; write it again")
        yield node
        left += reversed(children)


def _parse_reference(reference: object, files: int) -> tuple[int, Run]:
    match reference:
        case {"file": file, "offset": offset, "count": count} if all(map(_is_count, (file, offset, count))):
            if file < files:
                return file, Run(offset, count)
    raise BadInputError(f"a leaf of the manifest's tree refers to {shown(reference)}; write it again")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _parse_path(name: object) -> PurePosixPath:
    """Return a unit's path, which must not lead out of the manifest's folder."""
    path = PurePosixPath(name) if isinstance(name, str) else PurePosixPath("/")
    if path.is_absolute() or ".." in path.parts or not path.name or {"\\", ":", "\0"} & set(str(path)):
        raise BadInputError(
            f"the manifest names {shown(name)}, but its units must lie below its folder; write it again"
        )
    return path


def _take_runs(splats: Splats, runs: list[Run]) -> Splats:
    claimed = max(sum(run.count for run in runs), max(run.offset + run.count for run in runs))
    if claimed > len(splats):
        raise BadInputError(
            f"the manifest claims {claimed:,} of its {len(splats):,} splats; write the streamed SOG again"
        )
    return splats.take(np.concatenate([np.arange(run.offset, run.offset + run.count) for run in runs]))


def _join(parts: list[Splats]) -> Splats:
    """Make one scene of several, with the SH bands of the one that has most."""
    coefficients = SH_COEFFICIENTS[max(part.sh_bands for part in parts)]
    parts = [replace(part, shn=_pad(part.shn, coefficients)) for part in parts]
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    world = np.concatenate([part.world_positions() for part in parts])
    arrays["positions"], origin = centre(world, arrays["scales"])
    return replace(parts[0], **arrays, origin=origin)


def _pad(shn: Floats, coefficients: int) -> Floats:
    return np.pad(shn, ((0, 0), (0, coefficients - shn.shape[1]), (0, 0)))
