"""Several sources at once: what they hold, named as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sogs_worker.errors import WorkerError
from sogs_worker.source.listing import Candidate, look_for_objects, require_many
from sogs_worker.source.names import PATHS, Pattern
from sogs_worker.source.objects import SourceObject, name_objects
from sogs_worker.source.search import PassedOver
from sogs_worker.source.selection import ALL, Selection
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.local.files import LocalFiles
from sogs_worker.storage.location import Location


class Item(NamedTuple):
    """An object, and the store that has it.

    Attributes:
        store, entry: these.
        is_named: whether it is a source itself, and was not found in one.
    """

    store: ReadableStore
    entry: SourceObject
    is_named: bool


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


@dataclass(frozen=True)
class Findings:
    """What several sources hold.

    Attributes:
        items: scenes and archives, in the sources' order.
        faults: what is wrong with others, and with sources that have none.
        passed_over: what only looks like a scene.
    """

    items: list[Item]
    faults: list[WorkerError]
    passed_over: list[PassedOver]


def find_items(roots: Sequence[Root], selection: Selection = ALL, names: Pattern = PATHS) -> Findings:
    """Find what is taken of several sources, and name the outputs as those of one.

    Args:
        roots: the sources.
        selection: what is taken of each.
        names: how outputs are named.

    Raises:
        UsageError: two outputs would have one name, or a source is one scene, of which nothing can be selected.
    """
    for root in roots:
        require_many(root.location, root.store.uri(root.location.key), selection)
    places: list[Root] = []
    candidates: list[Candidate] = []
    findings = Findings([], [], [])
    for root in roots:
        try:
            contents = look_for_objects(root.store, root.location, selection)
        except WorkerError as fault:
            findings.faults.append(fault)
            continue
        places += [root] * len(contents.candidates)
        candidates += contents.candidates
        findings.faults.extend(contents.faults)
        findings.passed_over.extend(contents.passed_over)
    objects = name_objects(candidates, names)
    findings.items.extend(
        Item(root.store, entry, not root.location.is_prefix) for root, entry in zip(places, objects, strict=True)
    )
    return findings
