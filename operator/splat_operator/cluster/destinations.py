"""Which resources write to the same object?"""

from __future__ import annotations

from splat_operator.api.model import Key
from splat_operator.api.spec import Destination, Output

ARCHIVES = (".tar.gz", ".zip", ".tar", ".tgz")
ENDINGS = (".compressed.ply", ".ply", ".spz", ".splat", ".ksplat", ".glb", ".sog", *ARCHIVES)
META = "meta.json"


class Destinations:
    """The object that each resource writes to, as far as its spec tells."""

    def __init__(self) -> None:
        # By hash: the text of each would be a third of all that is kept.
        self._objects: dict[Key, int] = {}
        self._writers: dict[int, tuple[Key, ...]] = {}

    def note(self, key: Key, output: Output | None) -> set[Key]:
        """Note where a resource writes to; None: it is gone. Returns the others whose company has changed."""
        before, after = self._objects.get(key), None if output is None else hash(object_of(output))
        if before == after:
            return set()
        near: set[Key] = set()
        if before is not None:
            left = tuple(each for each in self._writers.pop(before) if each != key)
            near |= set(left)
            self._writers |= {before: left} if left else {}
            del self._objects[key]
        if after is not None:
            near |= set(self._writers.get(after, ()))
            self._writers[after] = (*self._writers.get(after, ()), key)
            self._objects[key] = after
        return near

    def others(self, key: Key) -> tuple[Key, ...]:
        """The other resources that write to where `key` writes to, in the order of their names."""
        return tuple(sorted(each for each in self._writers.get(self._objects.get(key, 0), ()) if each != key))


def object_of(output: Output) -> str:
    """What identifies the object that a run writes: a key, or a prefix with the name that its one scene gives.

    Of a source with many scenes its prefix, what is taken of it, and how that is named stand for their names.
    """
    destination = output.destination
    place = f"{destination.s3.endpoint or ''} {destination.uri}"
    if not destination.uri.endswith("/"):
        return place
    source = output.source.uri.partition("?")[0]
    if source.endswith("/"):
        choice = (output.source.include, output.source.exclude, destination.names)
        return f"{place}{source}" + (f" {choice}" if choice != ((), (), Destination.names) else "")
    return place + _name(source, destination.names)


def _name(source: str, names: str) -> str:
    """The name that a source of one object gives, by a pattern as docs/formats.md has it."""
    above, _, file = source.rpartition("/")
    ending = next((ending for ending in ENDINGS if file.lower().endswith(ending)), "")
    folder, stem = above.rpartition("/")[2], file[: len(file) - len(ending)] or file
    if file == META:
        stem = folder
    elif ending in ARCHIVES:
        folder = stem
    for placeholder, value in (("{path}", stem), ("{stem}", stem), ("{folder}", folder), ("{top}", folder)):
        names = names.replace(placeholder, value)
    return names
