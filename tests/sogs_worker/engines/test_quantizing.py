"""Splats are quantised once more with other steps."""

from __future__ import annotations

import pytest

from drawn_scenes import random_scene
from sogs_worker.engines.native import Encoding
from sogs_worker.engines.parameters import Parameters


@pytest.mark.parametrize("bands", [0, 2])
def test_steps_of_the_same_width_give_the_same_and_wider_ones_fewer_bytes(bands: int) -> None:
    encoding = Encoding(random_scene(3000, bands, seed=1), Parameters(), "cpu")
    first = encoding.run(2000)
    assert encoding.kept is not None
    again = encoding.quantize_anew(encoding.kept, first, 1.0)
    assert (again.images, again.meta.to_json(), again.dropped) == (first.images, first.meta.to_json(), first.dropped)
    sizes = [sum(map(len, encoding.quantize_anew(encoding.kept, first, width).images.values())) for width in (1, 2, 4)]
    assert sizes[0] > sizes[1] > sizes[2]
