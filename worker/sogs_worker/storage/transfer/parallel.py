"""The same work on many items, in a few threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
T = TypeVar("T")


def map_in_threads(work: Callable[[Item], T], items: Iterable[Item], threads: int) -> list[T]:
    """Return `work` of all items in their order; after the first error no further item is begun, and it is raised.

    An interruption does not wait for the items that are being worked on: their server may have stopped to answer.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="transfer")
    futures = [pool.submit(work, item) for item in items]
    try:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(cancel_futures=True)
    for future in done:
        future.result()
    return [future.result() for future in futures]
