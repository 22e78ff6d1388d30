"""Binary glTF with splats: all primitives of splats in its scene are read as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sogs_worker.errors import BadInputError
from sogs_worker.files import reading
from sogs_worker.formats.glb.axes import HALF_TURN
from sogs_worker.formats.glb.container import Span, read_container
from sogs_worker.formats.glb.document import Document, Section, parse_list
from sogs_worker.formats.glb.nodes import Matrix, find_meshes
from sogs_worker.formats.glb.primitives import SPLATS, SPZ_NAMES, is_of_splats, read_primitive
from sogs_worker.formats.placement import place
from sogs_worker.formats.plausible import refuse_implausible
from sogs_worker.splats import Floats, Splats

UNDERSTOOD = (SPLATS, *SPZ_NAMES, "KHR_mesh_quantization")
INDIFFERENT = ("KHR_materials_", "KHR_texture_")
"""How the names of extensions begin that change nothing of splats: their material is to be ignored."""

MAX_PIECES = 1024
"""Of splats in a scene: more are a file made to take long."""


def read_glb(path: Path) -> Splats:
    """Read a scene from a GLB, each primitive where its node places it, in the axes of a PLY.

    Meshes, animations and other scenes of the file are ignored.

    Raises:
        BadInputError: names the file and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    # Numbers may be anything: a matrix that overflows is refused, and a splat with what is not finite dropped.
    with reading(path) as file, np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        document, body = read_container(file)
        _refuse_unknown(document)
        pieces = list(_find_pieces(document))
        if not 1 <= len(pieces) <= MAX_PIECES:
            raise BadInputError(
                f"the GLB's scene has {len(pieces):,} primitives with {SPLATS}; expected 1 to {MAX_PIECES:,}"
            )
        splats = _read_each_once(file, document, [primitive for primitive, _ in pieces], body)
        placed = [place(each, HALF_TURN @ matrix) for each, (_, matrix) in zip(splats, pieces, strict=True)]
        return placed[0] if len(placed) == 1 else _join([each.counted_from(placed[0].origin) for each in placed])


def _read_each_once(file: BinaryIO, document: Document, primitives: Sequence[Section], body: Span) -> list[Splats]:
    """Read the primitives, of which several nodes may have the same one; together no more than the file can hold."""
    known: dict[int, Splats] = {}
    count = coefficients = 0
    for primitive in primitives:
        if id(primitive) not in known:
            known[id(primitive)] = read_primitive(file, document, primitive, body)
        splats = known[id(primitive)]
        count, coefficients = count + len(splats), max(coefficients, splats.shn.shape[1])
        refuse_implausible(count, coefficients, body.size_bytes)
    return [known[id(primitive)] for primitive in primitives]


def _refuse_unknown(document: Document) -> None:
    for name in parse_list(document.root, "extensionsRequired"):
        if name not in UNDERSTOOD and not str(name).startswith(INDIFFERENT):
            raise BadInputError(
                f"the GLB requires {str(name)[:80]}, which is not supported; export the splats without it"
            )


def _find_pieces(document: Document) -> Iterator[tuple[Section, Matrix]]:
    """Go through the primitives of splats, with their nodes' matrices."""
    for mesh, matrix in find_meshes(document):
        for primitive in parse_list(mesh, "primitives"):
            if isinstance(primitive, dict) and is_of_splats(primitive):
                yield primitive, matrix


def _join(pieces: Sequence[Splats]) -> Splats:
    """Put scenes one after the other; coefficients that one of them lacks are 0."""
    coefficients = max(each.shn.shape[1] for each in pieces)

    def padded(shn: Floats) -> Floats:
        return np.pad(shn, ((0, 0), (0, coefficients - shn.shape[1]), (0, 0)))

    names = ("positions", "rotations", "scales", "opacities", "sh0")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(each, name) for each in pieces]) for name in names}
    return replace(pieces[0], **arrays, shn=np.concatenate([padded(each.shn) for each in pieces]))
