"""Fitting on this machine: kernels that run on its CPU, and a few small pictures for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refined_bundles import build_program, emulated
from sogs_worker.render.cuda.program import Program


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build_program(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(autouse=True)
def small(program: Program) -> Iterator[None]:
    with emulated(program):
        yield
