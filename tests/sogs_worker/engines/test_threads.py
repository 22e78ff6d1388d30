"""The bytes do not depend on how many threads torch works with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sogs_worker.engines.native import encode
from sogs_worker.engines.parameters import Parameters
from sogs_worker.splats import Splats
from splat_builders import build_splats

SPLATS = 40_000
"""torch divides a tensor among threads from 32,768 elements on. With this many, one float sum over the splats shows."""


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def encoded(splats: Splats, threads: int) -> tuple[bytes, dict[str, bytes]]:
    torch.set_num_threads(threads)
    scene = encode(splats, parameters=Parameters(quality="fast"), device="cpu")
    return scene.meta.to_json(), dict(scene.images)


def test_any_number_of_threads_makes_the_same_bytes() -> None:
    splats = build_splats(SPLATS, bands=1)
    meta, images = encoded(splats, 1)
    for threads in (2, 3):
        again, others = encoded(splats, threads)
        assert again == meta, f"{threads} threads"
        assert [name for name in images if others[name] != images[name]] == [], f"{threads} threads"
