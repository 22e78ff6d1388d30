"""What NVIDIA's driver tells of the first GPU, through its own library: no package, no process to start."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SAMPLES_EVERY_S = 0.02


class _Memory(ctypes.Structure):
    """`nvmlMemory_t` of the NVML reference: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class Gpu:
    """The first GPU of this machine."""

    def __init__(self, library: ctypes.CDLL, device: ctypes.c_void_p) -> None:
        self._library, self._device = library, device

    @property
    def name(self) -> str:
        """Return the product's name."""
        text = ctypes.create_string_buffer(96)
        self._library.nvmlDeviceGetName(self._device, text, ctypes.c_uint(len(text)))
        return text.value.decode()

    def used_bytes(self) -> int:
        """Return the memory in use by all processes."""
        memory = _Memory()
        self._library.nvmlDeviceGetMemoryInfo(self._device, ctypes.byref(memory))
        return int(memory.used)


def find_gpu() -> Gpu | None:
    """Return the first GPU, or None where there is no driver or no GPU."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    device = ctypes.c_void_p()
    found = library.nvmlInit_v2() == 0 and library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) == 0
    return Gpu(library, device) if found else None


@dataclass
class Peak:
    """The highest use seen above that at the start; None without a GPU."""

    bytes: int | None = None


@contextmanager
def watching(used_bytes: Callable[[], int] | None) -> Iterator[Peak]:
    """Sample the memory in use while the block runs. It counts all processes, so the GPU has to be otherwise idle.

    Args:
        used_bytes: reads the memory in use; None: there is no GPU.
    """
    peak = Peak()
    if used_bytes is None:
        yield peak
        return
    before = used_bytes()
    peak.bytes = 0
    done = threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLES_EVERY_S):
            peak.bytes = max(peak.bytes or 0, used_bytes() - before)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
