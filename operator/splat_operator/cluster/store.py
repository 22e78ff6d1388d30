"""What the watches have brought, as far as a pass needs it: resources with their Jobs and pods.

Ten thousand resources with a Job and a pod each are held for days, so bodies are stripped of what parsing does not read
and kept compressed; a pass unpacks the few that it is about.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from splat_operator.api.model import Key, Observed
from splat_operator.api.names import LABEL_COMPRESSION, PHASES, PLURAL
from splat_operator.api.spec import Json, is_for, parse_spec
from splat_operator.cluster.destinations import Destinations
from splat_operator.cluster.parsing import assemble, parse_resource
from splat_operator.cluster.paths import JOBS, PODS, WORKLOADS
from splat_operator.cluster.stripping import pack, strip, unpack
from splat_operator.cluster.workloads import key_of_workload, parse_workload

DEPARTED_S = 600.0
"""How long it is remembered that a Job or pod is gone: watches of two kinds are seconds apart, not minutes."""
DOUBT_S = 120.0
"""How long a watch may be behind at most that is not silent: longer than its patience with a silent connection."""
MAX_GONE = 1000
"""Deleted objects remembered by UID, so that the answer to an earlier write does not bring one back."""


@dataclass(slots=True)
class _Entry:
    """All that is kept about one resource: packed objects of each kind, of the resource itself at most one."""

    key: Key
    """The same object as in the table: a second one would cost as much as half of a packed Job."""
    splatcompressions: tuple[bytes, ...] = ()
    jobs: tuple[bytes, ...] = ()
    pods: tuple[bytes, ...] = ()
    workloads: tuple[bytes, ...] = ()
    phase: str = PHASES[0]

    @property
    def is_empty(self) -> bool:
        return not (self.splatcompressions or self.jobs or self.pods or self.workloads)


class Store:
    """Objects of one release by the resource that they are about.

    Args:
        controller_name: whose resources are kept, by their spec.managedBy.
        clock: seconds that only grow.
        labels: of resources, that something is counted by.
    """

    def __init__(
        self, controller_name: str, clock: Callable[[], float] = time.monotonic, *, labels: tuple[str, ...] = ()
    ) -> None:
        self._controller_name = controller_name
        self._labels = labels
        self._clock = clock
        self._entries: dict[Key, _Entry] = {}
        self._destinations = Destinations()
        self._departed: dict[Key, float] = {}
        """When a Job or pod of a key was last seen to be gone."""
        self._doubted_until = clock()
        self._gone: dict[str, str] = {}
        """The versions at which objects were seen to be gone, by their UIDs, in order."""

    def put(self, kind: str, raw: Json, *, is_change: bool = False) -> set[Key]:
        """Keep an object as a watch, a list or the answer to a write shows it; returns the keys that it is news for.

        One that is older than what is kept, or that was deleted since, changes nothing. `is_change` says that it was
        there before, perhaps with a label that made it another resource's.
        """
        key, uid = key_of(kind, raw), raw["metadata"]["uid"]
        if kind == WORKLOADS and key not in self._entries:  # Of others' Jobs, as most are.
            return set()
        if key is None:
            return self._lose(kind, raw)
        is_foreign = kind == PLURAL and not is_for(raw.get("spec", {}), self._controller_name)
        if is_foreign or (uid in self._gone and not _is_newer(_version(raw), self._gone[uid])):
            return set()
        entry = self._entries.get(key) or self._entries.setdefault(key, _Entry(key))
        # Of resources of that name only the latest is kept, whatever its UID.
        body, old = strip(kind, raw, labels=self._labels), _find(getattr(entry, kind), None if kind == PLURAL else uid)
        if old and not _is_newer(_version(body), _version(old)):
            return set()
        if old and _uid(old) == uid and "deletionTimestamp" in old["metadata"]:
            # An event from before the operator's own deletion does not take it back.
            body["metadata"].setdefault("deletionTimestamp", old["metadata"]["deletionTimestamp"])
        left = self._lose(kind, raw) if is_change and old is None and kind in (JOBS, PODS) else set()
        kept = () if kind == PLURAL else _without(getattr(entry, kind), uid)
        setattr(entry, kind, (*kept, pack(body)))
        if old and _sans_version(old) == _sans_version(body):
            return set()
        return {entry.key} | left | (self._note_resource(entry, body) if kind == PLURAL else set())

    def remove(self, kind: str, raw: Json) -> set[Key]:
        """Forget an object that was deleted; returns the keys that it is news for."""
        key = key_of(kind, raw)
        return set() if key is None else self._remove(kind, key, raw["metadata"]["uid"], _version(raw))

    def keep_only(self, kind: str, namespace: str | None, uids: set[str], version: str) -> set[Key]:
        """Forget what a whole list of the kind, in that namespace or everywhere, does not have; returns as `remove`.

        `version` is the list's.
        """
        missing = [
            (key, uid)
            for key, entry in self._entries.items()
            if namespace in (None, key.namespace)
            for uid in map(_uid, map(unpack, getattr(entry, kind)))
            if uid not in uids
        ]
        return {woken for key, uid in missing for woken in self._remove(kind, key, uid, version)}

    def doubt(self, key: Key | None = None) -> None:
        """Take it that there may be Jobs and pods that were not seen, for a while: of one resource, or of all."""
        if key is None:
            self._doubted_until = self._clock() + DOUBT_S
        else:
            self._note_departure(key)

    def mark_deleted(self, key: Key, uid: str) -> None:
        """Note that a Job is being deleted, before a watch brings that."""
        entry = self._entries.get(key)
        job = _find(entry.jobs, uid) if entry else None
        if entry and job:
            job["metadata"].setdefault("deletionTimestamp", job["metadata"].get("creationTimestamp"))
            entry.jobs = (*_without(entry.jobs, uid), pack(job))

    def observe(self, key: Key) -> Observed | None:
        """All that is known of a resource; None where there is none that is this release's."""
        entry = self._entries.get(key)
        if entry is None or not entry.splatcompressions:
            return None
        resource = parse_resource(unpack(entry.splatcompressions[0]))
        jobs, pods = map(unpack, entry.jobs), map(unpack, entry.pods)
        has_children = entry.jobs or entry.pods or "jobName" in resource.status or self._has_lost_children(key)
        # A Job of an earlier spec may be there that was made without an answer; of the first spec it has the same name.
        is_behind = bool(has_children) or resource.generation > 1
        observed = assemble(resource, jobs, pods, is_behind=is_behind)
        admissions = tuple(parse_workload(unpack(packed)) for packed in entry.workloads)
        return replace(observed, admissions=admissions, same_destination=self._destinations.others(key))

    def namespaces(self) -> set[str]:
        """Those that have resources."""
        return {key.namespace for key, entry in self._entries.items() if entry.splatcompressions}

    def phases(self) -> Mapping[tuple[str, str], int]:
        """How many resources there are, by namespace and phase. Called from another thread."""
        entries = self._entries.copy().values()
        return Counter((entry.key.namespace, entry.phase) for entry in entries if entry.splatcompressions)

    def _note_resource(self, entry: _Entry, body: Json) -> set[Key]:
        phase = body["status"].get("phase")
        entry.phase = next((known for known in PHASES if known == phase), PHASES[0])
        return self._destinations.note(entry.key, parse_spec(body["spec"]).output)

    def _remove(self, kind: str, key: Key, uid: str, version: str) -> set[Key]:
        entry = self._entries.get(key)
        kept = _find(getattr(entry, kind), uid) if entry else None
        if kept and _is_newer(_version(kept), version):  # it had lost its label, and an answer says that it is back
            return set()
        self._gone[uid] = version
        if len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]
        return self._drop(kind, key, uid)

    def _lose(self, kind: str, raw: Json) -> set[Key]:
        """Forget an object whose label somebody took away or changed: rare enough to look through everything."""
        uid = _uid(raw)
        held = ((key, _find(getattr(entry, kind), uid)) for key, entry in self._entries.items())
        key, old = next(((key, old) for key, old in held if old), (None, {}))
        return self._drop(kind, key, uid) if key and _is_newer(_version(raw), _version(old)) else set()

    def _drop(self, kind: str, key: Key, uid: str) -> set[Key]:
        entry = self._entries.get(key)
        if entry is None or _find(getattr(entry, kind), uid) is None:
            return set()
        setattr(entry, kind, _without(getattr(entry, kind), uid))
        if entry.is_empty:
            del self._entries[key]
        if kind in (JOBS, PODS):
            self._note_departure(key)
        return {key} | (self._destinations.note(key, None) if kind == PLURAL else set())

    def _note_departure(self, key: Key) -> None:
        now = self._clock()
        self._departed.pop(key, None)
        self._departed[key] = now  # At the end: they are in the order of their times.
        for other in list(self._departed):
            if now - self._departed[other] <= DEPARTED_S:
                break
            del self._departed[other]

    def _has_lost_children(self, key: Key) -> bool:
        now = self._clock()
        return now < self._doubted_until or now - self._departed.get(key, now - DEPARTED_S) < DEPARTED_S


def key_of(kind: str, raw: Json) -> Key | None:
    """The resource that an object is about; None where its labels name none."""
    if kind == WORKLOADS:
        return key_of_workload(raw)
    meta = raw["metadata"]
    name = meta["name"] if kind == PLURAL else (meta.get("labels") or {}).get(LABEL_COMPRESSION)
    return Key(meta["namespace"], name) if name else None


def _find(packed: tuple[bytes, ...], uid: str | None) -> dict[str, Any] | None:
    """The object with that UID; None: the only one."""
    return next((body for body in map(unpack, packed) if uid in (None, _uid(body))), None)


def _without(packed: tuple[bytes, ...], uid: str) -> tuple[bytes, ...]:
    return tuple(data for data in packed if _uid(unpack(data)) != uid)


def _uid(body: Json) -> str:
    return str(body["metadata"]["uid"])


def _version(body: Json) -> str:
    return str(body["metadata"]["resourceVersion"])


def _sans_version(body: Json) -> Json:
    return {**body, "metadata": {**body["metadata"], "resourceVersion": ""}}


def _is_newer(version: str, than: str) -> bool:
    """Whether a resourceVersion is later: they count up in every API server (KEP-5504), unless it is none of those."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than
