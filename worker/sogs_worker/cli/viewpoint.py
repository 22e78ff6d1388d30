"""Where a picture is drawn from, as a person types it."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass

from sogs_worker.errors import UsageError

MAX_SIDE = 8192
"""Of a picture, pixels: a mistyped size must not take all memory."""

VECTORS = ("--position", "--look-at", "--up")
NEGATIVE = re.compile(r"-[\d.]")

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Viewpoint:
    """Which camera draws.

    Attributes:
        cameras: a file of cameras, or its address; None without.
        camera: name or number of one of them; None is the first.
        size: of the picture, pixels; None is the camera's own.
        position: of a camera in the world; None without.
        target: what that looks at; None without.
        up: which way is up; None is what trained scenes have.
    """

    cameras: str | None = None
    camera: str | None = None
    size: tuple[int, int] | None = None
    position: Vector | None = None
    target: Vector | None = None
    up: Vector | None = None

    def check(self) -> None:
        """Refuse options that say nothing together.

        Raises:
            UsageError: names them.
        """
        if self.camera is not None and self.cameras is None:
            raise UsageError("--camera names one of the cameras of a file; name that by --cameras")
        if self.cameras is not None and (self.position or self.target or self.up):
            raise UsageError("--cameras says where to look from; leave --position, --look-at and --up out")
        if (self.position is None) != (self.target is None):
            raise UsageError("--position and --look-at say only together where to look from; name both or none")
        if self.position is not None and self.position == self.target:
            raise UsageError("--position and --look-at are one point; move one of them")
        if self.up is not None and not any(self.up):
            raise UsageError("--up 0,0,0 is no direction; name one, such as 0,-1,0")


def parse_size(text: str) -> tuple[int, int]:
    """Read `WxH`."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text, re.ASCII)
    sides = tuple(map(int, found.groups())) if found else (0, 0)
    if not all(1 <= side <= MAX_SIDE for side in sides):
        raise ArgumentTypeError(f"{text!r} is no size; name two numbers from 1 to {MAX_SIDE}, such as 800x600")
    return sides[0], sides[1]


def parse_vector(text: str) -> Vector:
    """Read `X,Y,Z`."""
    try:
        x, y, z = map(float, text.split(","))
    except ValueError:
        x = y = z = math.nan
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
        raise ArgumentTypeError(f"{text!r} is no point; name three numbers, such as 0,-1.5,3")
    return x, y, z


def join_vectors(arguments: Sequence[str]) -> list[str]:
    """Join options and points that begin with a minus, which the parser would take for options."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in VECTORS and NEGATIVE.match(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined
