"""What a primitive of splats holds: attributes of KHR_gaussian_splatting, or an SPZ file in their place.

The attributes are those of the ratified extension. SPZ is read under the three names that its drafts gave it, as
cesium-native does, and its axes are those of the glTF.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

from sogs_worker.encode.opacity import logits
from sogs_worker.errors import BadInputError
from sogs_worker.formats.glb.accessors import find_column, find_view, read_column
from sogs_worker.formats.glb.container import Span
from sogs_worker.formats.glb.document import Document, Section, parse_section, shown
from sogs_worker.formats.plausible import refuse_implausible
from sogs_worker.formats.scales import log_scales
from sogs_worker.formats.spz.file import decode_spz
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Splats

SPLATS = "KHR_gaussian_splatting"
KERNEL = "ellipse"
COLOUR_SPACE = "srgb_rec709_display"
SPZ_ALONE = "KHR_spz_gaussian_splats_compression"
"""Of the earliest draft, without KHR_gaussian_splatting around it."""

SPZ_NAMES = ("KHR_gaussian_splatting_compression_spz_2", "KHR_gaussian_splatting_compression_spz", SPZ_ALONE)


def is_of_splats(primitive: Section) -> bool:
    """Tell a primitive of splats from a mesh or another point cloud."""
    extensions = parse_section(primitive, "extensions")
    return SPLATS in extensions or SPZ_ALONE in extensions


def attribute(name: str) -> str:
    """Return the semantic of one of the extension's attributes."""
    return f"{SPLATS}:{name}"


def harmonic(coefficient: int) -> str:
    """Return the semantic of the n-th of all coefficients, of which the first is the constant one."""
    degree = int(coefficient**0.5)
    return attribute(f"SH_DEGREE_{degree}_COEF_{coefficient - degree**2}")


def read_primitive(file: BinaryIO, document: Document, primitive: Section, body: Span) -> Splats:
    """Read the splats of a primitive, in the axes of the glTF and without their node's matrix.

    Raises:
        BadInputError: without the file's name; if they are drawn in a way that this has no model of, or lack something.
    """
    extensions = parse_section(primitive, "extensions")
    splats = parse_section(extensions, SPLATS)
    for field, expected in (("kernel", KERNEL), ("colorSpace", COLOUR_SPACE)):
        # A primitive of the drafts may say nothing.
        if (value := splats.get(field, expected)) != expected:
            raise BadInputError(f"the splats' {field} is {shown(value)}, but only {expected} can be read; export it so")
    packed = {**extensions, **parse_section(splats, "extensions")}
    for name in SPZ_NAMES:
        if name in packed:
            view = find_view(document, parse_section(packed, name).get("bufferView"), body)
            file.seek(view.start)
            return decode_spz(io.BytesIO(file.read(view.size_bytes)))
    return _read_attributes(file, document, primitive, body)


def _read_attributes(file: BinaryIO, document: Document, primitive: Section, body: Span) -> Splats:
    attributes = parse_section(primitive, "attributes")
    if "indices" in primitive:
        raise BadInputError("a primitive of splats has indices, which are not read; export it without")
    coefficients = _count_coefficients(attributes)
    semantics = {"POSITION": 3, attribute("ROTATION"): 4, attribute("SCALE"): 3, attribute("OPACITY"): 1}
    semantics |= {harmonic(each): 3 for each in range(1 + coefficients)}
    if missing := [name for name in semantics if name not in attributes]:
        raise BadInputError(f"a primitive of splats has no {missing[0]}; export the scene again")
    columns = {name: find_column(document, attributes[name], width, body) for name, width in semantics.items()}
    count = columns["POSITION"].count
    for name, column in columns.items():
        if column.count != count:
            raise BadInputError(f"{name} has {column.count:,} values for {count:,} splats; export the scene again")
    refuse_implausible(count, coefficients, body.size_bytes)

    def read(name: str) -> Floats:
        return read_column(file, columns[name])

    shn = np.empty((count, coefficients, 3), np.float32)
    for each in range(coefficients):
        shn[:, each] = read(harmonic(1 + each))
    return Splats(
        positions=read("POSITION"),
        rotations=np.roll(read(attribute("ROTATION")), 1, axis=1),
        scales=_logs(read(attribute("SCALE"))),
        opacities=logits(read(attribute("OPACITY")))[:, 0],
        sh0=read(harmonic(0)),
        shn=shn,
    )


def _count_coefficients(attributes: Section) -> int:
    """Count the SH coefficients a channel above the constant one; a band that is begun counts as a whole."""
    bands = [
        band for band in range(1, len(SH_COEFFICIENTS)) if any(
            harmonic(1 + each) in attributes for each in range(SH_COEFFICIENTS[band - 1], SH_COEFFICIENTS[band]))
    ]  # fmt: skip
    return SH_COEFFICIENTS[max(bands, default=0)]


def _logs(scales: Floats) -> Any:
    """Return the logarithms; the extension's review draft stored these, and so negative numbers that it forbids now."""
    if np.count_nonzero(scales < 0) * 2 > scales.size:
        return scales
    return log_scales(scales)
