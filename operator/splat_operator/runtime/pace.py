"""How often running pods' logs are read: as often as wanted while they are few, at a fixed rate in all when many."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class _Running:
    pods: int
    read_at_s: float


class Pace(Generic[K]):
    """Knows whose pods run. What progress costs the API server and the kubelets does not grow with their number."""

    def __init__(self, *, interval_s: float, reads_per_s: float) -> None:
        """Take the least seconds between two looks at one resource's logs, and the most looks a second at all pods."""
        self._interval_s = interval_s
        self._reads_per_s = reads_per_s
        self._running: dict[K, _Running] = {}
        self._pods = 0

    def is_due(self, key: K, now_s: float) -> bool:
        """Whether the logs of `key` may be read: its own status is an event too, and would have them read at once."""
        return self._left_s(key, now_s) <= 0

    def note(self, key: K, *, running_pods: int, now_s: float, has_read: bool) -> None:
        """Remember how many pods of `key` run and that their logs have been read; 0 forgets it."""
        before = self._running.pop(key, None)
        self._pods += running_pods - (before.pods if before else 0)
        if running_pods:
            self._running[key] = _Running(running_pods, now_s if has_read or before is None else before.read_at_s)

    def delay_s(self, key: K, wanted_s: float, now_s: float) -> float:
        """Seconds to the next pass over `key`, which wants one after `wanted_s`."""
        return max(wanted_s, self._left_s(key, now_s))

    def _left_s(self, key: K, now_s: float) -> float:
        running = self._running.get(key)
        if running is None:
            return 0.0
        return running.read_at_s + max(self._interval_s, self._pods / self._reads_per_s) - now_s
