"""The parts of a run, one after the other on one ground: each returns its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from benchmarks.operator import requests
from benchmarks.operator.clock import now_s
from benchmarks.operator.figures import Figures, deciles, megabytes, percentile
from benchmarks.operator.ground import Ground
from benchmarks.operator.instance import Instance, end_instance, find_instance
from benchmarks.operator.progress import say, saying
from benchmarks.operator.worker import growing_log

AT_ONCE = 16
"""Requests. With 64 the API server takes a tenth more of them a second, with 4 a fifth less."""


async def warm_up(ground: Ground, name: str) -> None:
    """See one resource through to its end: until then a new operator may still wait for its predecessor's Lease."""
    await ground.apply(name)
    await _wait_for_success(ground)


async def burst(ground: Ground, instance: Instance, names: Sequence[str]) -> Figures:
    """Apply all as fast as the API server takes them, and wait until all have succeeded."""
    before = await instance.requests(ground.api)
    began_s = now_s()
    await _apply_all(ground, names)
    applied_s = now_s()
    say(f"{len(names):,} applied in {applied_s - began_s:.1f} s")
    await _wait_for_success(ground)
    seconds = max(ground.ledger.succeeded_at.values()) - began_s
    asked = await instance.quiet_requests(ground.api) - before
    say(f"{len(names):,} succeeded in {seconds:.1f} s")
    return {
        "seconds": round(seconds, 2),
        "seconds_per_1000": round(1000 * seconds / len(names), 2),
        "succeeded_s": deciles([ground.ledger.succeeded_at[name] - began_s for name in names]),
        "apply_s": round(applied_s - began_s, 2),
        "writes_per_resource": round(requests.writes(asked) / len(names), 3),
        "lists_per_resource": round(requests.of_verb(asked, "list") / len(names), 3),
        "requests_per_resource": requests.per(asked, len(names)),
    }


async def steady(ground: Ground, names: Sequence[str], *, per_s: float) -> Figures:
    """Apply resources at a steady rate beside those that are there, and measure how soon each has its Job.

    From when the client has the API server's answer to when it is told of the Job.
    """
    began_s = now_s()
    async with asyncio.TaskGroup() as tasks:
        applied = []
        for number, name in enumerate(names):
            await asyncio.sleep(max(0.0, began_s + number / per_s - now_s()))
            applied.append(tasks.create_task(ground.apply(name)))
    await _wait_for_success(ground)
    waits_ms = [
        # The watch may be faster than the answer.
        1000 * max(0.0, ground.ledger.job_at[name] - task.result())
        for name, task in zip(names, applied, strict=True)
    ]
    figures = {f"apply_to_job_p{percent}_ms": round(percentile(waits_ms, percent), 1) for percent in (50, 99)}
    say(f"{len(names):,} more at {per_s:g} a second: {figures}")
    return {**figures, "apply_to_job_ms": deciles(waits_ms), "steady_n": len(names), "steady_per_s": per_s}


async def idle(ground: Ground, instance: Instance, *, seconds: float) -> Figures:
    """Do nothing, and measure what the operator does meanwhile, and its memory at the end."""
    before = await instance.quiet_requests(ground.api)
    say(f"idle for {seconds:g} s")
    cpu_s = instance.times.cpu_s
    await asyncio.sleep(seconds)
    spent_s = instance.times.cpu_s - cpu_s
    asked = await instance.requests(ground.api) - before
    return {
        **read_memory(instance),
        "idle_s": seconds,
        "idle_cpu_s": round(spent_s, 2),
        "idle_writes": requests.writes(asked),
        "idle_requests": requests.per(asked, 1),
    }


async def restart(ground: Ground, instance: Instance, name: str) -> Figures:
    """Delete the operator's pod, apply a resource once its process has ended, and see when that has its Job.

    Counted from the new process's start, which may come before the old one's end: it is the most that a start takes.
    """
    await end_instance(ground.api, instance)
    new, _ = await asyncio.gather(
        find_instance(ground.api, instance.namespace, after=instance, is_ready=False), ground.apply(name)
    )
    await _wait_for_success(ground)
    seconds = ground.ledger.job_at[name] - new.times.started_s
    say(f"acts {seconds:.2f} s after its start")
    return {"restart_s": round(seconds, 2), "restart_peak_rss_mb": megabytes(new.memory.peak_bytes)}


async def running(ground: Ground, instance: Instance, names: Sequence[str], *, seconds: float) -> Figures:
    """Apply all, wait until all run, and measure what the operator asks of the API server while they do."""
    await _apply_all(ground, names)
    async with saying(ground.ledger.summary):
        await ground.ledger.wait_until("To run", lambda: ground.ledger.counts["Running"] == len(ground.applied))
    say(f"{len(names):,} run; measuring for {seconds:g} s")
    async with growing_log(ground.log):
        before, cpu_s = await instance.requests(ground.api), instance.times.cpu_s
        began_s = now_s()
        await asyncio.sleep(seconds)
        asked, spent_s = await instance.requests(ground.api) - before, instance.times.cpu_s - cpu_s
        elapsed_s = now_s() - began_s
    return {
        "running_s": round(elapsed_s, 2),
        "requests_per_s": round(requests.total(asked) / elapsed_s, 2),
        "writes_per_s": round(requests.writes(asked) / elapsed_s, 2),
        "each_per_s": requests.per(asked, elapsed_s),
        "cpu_s_per_s": round(spent_s / elapsed_s, 3),
        **read_memory(instance),
    }


def read_memory(instance: Instance) -> Figures:
    """Read what the operator has in memory now, and the most since its start."""
    read = instance.memory
    return {"operator_rss_mb": megabytes(read.rss_bytes), "operator_peak_rss_mb": megabytes(read.peak_bytes)}


async def _apply_all(ground: Ground, names: Sequence[str]) -> None:
    waiting = iter(names)

    async def work() -> None:
        for name in waiting:
            await ground.apply(name)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(work())


async def _wait_for_success(ground: Ground) -> None:
    """Wait until all that was applied so far has succeeded."""
    async with saying(ground.ledger.summary):
        await ground.ledger.wait_until("Success", lambda: len(ground.ledger.succeeded_at) == len(ground.applied))
