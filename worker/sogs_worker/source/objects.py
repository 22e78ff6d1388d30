"""What a source holds: the scenes and archives, and which output each becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.naming import META, is_archive
from sogs_worker.source.listing import Candidate, found_file_of, is_json, look_for_objects
from sogs_worker.source.names import PATHS, Pattern, name_found_files
from sogs_worker.source.search import PassedOver
from sogs_worker.source.selection import ALL, ROOT, Selection
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.location import Location


@dataclass(frozen=True)
class SourceObject:
    """A scene of one object or of several, or an archive of scenes.

    Attributes:
        key: in the source's store, of an unbundled scene that of its meta.json.
        size_bytes: of all its objects.
        etag: its version when it was looked at; None if it was only listed.
        output: name of its output without suffix, or of its outputs' folder, relative to the destination.
        planes: keys of the other objects of an unbundled scene.
        below: its path below the source; `ROOT` if it is the source itself.
    """

    key: str
    size_bytes: int
    etag: str | None
    output: PurePosixPath
    planes: tuple[str, ...] = ()
    below: PurePosixPath = ROOT

    @property
    def head(self) -> str:
        """The key by which its files are found: those of an unbundled scene belong to the meta.json beside them."""
        return f"{self.key[: self.key.rfind('/') + 1]}{META}" if self.is_unbundled else self.key

    @property
    def is_archive(self) -> bool:
        """Whether it holds scenes rather than being one."""
        return is_archive(self.key)

    @property
    def is_unbundled(self) -> bool:
        """Whether it is a scene of several objects."""
        return is_json(self.key)


def find_objects(
    store: ReadableStore, location: Location, selection: Selection = ALL, names: Pattern = PATHS
) -> tuple[list[SourceObject], list[PassedOver]]:
    """List what is taken of a source: what it names, or what below a prefix can be read, and what is passed over.

    Args:
        store: where the source is.
        location: the source.
        selection: what is taken.
        names: how outputs are named.

    Raises:
        BadInputError: what it names is of a kind that cannot be read, or an object cannot have an output.
        SourceMissingError: there is none.
        UsageError: see `name_objects`.
    """
    contents = look_for_objects(store, location, selection)
    if contents.faults:
        raise contents.faults[0]
    return name_objects(contents.candidates, names), contents.passed_over


def name_objects(candidates: Sequence[Candidate], names: Pattern) -> list[SourceObject]:
    """Name the outputs, all different.

    Raises:
        UsageError: see `name_found_files`.
    """
    outputs = name_found_files([each.found_file for each in candidates], names)
    return [
        SourceObject(each.key, each.size_bytes, each.etag, output, each.planes, each.below)
        for each, output in zip(candidates, outputs, strict=True)
    ]


def name_object(location: Location, names: Pattern = PATHS) -> PurePosixPath:
    """Name the output of a source that is one object, or the folder of its outputs."""
    (output,) = name_found_files([found_file_of(location.file, location, location.uri)], names)
    return output
