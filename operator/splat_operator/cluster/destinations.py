"""Which resources write to the same object?"""

from __future__ import annotations

from splat_operator.api.model import Key
from splat_operator.api.spec import Output

ENDINGS = (".compressed.ply", ".tar.gz", ".ply", ".spz", ".splat", ".ksplat", ".glb", ".sog", ".zip", ".tar", ".tgz")


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

    Of a source with many scenes the prefix of the source stands for their names.
    """
    destination = output.destination
    place = f"{destination.s3.endpoint or ''} {destination.uri}"
    if not destination.uri.endswith("/"):
        return place
    source = output.source.uri.partition("?")[0]
    if source.endswith("/"):
        return f"{place}{source}"
    name = source.rpartition("/")[2]
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return place + (name[: len(name) - len(ending)] or name)
