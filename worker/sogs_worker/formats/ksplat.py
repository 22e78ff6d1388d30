"""The .ksplat format of the viewer GaussianSplats3D: sections of splats, near which other splats are.

The layout is that of `SplatBuffer.js`, version 0.1: three compression levels, of which the levels 1 and 2 store
positions as 16-bit steps from the centre of a bucket of splats, and SH bands 0 to 2.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.opacity import dequantize_opacities
from sogs_worker.encode.origin import centre
from sogs_worker.errors import BadInputError
from sogs_worker.files import reading
from sogs_worker.formats.colour import colours_to_sh0
from sogs_worker.formats.scales import log_scales
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Splats

HEADER = struct.Struct("<BB2xIIIIH2x3fff")
HEADER_BYTES = 4096
SECTION = struct.Struct("<IIIIfH2xIIIIH")
SECTION_BYTES = 1024
"""Of a header with its padding."""

CENTRE_BYTES = 12
STEPS = 32767
"""Steps on each side of a bucket's centre, where a section does not say."""

FARTHEST_HARMONIC = 1.5
"""Bound of level 2's coefficients, where the file does not say."""

MAX_BANDS = 2
KINDS = (("<f4", "<f4", "<f4"), ("<u2", "<f2", "<f2"), ("<u2", "<f2", "u1"))
"""By compression level: NumPy's name of a coordinate, of a scale or rotation, and of a coefficient."""

BLOCK = 1 << 16
"""Splats decoded at once."""

Table = NDArray[Any]


@dataclass(frozen=True)
class Header:
    """What the file declares, where it is of use.

    Attributes:
        level: of compression, 0 to 2.
        sections: how many there are.
        harmonics: least and greatest coefficient of level 2.
    """

    level: int
    sections: int
    harmonics: tuple[float, float]


@dataclass(frozen=True)
class Section:
    """Consecutive splats that are stored alike, in an order in which those of a bucket follow each other.

    Attributes:
        count: splats.
        bands: SH bands, 0 to 2.
        bucket_size: splats of each full bucket.
        full: how many of the buckets are full; they come first.
        partial: how many are not.
        buckets: of both together, as many as have a centre.
        step: world units of one step of a coordinate.
        steps: what the centre's own coordinates are stored as.
        start: where the lengths of the partial buckets lie; the centres and the splats follow.
        centre_bytes: what a bucket's centre takes.
    """

    count: int
    bands: int
    bucket_size: int
    full: int
    partial: int
    buckets: int
    step: float
    steps: int
    start: int
    centre_bytes: int

    @property
    def centres_start(self) -> int:
        """Where the centres of the buckets begin."""
        return self.start + 4 * self.partial

    @property
    def rows_start(self) -> int:
        """Where the splats begin."""
        return self.centres_start + self.centre_bytes * self.buckets


def read_ksplat(path: Path) -> Splats:
    """Read a scene from a .ksplat file. Standard deviations that are negative become NaN, which the encoder drops.

    Raises:
        BadInputError: names the file and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    with reading(path) as file:
        header = _read_header(file)
        sections = list(_read_sections(file, header))
        count, bands = sum(each.count for each in sections), max((each.bands for each in sections), default=0)
        if count == 0:
            raise BadInputError("the .ksplat has no splats; export a scene with at least one")
        widths = {"positions": 3, "rotations": 4, "scales": 3, "sh0": 3, "opacities": 1}
        arrays: dict[str, Any] = {name: np.empty((count, width), np.float32) for name, width in widths.items()}
        arrays["shn"] = np.zeros((count, SH_COEFFICIENTS[bands], 3), np.float32)
        first = 0
        # Floats may be anything; the encoder drops what is not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            for section in filter(lambda each: each.count, sections):
                for rows, positions in _read_rows(file, header, section):
                    place = slice(first, first + len(rows))
                    arrays["positions"][place] = positions
                    _decode(rows, header, {name: array[place] for name, array in arrays.items()})
                    first = place.stop
        arrays["opacities"] = arrays["opacities"][:, 0]
        arrays["positions"], origin = centre(arrays["positions"], arrays["scales"])
        return Splats(**arrays, origin=origin)


def _read_header(file: BinaryIO) -> Header:
    data = file.read(HEADER_BYTES)
    if len(data) < HEADER_BYTES:
        raise BadInputError(f"the .ksplat has {len(data):,} bytes of a header of {HEADER_BYTES:,}; copy it again")
    major, minor, sections, _, _, _, level, *_, low, high = HEADER.unpack_from(data)
    if major != 0 or minor < 1 or level >= len(KINDS):
        raise BadInputError(
            f".ksplat version {major}.{minor} of compression level {level} cannot be read; expected version 0.1 and a"
            " level of 0 to 2: it is not a .ksplat file, or one to export again"
        )
    # 0 is how the format's own writer leaves them out.
    return Header(level, sections, (low or -FARTHEST_HARMONIC, high or FARTHEST_HARMONIC))


def _read_sections(file: BinaryIO, header: Header) -> Iterator[Section]:
    """Read the sections' headers, and check that the file is long enough for each of them."""
    size_bytes = os.fstat(file.fileno()).st_size
    start = HEADER_BYTES + SECTION_BYTES * header.sections
    if start > size_bytes:
        raise BadInputError(f"the .ksplat declares {header.sections:,} sections, but is cut off before; copy it again")
    for _ in range(header.sections):
        section = _parse_section(file.read(SECTION_BYTES), header, start)
        start = section.rows_start + section.count * _row_dtype(header.level, section.bands).itemsize
        if start > size_bytes:
            raise BadInputError(
                f"the .ksplat is cut off: a section ends at byte {start:,} of {size_bytes:,}; copy it again"
            )
        yield section


