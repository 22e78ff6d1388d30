"""What the watches have delivered, as far as it can be held against lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from splat_operator.api.names import PENDING, PLURAL

KINDS = (PLURAL, "jobs", "pods")
"""What is watched."""

Json = Mapping[str, Any]
T = TypeVar("T")


class Delivered:
    """Versions and phases of all objects by UID. resourceVersions are opaque: equal or not is all that is asked."""

    def __init__(self) -> None:
        self.phases: dict[str, tuple[str, str]] = {}
        """Namespace and phase of each resource."""
        self.versions: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        """resourceVersion of each object that the last event told, by kind."""
        self._stalled: dict[str, set[str]] = {kind: set() for kind in KINDS}
        """Objects that have changed without an event."""

    def event(self, kind: str, event_type: str | None, raw: Json) -> None:
        """A watch event with the object as it is on the wire; type None is kopf's own list after it has connected."""
        uid = raw["metadata"]["uid"]
        self._stalled[kind].discard(uid)
        if event_type == "DELETED":
            self.versions[kind].pop(uid, None)
            self.phases.pop(uid, None)
            return
        self.versions[kind][uid] = raw["metadata"]["resourceVersion"]
        if kind == PLURAL:
            self.phases[uid] = (raw["metadata"]["namespace"], phase(raw))

    def missing(self, kind: str, listed: Mapping[str, str]) -> dict[str, str]:
        """Those of the listed resourceVersions, by UID, that are not what an event has told last."""
        return {uid: version for uid, version in listed.items() if self.versions[kind].get(uid) != version}

    def judge(self, kind: str, stalled: set[str]) -> None:
        """Note which objects have changed without an event; the watch has stalled until events come for all of them."""
        self._stalled[kind] = stalled

    @property
    def stalled_kinds(self) -> list[str]:
        """Kinds with a watch that has stalled."""
        return [kind for kind, uids in self._stalled.items() if uids]


def phase(raw: Json) -> str:
    """The phase of a resource as it is on the wire; one that no pass has seen yet is pending."""
    return str((raw.get("status") or {}).get("phase") or PENDING)


def settle(table: dict[str, T], before: Mapping[str, T], listed: Mapping[str, T]) -> None:
    """Make the table as listed, save what events have changed since `before`: that may be newer than the list."""
    for uid in before.keys() | listed.keys():
        if table.get(uid) == before.get(uid):
            if uid in listed:
                table[uid] = listed[uid]
            else:
                table.pop(uid, None)
