"""One pass: look, decide, act."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from splat_operator.api.model import (
    Action,
    CountFinish,
    CountWait,
    EmitEvent,
    Key,
    LookAgain,
    Observed,
    Requeue,
)
from splat_operator.api.settings import Settings
from splat_operator.cluster.connection import CONFLICT, NOT_FOUND, ApiError
from splat_operator.cluster.events import EventPoster
from splat_operator.cluster.executor import Executor, JobRefusedError, StatusRefusedError
from splat_operator.cluster.observer import Observer
from splat_operator.decide.reconcile import reconcile, refused, unwritable
from splat_operator.runtime import metrics
from splat_operator.runtime.log_reader import LogReader

logger = logging.getLogger(__name__)

CHANGED_MEANWHILE = (NOT_FOUND, CONFLICT)
"""The status was not written since the resource is gone or is another by now: what was decided no longer holds."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Controller:
    """Passes over resources.

    Args:
        observer: looks.
        executor: acts.
        poster: posts Events.
        logs: knows how far running pods are.
        settings: of the operator.
        clock: the time.
    """

    def __init__(
        self,
        observer: Observer,
        executor: Executor,
        poster: EventPoster,
        logs: LogReader,
        settings: Settings,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._observer = observer
        self._executor = executor
        self._poster = poster
        self._logs = logs
        self._settings = settings
        self._clock = clock

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
            result, delay_s = "conflict", self._settings.conflict_pause_s
        finally:
            metrics.RECONCILE_TOTAL.labels(result=result).inc()
            metrics.RECONCILE_DURATION.observe(time.monotonic() - start)
        return delay_s

    async def _pass(self, key: Key) -> float | None:
        """By the store if that is enough to know, else by the API server."""
        now = self._clock()
        observed = await self._observer.glance(key, now)
        actions = await self._decide(observed, now) if observed else []
        if any(isinstance(action, LookAgain) for action in actions):
            observed = await self._observer.look(key, now)
            actions = await self._decide(observed, now) if observed else []
        if observed is None:
            self._logs.follow(key, [])
            return None
        return await self._carry_out(observed, actions)

    async def _decide(self, observed: Observed, now: datetime) -> list[Action]:
        try:
            return reconcile(self._with_progress(observed), now=now, settings=self._settings)
        except Exception as error:  # Whatever stands in the object: what becomes of it must be seen there.
            await self._say_unwritable(observed, "InternalError", _internal(error))
            raise

    def _with_progress(self, observed: Observed) -> Observed:
        key = observed.resource.key
        jobs = {job.uid: job.completions for job in observed.jobs}
        pods = [pod for pod in observed.pods if pod.job_uid in jobs]
        self._logs.follow(key, [pod.name for pod in pods if pod.container.is_running and not pod.is_deleting])
        return replace(observed, progress=self._logs.progress(key, pods, shares=max(jobs.values(), default=1)))

    async def _carry_out(self, observed: Observed, actions: list[Action]) -> float | None:
        try:
            await self._act(observed, actions)
        except JobRefusedError as error:
            now, is_final = self._clock(), error.is_final
            words, code = str(error), error.code
            answer = refused(observed, code=code, words=words, is_final=is_final, now=now, settings=self._settings)
            await self._act(observed, answer)
            if error.is_invalid:  # It stays so until the spec is edited.
                return None
            raise
        except StatusRefusedError as error:
            logger.error("%s: the status was refused: %s", observed.resource.key, error)  # noqa: TRY400 - no bug's trace
            await self._say_unwritable(observed, "StatusRefused", f"The API server refuses the status: {error}")
            return None
        return min((action.after_s for action in actions if isinstance(action, Requeue)), default=None)

    async def _say_unwritable(self, observed: Observed, reason: str, words: str) -> None:
        actions = unwritable(observed, words=words, reason=reason, now=self._clock())
        try:
            await self._act(observed, actions)
        except StatusRefusedError:
            logger.exception("%s: not even a small status is taken", observed.resource.key)

    async def _act(self, observed: Observed, actions: Iterable[Action]) -> None:
        """Execute in order; a count comes right after the status that it is about, and waits for nothing else."""
        key = observed.resource.key
        for action in actions:
            match action:
                case EmitEvent(reason=reason, message=message):
                    logger.info("%s: %s: %s", key, reason, message)
                    self._poster.post(observed.resource, action)
                case CountFinish(result, reason, status):
                    label = observed.resource.labels.get(self._settings.cost_label, "")
                    metrics.record_finish(key.namespace, result, reason, status, label=label)
                case CountWait(seconds):
                    metrics.record_wait(seconds)
                case _:
                    await self._executor.execute(observed.resource, action)


def _internal(error: Exception) -> str:
    return (
        f"The operator cannot decide about this resource ({type(error).__name__}); its log has the cause. Report it, or"
        " correct the resource if it was changed by hand."
    )