def _parse_section(data: bytes, header: Header, start: int) -> Section:
    # The first count is how many had been loaded when the file was saved; viewers take the greatest one.
    _, count, bucket_size, buckets, block, centre_bytes, steps, _, full, partial, bands = SECTION.unpack_from(data)
    if bands > MAX_BANDS:
        raise BadInputError(f"a section of the .ksplat has {bands} SH bands, but at most 2 are known; export it again")
    if header.level and count and (full + partial > buckets or centre_bytes < CENTRE_BYTES):
        raise BadInputError("the buckets of a section of the .ksplat have no centres; export the scene again")
    steps = steps or STEPS
    return Section(count, bands, bucket_size, full, partial, buckets, block / 2 / steps, steps, start, centre_bytes)


def _row_dtype(level: int, bands: int) -> np.dtype[Any]:
    position, shape, harmonic = KINDS[level]
    return np.dtype(
        [
            ("position", position, 3),
            ("scale", shape, 3),
            ("rotation", shape, 4),
            ("colour", "u1", 4),
            ("harmonics", harmonic, (3 * SH_COEFFICIENTS[bands],)),
        ]
    )


def _read_rows(file: BinaryIO, header: Header, section: Section) -> Iterator[tuple[Table, NDArray[np.floating]]]:
    """Read the splats of a section a block at a time, with their positions (N, 3)."""
    ends, centres = _read_buckets(file, section) if header.level else (None, None)
    file.seek(section.rows_start)
    dtype = _row_dtype(header.level, section.bands)
    for first in range(0, section.count, BLOCK):
        rows = _read_array(file, dtype, min(BLOCK, section.count - first))
        positions = rows["position"]
        if ends is not None and centres is not None:
            buckets = np.searchsorted(ends, np.arange(first, first + len(rows)), side="right")
            positions = (positions.astype(np.float64) - section.steps) * section.step + centres[buckets]
        yield rows, positions


def _read_buckets(file: BinaryIO, section: Section) -> tuple[NDArray[np.int64], Table]:
    """Return the number of splats up to the end of each bucket, ascending, and the buckets' centres (B, 3)."""
    file.seek(section.start)
    lengths = _read_array(file, np.dtype("<u4"), section.partial)
    centres = _read_array(file, np.dtype((np.void, section.centre_bytes)), section.buckets)
    ends = np.concatenate([np.full(section.full, section.bucket_size, np.int64), lengths.astype(np.int64)]).cumsum()
    if section.count > (ends[-1] if len(ends) else 0):
        raise BadInputError(f"the buckets of a section of the .ksplat hold fewer than its {section.count:,} splats")
    floats = centres.view(np.uint8).reshape(section.buckets, -1)[:, :CENTRE_BYTES]
    return ends, np.ascontiguousarray(floats).view("<f4")


def _read_array(file: BinaryIO, dtype: np.dtype[Any], count: int) -> Table:
    rows = np.fromfile(file, dtype, count)
    if len(rows) < count:
        raise BadInputError("the .ksplat became shorter while it was read; copy it again")
    return rows


def _decode(rows: Table, header: Header, arrays: dict[str, Floats]) -> None:
    """Decode all but the positions into the arrays' rows."""
    arrays["rotations"][:] = rows["rotation"]
    arrays["scales"][:] = log_scales(rows["scale"].astype(np.float32))
    arrays["sh0"][:] = colours_to_sh0(rows["colour"][:, :3] / 255)
    arrays["opacities"][:] = dequantize_opacities(rows["colour"][:, 3:])
    harmonics = rows["harmonics"].astype(np.float64)
    if rows.dtype["harmonics"].base == np.uint8:
        low, high = header.harmonics
        harmonics = low + harmonics / 255 * (high - low)
    # Band after band, and each has its coefficients of red, then of green, then of blue.
    first = 0
    while 3 * first < harmonics.shape[1]:
        last = SH_COEFFICIENTS[SH_COEFFICIENTS.index(first) + 1]
        band = harmonics[:, 3 * first : 3 * last].reshape(len(rows), 3, last - first)
        arrays["shn"][:, first:last] = band.transpose(0, 2, 1)
        first = last
