"""The kernels of the rasteriser compiled for the CPU: their arithmetic can be tested where there is no GPU."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

from sogs_worker.render.cuda.program import Argument, definitions, pack, source

HEADER = Path(__file__).with_name("emulator.hpp")
SIGNATURE = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')


class HostProgram:
    """A `Program` whose kernels run on this machine's CPU, for tensors there."""

    def __init__(self, folder: Path) -> None:
        code, library = folder / "kernels.cpp", folder / "kernels.so"
        code.write_text("\n".join([HEADER.read_text(), source(), *map(_entry, SIGNATURE.finditer(source()))]))
        options = [f"-D{name}={value}" for name, value in definitions().items()]
        command = ["g++", "-std=c++20", "-O2", "-shared", "-fPIC", *options, "-o", str(library), str(code)]
        subprocess.run(command, check=True)
        self._library = ctypes.CDLL(str(library))

    def launch(self, name: str, blocks: int, threads: int, *arguments: Argument) -> None:
        """Run a kernel to its end."""
        packed = [pack(argument) for argument in arguments]
        addresses = (ctypes.c_void_p * len(packed))(*map(ctypes.addressof, packed))
        self._library[f"run_{name}"](blocks, threads, addresses)


def _entry(kernel: re.Match[str]) -> str:
    """Write a function that starts a kernel with arguments as CUDA's driver takes them: an address of each."""
    name, parameters = kernel.groups()
    types = [re.sub(r"\w+$", "", parameter.strip()) for parameter in parameters.split(",")]
    values = ", ".join(f"*({kind}*)arguments[{number}]" for number, kind in enumerate(types))
    return (
        f'extern "C" void run_{name}(int blocks, int threads, void **arguments) '
        f"{{ run_blocks(blocks, threads, [&] {{ {name}({values}); }}); }}"
    )
