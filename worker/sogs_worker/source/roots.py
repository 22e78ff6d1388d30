"""Several sources at once: what they hold, named as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sogs_worker.errors import WorkerError
from sogs_worker.source.objects import SourceObject, look_for_objects, name_objects
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.local.files import LocalFiles
from sogs_worker.storage.location import Location

Item = tuple[ReadableStore, SourceObject]
"""An object, and the store that has it."""


@dataclass(frozen=True)
class Root:
    """An object or a prefix, and the store that has it."""

    store: ReadableStore
    location: Location


def local_root(path: Path, *, without: Path | None = None) -> Root:
    """Describe a file of this machine, or a folder to search to its depths.

    Args:
        path: the file or folder.
        without: a folder in it that is not searched.
    """
    folder, key = (path, "") if path.is_dir() else (path.parent, path.name)
    return Root(LocalFiles(folder, without=without), Location("file", folder.resolve().name, key))


def find_items(roots: Sequence[Root], scratch: Path) -> tuple[list[Item], list[WorkerError]]:
    """Find the scenes and archives of several sources, in the sources' order, and name their outputs.

    Args:
        roots: the sources.
        scratch: a folder for small files.

    Returns:
        The objects, and what is wrong with the others and with sources that have none.

    Raises:
        UsageError: two outputs would have one name.
    """
    stores: list[ReadableStore] = []
    candidates = []
    faults: list[WorkerError] = []
    for root in roots:
        try:
            found, left_out = look_for_objects(root.store, root.location, scratch)
        except WorkerError as fault:
            faults.append(fault)
            continue
        stores += [root.store] * len(found)
        candidates += found
        faults += left_out
    return list(zip(stores, name_objects(candidates), strict=True)), faults
