"""Bundles of the qualities that fit splats on a GPU, made without one: few steps, on an emulated one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sogs_worker.engines import fitting, native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.refine import COLOURS, SHAPES
from sogs_worker.refine.refine import Plan
from sogs_worker.render.cuda.program import Program
from sogs_worker.splats import Splats

HASTE = 6.0
"""How much longer steps are than those of a real encoding, of which there are a hundred times as many."""
PLAN = Plan(pictures=12, held_out=4, side=32)


def build_program(folder: Path) -> Program:
    """Compile the kernels for this machine's CPU."""
    from cuda_emulator.host import HostProgram

    return HostProgram(folder)


@contextmanager
def emulated(program: Program) -> Iterator[None]:
    """Fit splats on the CPU within the block, to a few small pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sogs_worker.refine.refine.load_program", lambda: program)
        patch.setattr("sogs_worker.refine.refine.PLAN", PLAN)
        yield


@contextmanager
def few_steps(steps: int) -> Iterator[None]:
    """Take so few and long steps within the block that they can be emulated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "SHAPES", replace(SHAPES.scaled(HASTE), views=2, steps=steps))
        patch.setattr(fitting, "COLOURS", replace(COLOURS.scaled(HASTE), steps=steps))
        yield


def encode_hastily(scene: Splats, parameters: Parameters, steps: int) -> EncodedScene:
    """Encode with so few steps that they can be emulated."""
    with few_steps(steps):
        return native.encode(scene, parameters=parameters, device="cpu")
