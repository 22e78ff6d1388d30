"""Lists and watches that keep the store as the API server is: pages at first, then every change."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial

from splat_operator.api.model import Key
from splat_operator.api.names import LABEL_MANAGED_BY, MANAGER
from splat_operator.api.spec import Json
from splat_operator.cluster import paths
from splat_operator.cluster.connection import GONE, NO_ANSWER, NOT_FOUND, ApiError, Connection
from splat_operator.cluster.store import Store

PAGE = 100
"""Objects in a page, each some 50 KB while it is parsed: what is kept of a page lies between what goes, so that larger
pages leave more memory in pieces (measured with 30,000 objects: 250 in a page cost 10 MB more for good than 50), and
with smaller ones a start takes longer (50: a fifth)."""
SERVED_S = 300
"""After which the server is to end a watch; it goes on from where it was."""
SILENCE_S = 90.0
"""Without a sign of life a connection is given up: the API server sends a bookmark a minute when nothing changes."""
PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
"""Between two attempts; it doubles with each failure in a row."""
SHORT_S = 1.0
"""A watch that ends sooner has failed: without a pause the next one would follow at once, and so on."""

logger = logging.getLogger(__name__)


class Watch:
    """One kind in one namespace, or everywhere.

    Args:
        connection: to the API server.
        store: to keep.
        kind: the plural's name.
        namespace: None: all.
        wake: asks for a pass for a resource that something is new about.
        relist_interval_s: after which all is listed again, in case an event was lost.
        api: path of the kind's API, of one that is not always there: the watch ends with it.
        clock: seconds that only grow.
        sleep: waits for that many seconds.
    """

    def __init__(
        self,
        connection: Connection,
        store: Store,
        kind: str,
        namespace: str | None,
        wake: Callable[[Key], None],
        *,
        relist_interval_s: float,
        api: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.kind, self.namespace = kind, namespace
        self.has_listed = asyncio.Event()
        """Set once the store has all that there was."""
        self.last_event: float | None = None
        """Unix time of the last event."""
        self.last_list: float | None = None
        """Unix time at which all was listed last."""
        self._connection = connection
        self._store = store
        self._wake = wake
        self._relist_interval_s = relist_interval_s
        self._clock = clock
        self._sleep = sleep
        self._heard_at = clock()
        self._version = ""
        """From which on to watch; none: all is to be listed."""
        self._failures = 0
        """In a row: no event has come since the first of them."""
        self._changes: dict[str, Callable[[str, Json], set[Key]]] = {
            "DELETED": store.remove,
            "MODIFIED": partial(store.put, is_change=True),
        }
        self._path = paths.collection(kind, namespace, api=api)
        self._is_optional = api is not None
        is_labelled = kind in (paths.JOBS, paths.PODS)
        self._selector = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGER}"} if is_labelled else {}

    @property
    def silent_s(self) -> float:
        """Seconds for which nothing at all was heard: no event, no bookmark, no page, not even a refusal."""
        return self._clock() - self._heard_at

    async def run(self) -> None:
        """List and watch, until cancelled. Raises ApiError where the kind is there no more, and need not be."""
        list_again_at = self._clock()
        while True:
            try:
                if not self._version or self._clock() >= list_again_at:
                    await self._list()
                    list_again_at = self._clock() + self._relist_interval_s
                await self._follow()
            except ApiError as error:
                if error.code == NOT_FOUND and self._is_optional:
                    raise
                if error.code == GONE:  # It has the changes since that version no longer.
                    self._version = ""
                self._failures += 1
                await self._pause(error)

    async def _pause(self, error: ApiError) -> None:
        if error.code != NO_ANSWER:
            self._heard()
        doubled_s = PAUSE_S * 2 ** min(self._failures - 1, 10)
        delay_s = min(MAX_PAUSE_S, doubled_s) * random.uniform(0.8, 1.2)  # noqa: S311
        level = logging.WARNING if self._failures > 1 else logging.INFO
        logger.log(level, "The watch of %s: %s; again in %.1f s", self.kind, error, delay_s)
        await self._sleep(delay_s)

    async def _list(self) -> None:
        """Put everything into the store, a page at a time, and forget what is gone."""
        uids: set[str] = set()
        query = {**self._selector, "limit": str(PAGE)}
        while True:
            page = await self._connection.get(self._path, query)
            self._heard()
            for raw in page["items"]:
                uids.add(raw["metadata"]["uid"])
                self._bring(self._store.put, raw)
            version, token = str(page["metadata"]["resourceVersion"]), page["metadata"].get("continue")
            if not token:
                break
            query["continue"] = token
            del page  # Before the next one comes.
        self._tell(self._store.keep_only(self.kind, self.namespace, uids, version))
        self._version = version
        self.last_list = time.time()
        self.has_listed.set()

    async def _follow(self) -> None:
        """Take changes in until the server ends the watch. Raises ApiError."""
        began_at = self._clock()
        query = {
            **self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(min(SERVED_S, self._relist_interval_s))),
        }
        async with aclosing(self._connection.watch(self._path, query, silence_s=SILENCE_S)) as lines:
            async for line in lines:
                self._heard()
                if line.strip():
                    self._take(line)
                    self._failures = 0
        if self._clock() - began_at < SHORT_S:
            raise ApiError(NO_ANSWER, "it ended as soon as it had begun")

    def _take(self, line: bytes) -> None:
        """Bring an event into the store. Raises ApiError."""
        try:
            event = json.loads(line)
            kind, raw = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as error:  # Cut off, or the word of a proxy.
            raise ApiError(NO_ANSWER, f"no event: {error!r}") from error
        if kind == "ERROR":
            raise ApiError(int(raw.get("code") or NO_ANSWER), str(raw.get("message")))
        if kind != "BOOKMARK":
            self.last_event = time.time()
            self._bring(self._changes.get(kind, self._store.put), raw)
        self._version = str(raw["metadata"]["resourceVersion"])

    def _bring(self, change: Callable[[str, Json], set[Key]], raw: Json) -> None:
        """Bring an object into the store; one that cannot be read must not end the watch of all others."""
        try:
            keys = change(self.kind, raw)
        except Exception:
            name, namespace = raw["metadata"].get("name"), raw["metadata"].get("namespace")
            logger.exception("%s %s/%s cannot be read, and is left out", self.kind, namespace, name)
        else:
            self._tell(keys)

    def _tell(self, keys: set[Key]) -> None:
        for key in keys:
            self._wake(key)

    def _heard(self) -> None:
        self._heard_at = self._clock()


async def wait_until_listed(watches: Sequence[Watch]) -> None:
    """Wait until the store has all that there was when the watches began."""
    for watch in watches:
        await watch.has_listed.wait()
