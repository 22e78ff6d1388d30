"""One pass: look, decide, act."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from splat_operator import metrics
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.cluster.executor import JobRefusedError, execute
from splat_operator.cluster.observer import observe
from splat_operator.model import Action, CountFinish, EmitEvent, Key, Observed, Requeue
from splat_operator.reconcile import reconcile, refused
from splat_operator.settings import Settings

logger = logging.getLogger(__name__)

CHANGED_MEANWHILE = (404, 409)
"""The status was not written since the resource is gone or is another by now: what was decided no longer holds."""


class Controller:
    """Passes over resources through one connection."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    async def process(self, key: Key) -> float | None:
        """One pass for the resource; returns the seconds to the next one, None if only an event can bring news.

        Raises ApiError where a request failed; the pass is to be repeated then.
        """
        start = time.monotonic()
        result = "error"
        try:
            delay_s = await self._pass(key)
            result = "ok"
        except JobRefusedError:
            result = "refused"
            raise
        except ApiError as error:
            if error.code not in CHANGED_MEANWHILE:
                raise
            result, delay_s = "conflict", 0.0
        finally:
            metrics.RECONCILE_TOTAL.labels(result=result).inc()
            metrics.RECONCILE_DURATION.observe(time.monotonic() - start)
        return delay_s

    async def _pass(self, key: Key) -> float | None:
        observed = await observe(self._connection, key)
        if observed is None:
            return None
        actions = reconcile(observed, now=datetime.now(UTC), settings=self._settings)
        try:
            await self._act(observed, actions)
        except JobRefusedError as error:
            await self._act(observed, refused(observed, code=error.code, words=str(error), now=datetime.now(UTC)))
            raise
        return min((action.after_s for action in actions if isinstance(action, Requeue)), default=None)

    async def _act(self, observed: Observed, actions: Iterable[Action]) -> None:
        done = list(actions)
        key = observed.resource.key
        await execute(self._connection, observed.resource, done)
        for action in done:
            match action:
                case EmitEvent(reason=reason, message=message):
                    logger.info("%s: %s: %s", key, reason, message)
                case CountFinish(result, reason):
                    metrics.FINISHED_TOTAL.labels(namespace=key.namespace, result=result, reason=reason).inc()
