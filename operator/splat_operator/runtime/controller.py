"""One pass: look, decide, act."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from splat_operator.api.model import Action, CountFinish, CountWait, EmitEvent, Key, Observed, Requeue
from splat_operator.api.settings import Settings
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.cluster.executor import JobRefusedError, execute
from splat_operator.cluster.nodes import Nodes
from splat_operator.cluster.observer import observe
from splat_operator.decide.reconcile import reconcile, refused
from splat_operator.runtime import metrics
from splat_operator.runtime.pace import Pace

logger = logging.getLogger(__name__)

UNPROCESSABLE = 422
CHANGED_MEANWHILE = (404, 409)
"""The status was not written since the resource is gone or is another by now: what was decided no longer holds."""


class Controller:
    """Passes over resources through one connection."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._nodes = Nodes(connection)
        self._pace: Pace[Key] = Pace(interval_s=settings.progress_interval_s, reads_per_s=settings.log_reads_per_s)

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
        observed = await self._look(key)
        if observed is None:
            return None
        actions = reconcile(observed, now=datetime.now(UTC), settings=self._settings)
        try:
            await self._act(observed, actions)
        except JobRefusedError as error:
            now = datetime.now(UTC)
            answer = refused(
                observed,
                code=error.code,
                words=str(error),
                is_final=error.is_final,
                now=now,
                settings=self._settings,
            )
            await self._act(observed, answer)
            if error.code == UNPROCESSABLE:  # It stays so until the spec is edited.
                return None
            raise
        delays = [action.after_s for action in actions if isinstance(action, Requeue)]
        return self._pace.delay_s(key, min(delays), time.monotonic()) if delays else None

    async def _look(self, key: Key) -> Observed | None:
        reads_logs = self._pace.is_due(key, time.monotonic())
        name = self._settings.controller_name
        observed = await observe(self._connection, key, self._nodes, controller_name=name, reads_logs=reads_logs)
        running = sum(pod.container.is_running for pod in observed.pods) if observed else 0
        self._pace.note(key, running_pods=running, now_s=time.monotonic(), has_read=reads_logs)
        return observed

    async def _act(self, observed: Observed, actions: Iterable[Action]) -> None:
        done = list(actions)
        key = observed.resource.key
        await execute(self._connection, observed.resource, done)
        for action in done:
            match action:
                case EmitEvent(reason=reason, message=message):
                    logger.info("%s: %s: %s", key, reason, message)
                case CountFinish(result, reason, status):
                    metrics.record_finish(key.namespace, result, reason, status)
                case CountWait(seconds):
                    metrics.record_wait(key.namespace, seconds)
