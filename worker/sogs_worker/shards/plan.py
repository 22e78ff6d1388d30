"""Which pod of a run does which objects of its source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from sogs_worker.errors import UsageError
from sogs_worker.publish.records import encode_json
from sogs_worker.source.objects import SourceObject
from sogs_worker.source.selection import ROOT
from sogs_worker.storage.location import Location, is_plain
from sogs_worker.task.fields import Fields

VERSION = 1


@dataclass(frozen=True)
class Plan:
    """The objects of a source, in the order of their outputs, and the shard of each.

    Attributes:
        objects: all of them.
        shards: for each the index of its shard.
        count: of shards.
    """

    objects: tuple[SourceObject, ...]
    shards: tuple[int, ...]
    count: int

    def of(self, index: int) -> list[SourceObject]:
        """Return the objects of a shard."""
        return [entry for entry, shard in zip(self.objects, self.shards, strict=True) if shard == index]

    def place(self, output: PurePosixPath) -> int:
        """Say which object an output is of; the outputs of an archive are below its name.

        Raises:
            KeyError: of none.
        """
        for path in (output, *output.parents):
            if path in self._places:
                return self._places[path]
        raise KeyError(str(output))

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of its document."""
        return hashlib.sha256(encode_json(self.to_document())).hexdigest()

    def to_document(self) -> dict[str, Any]:
        """Write it down for the other pods."""
        return {
            "version": VERSION,
            "shards": self.count,
            "objects": [
                {
                    "key": entry.key,
                    "sizeBytes": entry.size_bytes,
                    "output": str(entry.output),
                    "planes": [*entry.planes],
                    "shard": shard,
                }
                for entry, shard in zip(self.objects, self.shards, strict=True)
            ],
        }

    @cached_property
    def _places(self) -> Mapping[PurePosixPath, int]:
        return {entry.output: place for place, entry in enumerate(self.objects)}


def divide(objects: Sequence[SourceObject], count: int) -> Plan:
    """Give each object, the largest first, to the shard that has least; of equal ones the first key and shard first."""
    loads = [0] * count
    shards: dict[str, int] = {}
    for entry in sorted(objects, key=lambda entry: (-entry.size_bytes, entry.key)):
        lightest = loads.index(min(loads))
        shards[entry.key] = lightest
        loads[lightest] += max(entry.size_bytes, 1)
    return Plan(tuple(objects), tuple(shards[entry.key] for entry in objects), count)


def parse_plan(document: object, source: Location, count: int) -> Plan:
    """Read what `to_document` has written.

    Args:
        document: the JSON.
        source: what the objects must lie in.
        count: of shards that there must be.

    Raises:
        UsageError: it is not that, or of another run.
    """
    fields = Fields(document, "")
    version, shards = fields.required("version", int), fields.required("shards", int)
    if (version, shards) != (VERSION, count):
        raise UsageError(f"it has version {version} and {shards} shards instead of {VERSION} and {count}")
    entries = [_parse_object(entry, source, count) for entry in fields.required("objects", list)]
    fields.finish()
    for what, names in (("key", {e.key for e, _ in entries}), ("output", {e.output for e, _ in entries})):
        if len(names) < len(entries):
            raise UsageError(f"two of its objects have one {what}")
    if not entries:
        raise UsageError("it has no objects")
    return Plan(tuple(entry for entry, _ in entries), tuple(shard for _, shard in entries), count)


def _parse_object(document: object, source: Location, count: int) -> tuple[SourceObject, int]:
    fields = Fields(document, "objects")
    key, output = fields.required("key", str), fields.required("output", str)
    size_bytes, shard = fields.required("sizeBytes", int), fields.required("shard", int)
    planes = fields.required("planes", list)
    fields.finish()
    folder = source.key if source.is_prefix else key.rpartition("/")[0]
    if not (key.startswith(source.key) if source.is_prefix else key == source.key):
        raise UsageError(f"its object {key!r} does not lie in the source")
    if not all(isinstance(plane, str) and plane.startswith(folder) for plane in planes):
        raise UsageError(f"the planes of its object {key!r} do not lie in the source")
    if not output or not is_plain(output) or output.endswith("/"):
        raise UsageError(f"its output {output!r} is no relative path")
    if size_bytes < 0 or not 0 <= shard < count:
        raise UsageError(f"its object {key!r} has {size_bytes} bytes and is of shard {shard} of {count}")
    below = PurePosixPath(key.removeprefix(source.key)) if source.is_prefix else ROOT
    return SourceObject(key, size_bytes, None, PurePosixPath(output), tuple(planes), below), shard
