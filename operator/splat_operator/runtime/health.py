"""Is the operator alive? What /healthz answers: 200, or 500 with the reasons, which are logged, too.

A blocked event loop answers nothing; the kubelet's own timeout sees that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from aiohttp import web

from splat_operator.cluster.watches import Watch

MAX_SILENCE_S = 300.0
"""Three connections of a watch in a row on which nothing came: a new process resolves names and connects anew."""

logger = logging.getLogger(__name__)


def problems(tasks: Mapping[str, asyncio.Task[None]], watches: Iterable[Watch]) -> list[str]:
    """What a restart may cure: tasks that have ended, and watches that have heard nothing all the time.

    A refusal, too, is something heard: where the API server is down or says no, a restart is of no use.
    """
    ended = [f"The task {name} has ended: {_end(task)}." for name, task in tasks.items() if task.done()]
    silent = sorted({watch.kind for watch in watches if watch.silent_s > MAX_SILENCE_S})
    return ended + [f"The watch of {kind} has heard nothing for {MAX_SILENCE_S:g} s." for kind in silent]


async def serve(port: int, check: Callable[[], list[str]]) -> web.AppRunner:
    """Answer on all addresses of both families until the runner is cleaned up. Raises OSError."""

    async def answer(_: web.Request) -> web.Response:
        found = check()
        for problem in found:
            logger.error(problem)
        return web.json_response({"problems": found}, status=500 if found else 200)

    app = web.Application()
    app.router.add_get("/healthz", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner


def _end(task: asyncio.Task[None]) -> str:
    return "cancelled" if task.cancelled() else repr(task.exception())
