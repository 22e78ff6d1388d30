"""Memory that was freed between blocks that live on goes back to the system."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

import pytest

from sogs_worker.engines.heap import return_freed

BLOCKS, BLOCK_BYTES = 1000, 100_000
"""Blocks below the 128 KiB from which glibc asks the system for each."""


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap can be told")
def test_what_is_freed_goes_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
    blocks = [libc.malloc(BLOCK_BYTES) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK_BYTES)
    living, freed = blocks[::10], [block for number, block in enumerate(blocks) if number % 10]
    for block in freed:
        libc.free(block)
    kept = resident_bytes()
    return_freed()
    returned = kept - resident_bytes()
    for block in living:
        libc.free(block)
    assert returned > len(freed) * BLOCK_BYTES / 2
