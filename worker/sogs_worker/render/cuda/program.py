"""The kernels: compiled by NVRTC, which torch brings, and started on torch's stream."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor

from sogs_worker.encode.harmonics import C0, C1, C2, C3
from sogs_worker.errors import NoGPUError
from sogs_worker.render.blend import LARGEST_ALPHA
from sogs_worker.render.project import BLUR_PIXELS2, GUARD, NEAR, SMALLEST_ALPHA
from sogs_worker.render.scene import LARGEST_LOG_SCALE
from sogs_worker.render.tiles import TILE

KERNELS = files(__package__) / "kernels"
SOURCES = ("picture.cu", "gradients.cu", "steps.cu")
HEADERS = ("splats.cuh", "projection.cuh")

OPAQUE = 2e-4
"""A pixel is finished when this little of what lies behind would show: a twentieth of a level of an 8-bit picture."""
BUCKET = 32
"""Ellipses of a tile between two checkpoints: the lanes of a warp."""
PARTS = 9
"""Of an ellipse's gradients: mean (2), conic (3), alpha, colour (3)."""
WARPS = 4
"""Of a block of `blend_gradients`: its shared memory is 6 kB for each."""

THREADS = 256
"""Of a block of the kernels whose threads have nothing to do with each other."""

Argument = Tensor | int | float | Sequence[float] | None


def definitions() -> dict[str, str]:
    """Return the constants that the sources expect, as C writes them."""
    numbers = {
        "NEAR": NEAR,
        "BLUR": BLUR_PIXELS2,
        "SMALLEST_ALPHA": SMALLEST_ALPHA,
        "LARGEST_ALPHA": LARGEST_ALPHA,
        "LARGEST_LOG_SCALE": LARGEST_LOG_SCALE,
        "GUARD": GUARD,
        "OPAQUE": OPAQUE,
        "C0": C0,
        "C1": C1,
    }
    lists = {"C2_VALUES": C2, "C3_VALUES": C3}
    return {
        "TILE": str(TILE),
        "BUCKET": str(BUCKET),
        "PARTS": str(PARTS),
        "WARPS": str(WARPS),
        **{name: _literal(value) for name, value in numbers.items()},
        **{name: ",".join(map(_literal, values)) for name, values in lists.items()},
    }


def _literal(value: float) -> str:
    return f"{value!r}f"


def source() -> str:
    """Return all kernels as one source without includes."""
    parts = [(KERNELS / name).read_text() for name in (*HEADERS, *SOURCES)]
    return "\n".join(line for part in parts for line in part.splitlines() if not line.startswith("#include"))


class Program(Protocol):
    """Kernels that can be started."""

    def launch(self, name: str, blocks: int, threads: int, *arguments: Argument) -> None:
        """Start a kernel; tensors are passed as addresses, None as null, a sequence as a structure of floats."""


@cache
def load_program() -> Program:
    """Compile the kernels for this GPU and load them.

    Raises:
        NoGPUError: what compiles or starts them is not installed, or does not know this GPU.
    """
    require_bindings()
    major, minor = torch.cuda.get_device_capability()
    torch.zeros(1, device="cuda")  # the context that modules are loaded into
    try:
        return _Module(compile_kernels(f"sm_{major}{minor}"))
    except RuntimeError as error:
        raise NoGPUError(f"the kernels that draw on this GPU cannot be made: {error}; use the CPU") from error


def require_bindings() -> None:
    """Make sure that kernels can be started.

    Raises:
        NoGPUError: they cannot.
    """
    if find_spec("cuda") is None or find_spec("cuda.bindings") is None:
        raise NoGPUError(
            "pictures on a GPU need the package cuda-bindings, which torch for CUDA brings from version 2.10 on;"
            " install such a torch, or use the CPU"
        )


def compile_kernels(architecture: str) -> bytes:
    """Compile the kernels for one architecture, such as sm_90; no GPU is needed for it.

    Raises:
        RuntimeError: with the compiler's words.
    """
    from cuda.bindings import nvrtc

    program = _checked(nvrtc.nvrtcCreateProgram(source().encode(), b"splats.cu", 0, [], []))
    options = [f"--gpu-architecture={architecture}", "--std=c++17", "--use_fast_math"]
    options += [f"-D{name}={value}" for name, value in definitions().items()]
    encoded = [option.encode() for option in options]
    if int(nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)[0]):
        log = b" " * _checked(nvrtc.nvrtcGetProgramLogSize(program))
        _checked(nvrtc.nvrtcGetProgramLog(program, log))
        raise RuntimeError(f"the kernels do not compile for {architecture}: {log.decode()}")
    binary = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
    _checked(nvrtc.nvrtcGetCUBIN(program, binary))
    _checked(nvrtc.nvrtcDestroyProgram(program))
    return bytes(binary)


class _Module:
    """Kernels in the memory of a GPU."""

    def __init__(self, binary: bytes) -> None:
        from cuda.bindings import driver

        self._driver = driver
        self._module = _checked(driver.cuModuleLoadData(binary))
        self._functions: dict[str, Any] = {}

    def launch(self, name: str, blocks: int, threads: int, *arguments: Argument) -> None:
        if blocks == 0:
            return
        if name not in self._functions:
            self._functions[name] = _checked(self._driver.cuModuleGetFunction(self._module, name.encode()))
        packed = [pack(argument) for argument in arguments]
        addresses = (ctypes.c_void_p * len(packed))(*map(ctypes.addressof, packed))
        stream = torch.cuda.current_stream().cuda_stream
        grid, block = (blocks, 1, 1), (threads, 1, 1)
        launch = self._driver.cuLaunchKernel
        _checked(launch(self._functions[name], *grid, *block, 0, stream, ctypes.addressof(addresses), 0))


def pack(argument: Argument) -> Any:
    """Return an argument as C has it."""
    if argument is None:
        return ctypes.c_void_p()
    if isinstance(argument, Tensor):
        if not argument.is_contiguous() or argument.dtype == torch.float64:
            raise ValueError("kernels read contiguous tensors, none of float64")
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return ctypes.c_int(argument)
    if isinstance(argument, float):
        return ctypes.c_float(argument)
    return (ctypes.c_float * len(argument))(*argument)


def _checked(result: tuple[Any, ...]) -> Any:
    """Return what a call gave.

    Raises:
        RuntimeError: it failed.
    """
    error, *values = result
    if int(error):
        raise RuntimeError(f"CUDA: {error}")
    return values[0] if values else None


def blocks_for(threads: int) -> int:
    """Count the blocks of THREADS that have so many threads."""
    return -(-threads // THREADS)
