"""The C library's heap."""

from __future__ import annotations

import ctypes


def tidy(device: str) -> None:
    """Give the system what the heap keeps for later, where it has the tensors: on the `cpu`."""
    if device == "cpu":
        return_freed()


def return_freed() -> None:
    """Give the system what the heap keeps for later, all pages of it, some 10 ms for a gigabyte; only glibc can.

    Tensors of up to 32 MiB come from the heap, where those that live on lie between those that are freed. What the heap
    had become by one stage of encoding a million splats, and the next could not use, was twice the scene.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
