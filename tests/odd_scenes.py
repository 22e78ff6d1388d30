"""Scenes that no trainer makes, and files hold all the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sogs_worker.splats import Splats
from splat_builders import build_splats, replace


def changed(attribute: str, rows: slice | int, value: object, *, count: int = 500, bands: int = 3) -> Splats:
    """Make splats with another value in some rows of an attribute."""
    splats = build_splats(count, bands=bands)
    values = getattr(splats, attribute).copy()
    values[rows] = value
    return replace(splats, **{attribute: values})


def constant_channels() -> Splats:
    """Make splats that lie in a plane, all with the same blue and no view-dependent colour."""
    splats = build_splats(300)
    positions, sh0 = splats.positions.copy(), splats.sh0.copy()
    positions[:, 1], sh0[:, 2] = 7.5, -0.25
    return replace(splats, positions=positions, sh0=sh0, shn=np.zeros_like(splats.shn))


EVERY = slice(None, None, 50)
ODD: dict[str, Callable[[], Splats]] = {
    "200 equal splats": lambda: build_splats(1).take(np.zeros(200, np.intp)),
    "constant channels": constant_channels,
    "few colours": lambda: changed("sh0", slice(None), np.float32([0, 10, 20])),
    "one place": lambda: changed("positions", slice(None), (1.0, -2.0, 3.0)),
    "positions of 1e6": lambda: changed("positions", EVERY, (1e6, -1e6, 0)),
    "scales of 50": lambda: changed("scales", EVERY, (50, -50, -4)),
    "scales of 100": lambda: changed("scales", EVERY, (100, 100, -100)),
    "flat splats": lambda: changed("scales", (slice(None), 2), -30),
    "no thickness": lambda: changed("scales", (slice(None), 2), -np.inf),
    "some points": lambda: changed("scales", EVERY, -np.inf),
    "points": lambda: changed("scales", slice(None), -np.inf),
    "zero quaternions": lambda: changed("rotations", EVERY, 0),
    "tiny quaternions": lambda: changed("rotations", slice(None), build_splats(500).rotations * np.float32(1e-30)),
    "colours of 1e6": lambda: changed("sh0", EVERY, 1e6),
    "alpha 1": lambda: changed("opacities", slice(None), np.inf),
    "alpha 0 and 1": lambda: changed("opacities", slice(None), np.tile(np.float32([-40, 40, np.inf, 0]), 125)),
    "all invisible": lambda: changed("opacities", slice(None), -40),
    "almost all invisible": lambda: changed("opacities", slice(1, None), -40),
}
