"""What a command runs: phases in their order, each time with a new operator on new ground."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.operator import phases
from benchmarks.operator.api import Api
from benchmarks.operator.figures import Figures, format_sizes, spread
from benchmarks.operator.ground import Ground, prepared
from benchmarks.operator.instance import Instance, renew_instance
from benchmarks.operator.ledger import find_faults
from benchmarks.operator.progress import say

Keep = Callable[[Figures], None]


async def run_all(api: Api, options: argparse.Namespace, keep: Keep) -> tuple[Figures, list[str]]:
    """Run every phase with one number of resources; return figures, and faults as sentences."""
    count = options.resources
    async with _renewed(api, options, pods=count + options.more + 2, run_s=options.run_seconds) as (ground, instance):
        await phases.warm_up(ground, "zero")
        names = names_of("first", count)
        figures = await phases.burst(ground, instance, names)
        figures |= await phases.steady(ground, names_of("more", options.more), per_s=options.rate)
        figures |= await phases.idle(ground, instance, seconds=options.idle)
        figures |= await phases.restart(ground, instance, "last")
        figures = {**count_ends(ground, names), **figures}
        keep(figures)
        return figures, find_faults(ground.ledger, ground.applied)


async def run_sizes(api: Api, options: argparse.Namespace, keep: Keep) -> tuple[Figures, list[str]]:
    """Run the first phase alone with several numbers of resources, and print their table."""
    rows, faults = [], []
    for count in options.sizes:
        async with _renewed(api, options, pods=count + 1, run_s=options.run_seconds) as (ground, instance):
            await phases.warm_up(ground, "zero")
            names = names_of("first", count)
            figures = await phases.burst(ground, instance, names)
            rows.append({**count_ends(ground, names), **figures, **phases.read_memory(instance)})
            keep(rows[-1])
            faults += find_faults(ground.ledger, ground.applied)
    print(format_sizes(rows))
    return {**rows[-1], "sizes": rows, "slowest_to_fastest": spread(rows)}, faults


async def run_running(api: Api, options: argparse.Namespace, keep: Keep) -> tuple[Figures, list[str]]:
    """Measure what so many running pods cost the API server."""
    async with _renewed(api, options, pods=options.resources, run_s=None) as (ground, instance):
        names = names_of("first", options.resources)
        figures = await phases.running(ground, instance, names, seconds=options.running)
        figures = {"n": len(names), "running": ground.ledger.counts["Running"], **figures}
        keep(figures)
        return figures, []


def names_of(prefix: str, count: int) -> list[str]:
    """Name resources."""
    return [f"{prefix}-{number:05d}" for number in range(count)]


def count_ends(ground: Ground, names: list[str]) -> Figures:
    """Count how many of these have succeeded, and all Jobs that they ever had."""
    return {
        "n": len(names),
        "succeeded": sum(name in ground.ledger.succeeded_at for name in names),
        "jobs": sum(len(ground.ledger.jobs[name]) for name in names),
    }


@asynccontextmanager
async def _renewed(
    api: Api, options: argparse.Namespace, *, pods: int, run_s: float | None
) -> AsyncIterator[tuple[Ground, Instance]]:
    instance = await renew_instance(api, options.namespace)
    await instance.requests(api)  # refused before work starts, if it does not count
    say(f"a new operator, {instance.pod}, has {instance.memory.rss_bytes / 1e6:.0f} MB")
    async with prepared(api, pods=pods, run_s=run_s) as ground:
        yield ground, instance
        say("cleaning up")
