"""Which properties of a vertex make up which attribute of a splat."""

from __future__ import annotations

import re
from collections import Counter

from sogs_worker.errors import BadInputError
from sogs_worker.formats.bands import MOST_BANDS, count_coefficients
from sogs_worker.formats.ply.header import Element
from sogs_worker.splats import SH_COEFFICIENTS

ATTRIBUTES = {
    "positions": ("x", "y", "z"),
    "rotations": ("rot_0", "rot_1", "rot_2", "rot_3"),
    "scales": ("scale_0", "scale_1", "scale_2"),
    "opacities": ("opacity",),
    "sh0": ("f_dc_0", "f_dc_1", "f_dc_2"),
}
"""Properties that every splat has, by attribute of `Splats`."""

THICKNESS = ATTRIBUTES["scales"][-1]
"""What a splat of 2D Gaussian Splatting has not: it is flat there."""

_SH_NAME = re.compile(r"f_rest_(\d{1,9})")


def sh_names(stored: int) -> tuple[str, ...]:
    """Name the f_rest properties in the order of `Splats.shn`'s last two axes; the file has channels outermost.

    Args:
        stored: the SH coefficients a channel that the file has, of which those of the first bands are named.
    """
    kept = min(stored, SH_COEFFICIENTS[-1])
    return tuple(f"f_rest_{channel * stored + c}" for c in range(kept) for channel in range(3))


def locate_attributes(vertex: Element) -> dict[str, list[int]]:
    """Find each attribute's columns among the vertex's properties, which may be in any order and have others between.

    Two columns of scales mean flat splats, if all other properties are there.

    Raises:
        BadInputError: if a property is missing, repeated or a list, or the f_rest properties do not make whole bands.
    """
    names = [each.name for each in vertex.properties]
    if vertex.has_list:
        listed = next(each.name for each in vertex.properties if each.type is None)
        raise BadInputError(f"vertex property {listed} is a list; expected one number, export the scene again")
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise BadInputError(f"vertex property {repeated[0]} is declared twice; export the scene again")
    wanted = ATTRIBUTES | {"shn": sh_names(count_sh_coefficients(names))}
    missing = [name for columns in wanted.values() for name in columns if name not in names]
    if missing == [THICKNESS]:
        wanted["scales"] = wanted["scales"][:-1]
    elif missing:
        raise BadInputError(
            f"not a Gaussian splat scene: vertex lacks {', '.join(missing[:6])}{' ...' if len(missing) > 6 else ''};"
            " export it with all Gaussian properties"
        )
    return {attribute: [names.index(name) for name in columns] for attribute, columns in wanted.items()}


def count_sh_coefficients(names: list[str]) -> int:
    """Count the SH coefficients a channel among the names of properties.

    Raises:
        BadInputError: if the f_rest properties do not make whole bands.
    """
    found = [match for name in names if (match := _SH_NAME.fullmatch(name))]
    indices = sorted(int(match[1]) for match in found)
    if len(set(indices)) < len(indices):
        raise BadInputError("two f_rest properties have the same index; export the scene again")
    if indices != list(range(len(indices))):
        gap = next(i for i in range(len(indices)) if i not in indices)
        raise BadInputError(
            f"f_rest properties are not contiguous: f_rest_{gap} is missing of {len(indices)}; export it again"
        )
    if len(indices) not in (allowed := [3 * count_coefficients(bands) for bands in range(MOST_BANDS + 1)]):
        raise BadInputError(f"{len(indices)} f_rest properties make no whole SH bands; export with one of {allowed}")
    return len(indices) // 3
