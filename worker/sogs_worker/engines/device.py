"""The device that tensors live on."""

from __future__ import annotations

import ctypes
import threading

from sogs_worker.errors import NoGPUError, UsageError

DEVICES = ("auto", "cuda", "cpu")


def start_driver() -> None:
    """Begin to start the GPU's driver, where there is one, in a thread: the 0.3 s pass while torch is imported."""
    threading.Thread(target=_retain_context, daemon=True).start()


def _retain_context() -> None:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(device), 0) == 0:
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)  # the one that torch will use


def product_name(device: str) -> str:
    """Return what people call `cuda` here, such as NVIDIA L4; `cpu` is cpu."""
    if device != "cuda":
        return device
    import torch

    return torch.cuda.get_device_name()


def resolve_device(name: str) -> str:
    """Return `cuda` or `cpu`; `auto` takes a GPU where there is one.

    Raises:
        UsageError: if the name is none of auto, cuda, cpu.
        NoGPUError: if cuda is asked for and torch can use none.
    """
    if name not in DEVICES:
        raise UsageError(f"device must be one of {', '.join(DEVICES)}, got {name!r}")
    if name == "cpu":
        return name
    import torch  # takes seconds to load, which asking for the CPU should not cost

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise NoGPUError("device cuda was asked for but no usable NVIDIA GPU is here; use --device cpu or a GPU node")
    return "cpu"
